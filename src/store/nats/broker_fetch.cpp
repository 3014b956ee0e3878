// Jobs are fetched from the pull consumers, one for each priority of a queue, and their leases
// renewed.

#include "base/saturate.hpp"
#include "store/nats/broker.hpp"
#include <lifeguard/json.hpp>

#include <algorithm>
#include <charconv>

namespace lifeguard::detail {
namespace {

/// So long the server keeps a request for jobs that there are none of yet.
constexpr duration pull_expires = std::chrono::seconds(30);
/// When it has said nothing by then, what it said has been lost.
constexpr duration pull_lost = std::chrono::seconds(5);
/// Who looks is not kept longer than this by what is slow to come.
constexpr duration look_max = std::chrono::seconds(2);

std::int64_t nanoseconds(duration d) {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(d).count();
}

/// How often the reference has been delivered: a token of the subject of its acks.
std::uint64_t deliveries(std::string_view ack) {
    std::vector<std::string_view> tokens;
    for (std::size_t at = 0; at <= ack.size();) {
        const std::size_t end = std::min(ack.find('.', at), ack.size());
        tokens.push_back(ack.substr(at, end - at));
        at = end + 1;
    }
    // $JS.ACK.STREAM.CONSUMER.DELIVERED..., and since 2.10 with a domain and an account in between.
    const std::size_t which = tokens.size() >= 11 ? 6 : 4;
    std::uint64_t n = 0;
    if (tokens.size() > which)
        std::from_chars(tokens[which].data(), tokens[which].data() + tokens[which].size(), n);
    return n;
}

} // namespace

broker::pulls& broker::of_queue(const std::string& name) {
    auto& found = queues_[name];
    if (found)
        return *found;
    found = std::make_unique<pulls>();
    found->name = name;
    for (int p = 0; p <= priority_last; ++p) {
        lane& l = found->lanes[static_cast<std::size_t>(p)];
        l.queue = found.get();
        l.consumer = layout_.consumer_of(name, p);
        lanes_.emplace(layout_.reference_in(name, p), &l);
    }
    return *found;
}

/// Makes the consumers that are missing; those that are there must be as ours.
void broker::make_consumers(pulls& q) {
    if (q.making)
        return;
    q.making = true;
    const auto left = std::make_shared<std::pair<int, bool>>(priority_last + 1, true);
    for (int p = 0; p <= priority_last; ++p) {
        const std::string& name = q.lanes[static_cast<std::size_t>(p)].consumer;
        json config = json::object();
        config["durable_name"] = name;
        config["ack_policy"] = "explicit";
        config["ack_wait"] = nanoseconds(options_.ack_wait);
        config["deliver_policy"] = "all";
        config["filter_subject"] = layout_.reference_in(q.name, p);
        config["max_ack_pending"] = options_.ack_pending_max;
        config["max_deliver"] = -1;
        config["replay_policy"] = "instant";
        json text = json::object();
        text["stream_name"] = layout_.references;
        text["config"] = std::move(config);
        link_.request("$JS.API.CONSUMER.DURABLE.CREATE." + layout_.references + "." + name,
                      text.dump(), {}, [this, &q, left, name](const nats_message* m) {
                          const json answer =
                              m == nullptr ? json() : json::parse(m->data(), nullptr, false);
                          const bool there = answer.is_object() && !answer.contains("error");
                          if (answer.is_object() && !there)
                              consumer_refused(name, answer["error"].value("description", ""));
                          left->second = left->second && there;
                          if (--left->first != 0)
                              return;
                          q.making = false;
                          q.made = left->second;
                          if (q.made) {
                              begin_look(q);
                              return top_up_all(q);
                          }
                          look_failed(q);
                          link_.after(options_.retry_wait, [this, &q] { top_up_all(q); });
                      });
    }
}

void broker::consumer_refused(const std::string& name, const std::string& why) {
    broker_event e(broker_event::kind::trouble);
    e.error =
        std::make_exception_ptr(error(errc::store_failed, "consumer '" + name + "' of stream '" +
                                                              layout_.references + "': " + why));
    emit(std::move(e));
}

/// Whoever looks is told that there is nothing.
void broker::look_failed(pulls& q) {
    if (q.look.jobs == 0)
        return;
    q.look = wanted_jobs();
    broker_event e(broker_event::kind::looked);
    e.queue = q.name;
    e.looks = q.look_number;
    emit(std::move(e));
}

void broker::begin_look(pulls& q) {
    if (q.look.jobs == 0 || q.looking != 0 || q.returns_known < q.look_after)
        return;
    if (!link_.is_connected())
        return look_failed(q);
    if (!q.made)
        return make_consumers(q);
    const wanted_jobs what = std::exchange(q.look, wanted_jobs());
    const std::uint64_t number = ++last_look_;
    q.looking = number;
    q.looks_for = q.look_number;
    q.open = 1; // ours, until all have been asked
    for (std::size_t p = 0; p < q.lanes.size(); ++p) {
        lane& l = q.lanes[p];
        if (!what.includes(p) || l.pull != 0)
            continue; // there is nothing, or it would be on its way
        ++q.open;
        ask(l, what.jobs, number);
    }
    link_.after(look_max, [this, &q, number] {
        if (q.looking == number)
            end_look(q);
    });
    look_step(q, number);
}

/// Something that the look waits for is over.
void broker::look_step(pulls& q, std::uint64_t look) {
    if (q.looking == look && --q.open == 0)
        end_look(q);
}

/// What comes later comes by itself.
void broker::end_look(pulls& q) {
    q.looking = 0;
    for (broker_event& e : std::exchange(q.found, {}))
        emit(std::move(e));
    broker_event e(broker_event::kind::looked);
    e.queue = q.name;
    e.looks = q.looks_for;
    emit(std::move(e));
    begin_look(q);
    top_up_all(q);
}

void broker::top_up_all(pulls& q) {
    if (q.keep.jobs == 0 || !link_.is_connected())
        return;
    if (!q.made)
        return make_consumers(q);
    for (lane& l : q.lanes)
        top_up(l);
}

void broker::top_up(lane& l) {
    const pulls& q = *l.queue;
    if (!q.keep.includes(static_cast<std::size_t>(&l - q.lanes.data())) ||
        q.keep.jobs <= l.unstarted || l.pull != 0 || q.looking != 0 || !q.made ||
        !link_.is_connected())
        return;
    const std::size_t missing = q.keep.jobs - l.unstarted;
    if (missing >= std::max<std::size_t>(1, q.keep.jobs / 4)) // not a request for each job
        ask(l, missing, 0);
}

/// `look`: zero when the request waits for jobs.
void broker::ask(lane& l, std::size_t jobs, std::uint64_t look) {
    const std::uint64_t number = ++last_pull_;
    l.pull = number;
    l.left = jobs;
    l.looks = look;
    asked_.emplace(number, &l);
    json text = json::object();
    text["batch"] = jobs;
    duration wait = duration::zero();
    if (look != 0) {
        link_.expect();
        text["no_wait"] = true;
    } else {
        wait = std::min(pull_expires, l.queue->keep.wait);
        text["expires"] = nanoseconds(wait);
    }
    const std::string reply = link_.inbox() + ".p." + std::to_string(number);
    link_.publish("$JS.API.CONSUMER.MSG.NEXT." + layout_.references + "." + l.consumer, text.dump(),
                  {}, reply.c_str());
    l.lost_at = later(link_.now(), wait + pull_lost);
}

/// Requests of which the server has said nothing in time are over.
void broker::sweep() {
    const time_point now = link_.now();
    for (const auto& [_, q] : queues_) {
        for (lane& l : q->lanes) {
            if (l.pull == 0 || l.lost_at > now)
                continue;
            close_pull(l);
            top_up(l);
        }
    }
    link_.after(std::chrono::seconds(1), [this] { sweep(); });
}

/// The request of this lane is over.
void broker::close_pull(lane& l) {
    if (l.pull == 0)
        return;
    asked_.erase(std::exchange(l.pull, 0));
    l.left = 0;
    if (const std::uint64_t look = std::exchange(l.looks, 0); look != 0) {
        look_step(*l.queue, look);
        link_.expected();
    }
}

/// A job's reference, whose subject is where it was published, or how a request went.
void broker::pulled(const nats_message& m) {
    if (leaving_) {
        if (!m.reply().empty())
            link_.publish(std::string(m.reply()), "-NAK");
        return;
    }
    if (const auto found = lanes_.find(std::string(m.subject())); found != lanes_.end())
        return came(*found->second, m);
    const std::string_view digits = m.subject().substr(link_.inbox().size() + 3);
    std::uint64_t number = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), number);
    const auto asked = asked_.find(number);
    if (asked == asked_.end())
        return;
    lane& l = *asked->second;
    const bool gone = m.status() == "409" || m.status() == "503"; // the consumer, or who leads it
    close_pull(l);
    if (!gone)
        return top_up(l);
    l.queue->made = false;
    link_.after(options_.retry_wait, [this, &l] { top_up_all(*l.queue); });
}

void broker::came(lane& l, const nats_message& m) {
    const auto id = job_id::parse(m.data());
    if (!id)
        link_.publish(std::string(m.reply()), "+TERM"); // nobody's
    else
        came(l, *id, std::string(m.reply()));
    if (l.pull != 0 && --l.left == 0) {
        close_pull(l);
        top_up(l);
    }
}

void broker::came(lane& l, const job_id& id, std::string ack) {
    entry& e = entries_[id];
    const bool known = !e.ack.empty(); // we have it: its lease had run out, and is ours again
    e.ack = std::move(ack);
    e.from = &l;
    e.put_off_in = nullptr;
    if (known || !e.changes.empty())
        return;
    e.unstarted = true;
    ++l.unstarted;
    const std::uint64_t look = l.looks == l.queue->looking ? l.looks : 0;
    if (look != 0)
        ++l.queue->open;
    if (e.own && deliveries(e.ack) == 1)
        return has_read(id, look, state_read::found, e.revision, std::nullopt);
    read_direct(id, [this, id, look](state_read how, std::uint64_t revision,
                                     std::optional<job_document> d) {
        has_read(id, look, how, revision, std::move(d));
    });
}

void broker::has_read(const job_id& id, std::uint64_t look, state_read how, std::uint64_t revision,
                      std::optional<job_document> d) {
    entry* const e = find(id);
    if (e == nullptr || e->from == nullptr)
        return; // everything has been given back
    pulls& q = *e->from->queue;
    const bool as_pushed = e->own && !d && how == state_read::found;
    if (as_pushed || (d && !is_final(d->state))) {
        e->revision = revision;
        broker_event said(broker_event::kind::arrived);
        said.id = id;
        said.document = std::move(d);
        said.queue = q.name;
        if (e->pushing)
            e->early = std::move(said);
        else if (look != 0 && look == q.looking)
            q.found.push_back(std::move(said));
        else
            emit(std::move(said));
    } else if (how == state_read::failed) {
        nak(*e, duration::zero());
    } else {
        is_over(id, *e, std::move(d));
    }
    if (look != 0)
        look_step(q, look);
}

/// The job is final, and whoever ended it did not come to say so; or its state is gone for good.
void broker::is_over(const job_id& id, entry& e, std::optional<job_document> d) {
    const std::string ack = e.ack;
    let_go(e);
    if (d && d->state == job_state::discarded)
        bury(id, d->delivery, layout_.dead_in(d->queue), d->text, ack, 5);
    else
        confirm(ack, 5);
    broker_event said(broker_event::kind::ended);
    said.id = id;
    said.document = std::move(d);
    emit(std::move(said));
    entries_.erase(id);
}

/// The reference is for others, now or after `delay`. The server says when it knows.
void broker::nak(entry& e, duration delay) {
    std::string text = "-NAK";
    if (delay > duration::zero())
        text += " {\"delay\": " + std::to_string(nanoseconds(delay)) + "}";
    pulls& q = *e.from->queue;
    ++q.returns;
    link_.request(e.ack, text, {}, [this, &q](const nats_message*) {
        ++q.returns_known;
        begin_look(q);
    });
    let_go(e);
    e.own = false; // who has it next may change it
}

void broker::let_go(entry& e) {
    e.ack.clear();
    begun(e);
    e.from = nullptr;
}

/// The lane may fetch another one.
void broker::begun(entry& e) {
    if (!std::exchange(e.unstarted, false))
        return;
    --e.from->unstarted;
    top_up(*e.from);
}

void broker::probe(const std::shared_ptr<std::atomic<bool>>& more) {
    link_.post([this, more] {
        for (auto& [_, q] : queues_)
            for (lane& l : q->lanes)
                if (l.pull != 0)
                    probe(l, more);
    });
}

void broker::probe(const lane& l, const std::shared_ptr<std::atomic<bool>>& more) {
    link_.request(
        "$JS.API.CONSUMER.INFO." + layout_.references + "." + l.consumer, "", {},
        [this, &l, more](const nats_message* m) {
            const json info = m == nullptr ? json() : json::parse(m->data(), nullptr, false);
            if (!info.is_object())
                return;
            const auto held = std::ranges::count_if(entries_, [&](const auto& known) {
                const entry& e = known.second;
                return e.from == &l || (e.put_off_in == &l && e.back_at > link_.now());
            });
            if (info.value("num_pending", 0) != 0 || info.value("num_ack_pending", 0) > held)
                *more = true;
        });
}

void broker::renew() {
    for (const auto& [_, e] : entries_)
        if (!e.ack.empty())
            link_.publish(e.ack, "+WPI");
    link_.after(options_.ack_wait / 3, [this] { renew(); });
}

} // namespace lifeguard::detail
