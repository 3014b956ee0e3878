// Jobs are pushed, and what becomes of them is written.

#include "store/nats/base64.hpp"
#include "store/nats/broker.hpp"
#include <lifeguard/json.hpp>

#include <algorithm>

namespace lifeguard::detail {
namespace {

constexpr const char* expected_revision = "Nats-Expected-Last-Subject-Sequence";
constexpr const char* message_id = "Nats-Msg-Id";

/// The server's answer to something that was published.
struct publish_answer {
    std::uint64_t sequence = 0; ///< zero: it was refused
    bool wrong_revision = false;
};

publish_answer read_answer(const nats_message& m) {
    constexpr int wrong_last_sequence = 10071;
    publish_answer a;
    const json text = json::parse(m.data(), nullptr, false);
    if (!text.is_object())
        return a;
    if (const auto e = text.find("error"); e != text.end())
        a.wrong_revision = e->value("err_code", 0) == wrong_last_sequence;
    else
        a.sequence = text.value("seq", std::uint64_t{0});
    return a;
}

constexpr unsigned tries_max = 5;

} // namespace

// --- pushing

void broker::create(const job_id& id, job_record* job, const std::string& document,
                    const std::string& reference) {
    link_.request(layout_.state_of(id), document, {{expected_revision, "0"}},
                  [this, id, job, reference](const nats_message* m) {
                      const publish_answer a = m == nullptr ? publish_answer() : read_answer(*m);
                      if (a.sequence != 0) {
                          entry& e = entries_[id];
                          e.revision = a.sequence;
                          e.own = e.pushing = true;
                          return created(id, job, reference);
                      }
                      if (a.wrong_revision)
                          return existed(id, job);
                      broker_event e(broker_event::kind::pushed);
                      e.job = job;
                      e.error = failure(m, id);
                      emit(std::move(e));
                  });
}

/// The state is there: now others may know.
void broker::created(const job_id& id, job_record* job, const std::string& reference) {
    link_.request(reference, id.to_string(), {{message_id, id.to_string()}},
                  [this, id, job](const nats_message* m) {
                      broker_event e(broker_event::kind::pushed);
                      e.job = job;
                      entry* const known = find(id);
                      std::optional<broker_event> early;
                      if (known != nullptr) {
                          known->pushing = false;
                          early = std::exchange(known->early, std::nullopt);
                      }
                      if (!early && (m == nullptr || read_answer(*m).sequence == 0)) {
                          e.error = failure(m, id);
                          if (known != nullptr && known->ack.empty())
                              entries_.erase(id);
                      }
                      emit(std::move(e));
                      if (early)
                          emit(std::move(*early));
                  });
}

/// Somebody has pushed a job of this id. When that was cut short, it is brought to its end.
void broker::existed(const job_id& id, job_record* job) {
    const auto answer = [this, id, job](std::exception_ptr why) {
        broker_event e(broker_event::kind::pushed);
        e.job = job;
        e.error = why ? std::move(why)
                      : std::make_exception_ptr(error(errc::duplicate_id, "job " + id.to_string()));
        emit(std::move(e));
    };
    read_leader(id, [this, id, answer](state_read how, std::uint64_t,
                                       std::optional<job_document> d) {
        if (how == state_read::failed)
            return answer(failure(nullptr, id));
        if (!d || is_final(d->state) || d->delivery != 0)
            return answer(nullptr);
        link_.request(layout_.reference_in(d->queue, d->priority), id.to_string(),
                      {{message_id, id.to_string()}}, [this, id, answer](const nats_message* m) {
                          answer(m == nullptr ? failure(nullptr, id) : nullptr);
                      });
    });
}

// --- changing

void broker::next_change(const job_id& id) {
    entry* const e = find(id);
    if (e == nullptr || e->busy || e->changes.empty())
        return;
    e->busy = true;
    link_.request(layout_.state_of(id), e->changes.front().document,
                  {{expected_revision, std::to_string(e->revision)}},
                  [this, id](const nats_message* m) { answered(id, m); });
}

void broker::answered(const job_id& id, const nats_message* m) {
    entry* const e = find(id);
    if (e == nullptr)
        return; // everything has been given back
    const publish_answer a = m == nullptr ? publish_answer() : read_answer(*m);
    if (a.sequence != 0)
        return written(id, *e, a.sequence);
    if (a.wrong_revision)
        return refused(id);
    failed(id, *e, failure(m, id));
}

/// Somebody has written on top of what we know. When that was ourselves, in this very attempt, an
/// answer has been lost.
void broker::refused(const job_id& id) {
    read_leader(id, [this, id](state_read how, std::uint64_t revision,
                               std::optional<job_document> d) {
        entry* const e = find(id);
        if (e == nullptr)
            return;
        if (how == state_read::failed)
            return failed(id, *e, failure(nullptr, id));
        const bool ours = d && d->writer == engine_ && d->delivery <= e->changes.front().delivery;
        if (!ours)
            return lost(id, *e);
        e->revision = revision;
        e->busy = false;
        next_change(id);
    });
}

void broker::lost(const job_id& id, entry& e) {
    for (broker_change& c : std::exchange(e.changes, {})) {
        if (c.job == nullptr)
            continue; // the end of the attempt will hear of it
        broker_event said(broker_event::kind::superseded);
        said.id = id;
        said.job = c.job;
        said.how = std::move(c.how);
        emit(std::move(said));
    }
    e.busy = false;
    // Whoever has the job holds a newer lease; ours must not be renewed, which would be his.
    let_go(e);
    e.own = false;
    recheck(id);
}

void broker::failed(const job_id& id, entry& e, std::exception_ptr why) {
    e.busy = false;
    broker_change& c = e.changes.front();
    if (c.job != nullptr && c.how.asked_for) {
        broker_event said(broker_event::kind::changed);
        said.id = id;
        said.job = c.job;
        said.how = std::move(c.how);
        said.error = std::move(why);
        e.changes.pop_front();
        emit(std::move(said));
        return next_change(id);
    }
    link_.after(options_.retry_wait, [this, id] { next_change(id); });
}

void broker::written(const job_id& id, entry& e, std::uint64_t revision) {
    e.revision = revision;
    e.own = false;
    e.busy = false;
    const broker_change c = std::move(e.changes.front());
    e.changes.pop_front();
    if (c.job == nullptr)
        return next_change(id);
    broker_event said(broker_event::kind::changed);
    said.id = id;
    said.job = c.job;
    said.how = c.how;
    const bool over = is_final(c.how.state);
    if (over)
        finish(id, e, c);
    emit(std::move(said));
    if (!over)
        next_change(id);
}

/// The state is final: the reference has done its work.
void broker::finish(const job_id& id, entry& e, const broker_change& c) {
    if (!c.origin.empty() && c.origin != engine_)
        link_.publish(layout_.ended_at(c.origin), id.to_string());
    const std::string ack = e.ack;
    let_go(e);
    if (c.how.state == job_state::discarded)
        bury(id, c.delivery, c.dead_in, c.document, ack, tries_max);
    else if (!ack.empty())
        confirm(ack, tries_max);
    finished_[id] = e.revision;
    entries_.erase(id);
}

/// The reference goes when the dead letter is there: who gets it again finds what is missing.
void broker::bury(const job_id& id, std::uint32_t delivery, const std::string& subject,
                  std::string document, std::string ack, unsigned tries) {
    const std::string number = id.to_string() + "." + std::to_string(delivery);
    auto text = std::make_shared<std::string>(std::move(document));
    link_.request(subject, *text, {{message_id, number}, {"Lifeguard-Job", id.to_string()}},
                  [=, this](const nats_message* m) {
                      if (m != nullptr && read_answer(*m).sequence != 0) {
                          if (!ack.empty())
                              confirm(ack, tries_max);
                      } else if (tries > 1) {
                          link_.after(options_.retry_wait, [=, this] {
                              bury(id, delivery, subject, *text, ack, tries - 1);
                          });
                      }
                  });
}

/// If the server never says that it knows, it gives the reference to somebody, who finds that the
/// job is over.
void broker::confirm(const std::string& ack, unsigned tries) {
    link_.request(ack, "+ACK", {}, [this, ack, tries](const nats_message* m) {
        if (m == nullptr && tries > 1)
            link_.after(options_.retry_wait, [this, ack, tries] { confirm(ack, tries - 1); });
    });
}

// --- reading

void broker::read_direct(const job_id& id, on_read done) {
    if (!direct_reads_)
        return read_leader(id, std::move(done));
    link_.request("$JS.API.DIRECT.GET." + layout_.states + "." + layout_.state_of(id), "", {},
                  [this, id, done = std::move(done)](const nats_message* m) {
                      if (m == nullptr)
                          return done(state_read::failed, 0, std::nullopt);
                      const std::string sequence(m->header("Nats-Sequence"));
                      if (!m->status().empty() || sequence.empty())
                          return read_leader(id, done);
                      done(state_read::found, std::stoull(sequence), read_document(id, m->data()));
                  });
}

void broker::read_leader(const job_id& id, on_read done) {
    json which = json::object();
    which["last_by_subj"] = layout_.state_of(id);
    link_.request(
        "$JS.API.STREAM.MSG.GET." + layout_.states, which.dump(), {},
        [id, done = std::move(done)](const nats_message* m) {
            const json text = m == nullptr ? json() : json::parse(m->data(), nullptr, false);
            if (!text.is_object())
                return done(state_read::failed, 0, std::nullopt);
            if (const auto e = text.find("error"); e != text.end())
                return done(e->value("code", 0) == 404 ? state_read::none : state_read::failed, 0,
                            std::nullopt);
            const json& found = text.at("message");
            done(state_read::found, found.value("seq", std::uint64_t{0}),
                 read_document(id, decode64(found.value("data", std::string()))));
        });
}

/// Looks whether a job that is elsewhere has ended.
void broker::recheck(const job_id& id) {
    const entry* const known = find(id);
    if (known == nullptr || known->busy || !known->ack.empty())
        return;
    read_leader(id,
                [this, id](state_read how, std::uint64_t revision, std::optional<job_document> d) {
                    entry* const e = find(id);
                    if (e == nullptr || e->busy || !e->ack.empty() || how == state_read::failed)
                        return;
                    e->own = e->own && e->revision == revision;
                    e->revision = revision;
                    if (d && !is_final(d->state))
                        return;
                    broker_event said(broker_event::kind::ended);
                    said.id = id;
                    said.document = std::move(d);
                    emit(std::move(said));
                    entries_.erase(id);
                });
}

void broker::recheck_all() {
    constexpr std::size_t at_once = 1000;
    std::vector<job_id> away;
    for (const auto& [id, e] : entries_)
        if (e.ack.empty() && !e.busy)
            away.push_back(id);
    for (std::size_t n = std::min(away.size(), at_once); n != 0; --n)
        recheck(away[rechecked_++ % away.size()]);
}

} // namespace lifeguard::detail
