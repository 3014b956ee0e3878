#include "store/nats/broker.hpp"

#include <lifeguard/json.hpp>

#include <future>

namespace lifeguard::detail {
namespace {

/// A message that tells of a job's end can be lost.
constexpr duration recheck_every = std::chrono::seconds(15);

/// So long a store that is being destroyed waits for the server.
constexpr duration leave_max = std::chrono::seconds(3);

} // namespace

broker::broker(nats_link& link, const nats_layout& layout, const nats_store_options& options,
               std::string engine)
    : link_(link), layout_(layout), options_(options), engine_(std::move(engine)) {}

void broker::start(listener tell) {
    tell_ = std::move(tell);
    link_.start([this](bool connected) { connection_changed(connected); }, [this] { flush(); });
    link_.post([this] {
        fetches_ =
            link_.listen(link_.inbox() + ".p.*", [this](const nats_message& m) { pulled(m); });
        link_.listen(layout_.ended_at(engine_), [this](const nats_message& m) {
            if (const auto id = job_id::parse(m.data()))
                recheck(*id);
        });
        link_.listen(layout_.pause_subjects(), [this](const nats_message& m) { heard_pause(m); });
        renew();
        sweep();
        recheck_again();
        plan_cleaning();
    });
}

void broker::recheck_again() {
    link_.after(recheck_every, [this] {
        recheck_all();
        recheck_again();
    });
}

broker::entry* broker::find(const job_id& id) {
    const auto found = entries_.find(id);
    return found == entries_.end() ? nullptr : &found->second;
}

/// Told together what has been found out together.
void broker::flush() {
    if (!out_.empty())
        tell_(std::exchange(out_, {}));
}

void broker::connection_changed(bool connected) {
    broker_event said(broker_event::kind::connection);
    said.yes = connected;
    emit(std::move(said));
    if (!connected) {
        // Whatever the server had been asked for, it has forgotten.
        for (const auto& [_, q] : queues_)
            for (lane& l : q->lanes)
                close_pull(l);
        return;
    }
    for (auto& [id, e] : entries_)
        if (!e.ack.empty())
            link_.publish(e.ack, "+WPI");
    std::vector<job_id> waiting;
    for (const auto& [id, e] : entries_)
        if (!e.busy && !e.changes.empty())
            waiting.push_back(id);
    for (const job_id& id : waiting)
        next_change(id);
    for (const auto& [_, q] : queues_) {
        q->made = false; // they may have gone with the server
        top_up_all(*q);
    }
    recheck_all();
}

/// Why something has not been stored: from the answer, or from there being none.
std::exception_ptr broker::failure(const nats_message* m, const job_id& id) const {
    const std::string job = "job " + id.to_string();
    if (m == nullptr) {
        const errc code = link_.is_connected() ? errc::outcome_unknown : errc::store_unavailable;
        return std::make_exception_ptr(error(code, job));
    }
    const json answer = json::parse(m->data(), nullptr, false);
    std::string text = "the server's answer is not understood";
    errc code = errc::store_failed;
    if (answer.is_object() && answer.contains("error")) {
        const json& e = answer["error"];
        text = e.value("description", std::string("unknown"));
        const int number = e.value("err_code", 0);
        constexpr int no_storage = 10047, no_resources = 10023, store_failed = 10077;
        if (number == no_storage || number == no_resources || number == store_failed)
            code = errc::store_full;
    }
    return std::make_exception_ptr(error(code, job + ": " + text));
}

// --- any thread

void broker::push(job_record& job, std::string document) {
    const std::string reference = layout_.reference_in(job.queue->name, job.priority);
    link_.post([this, id = job.id, &job, document = std::move(document), reference] {
        create(id, &job, document, reference);
    });
}

void broker::change(const job_id& id, broker_change c) {
    link_.post([this, id, c = std::make_shared<broker_change>(std::move(c))] {
        entry& e = entries_[id];
        if (c->job == nullptr)
            begun(e);
        e.changes.push_back(std::move(*c));
        next_change(id);
    });
}

void broker::give_back(const job_id& id, duration delay, bool known) {
    link_.post([this, id, delay, known] {
        entry* const e = find(id);
        if (e == nullptr || e->ack.empty())
            return;
        nak(*e, delay);
        if (!known)
            entries_.erase(id);
    });
}

void broker::forget(const job_id& id) {
    link_.post([this, id] {
        const entry* const e = find(id);
        if (e != nullptr && e->ack.empty() && e->changes.empty())
            entries_.erase(id);
    });
}

void broker::purge(const job_id& id) {
    link_.post([this, id] {
        if (const auto finished = finished_.extract(id))
            erase_state(layout_.state_of(id), finished.mapped());
        else
            purge_state(layout_.state_of(id), 0);
    });
}

void broker::look(const std::string& queue, const wanted_jobs& what, std::uint64_t number) {
    link_.post([this, queue, what, number] {
        pulls& q = of_queue(queue);
        q.look_number = number;
        q.look.jobs = std::max(q.look.jobs, what.jobs);
        q.look.priorities |= what.priorities;
        if (q.look.jobs != 0) {
            q.look_after = q.returns;
            return begin_look(q);
        }
        broker_event e(broker_event::kind::looked);
        e.queue = queue;
        e.looks = number;
        emit(std::move(e));
    });
}

void broker::keep(const std::string& queue, const wanted_jobs& what) {
    link_.post([this, queue, what] {
        pulls& q = of_queue(queue);
        q.keep = what;
        top_up_all(q);
    });
}

void broker::give_back_all() {
    if (!tell_)
        return; // it has never begun
    const auto done = std::make_shared<std::promise<void>>();
    const std::future<void> left = done->get_future();
    link_.post([this, done] {
        leaving_ = true;
        for (auto& [_, e] : entries_)
            if (!e.ack.empty())
                link_.publish(e.ack, "-NAK");
        entries_.clear();
        for (const auto& [_, q] : queues_)
            q->keep = wanted_jobs();
        link_.drain(fetches_, [done] { done->set_value(); });
    });
    left.wait_for(leave_max);
}

void broker::set_pause(std::shared_ptr<pause_request> r, std::string subject, std::string text) {
    link_.post([this, r = std::move(r), subject = std::move(subject), text = std::move(text)] {
        link_.request(subject, text, {}, [this, r](const nats_message* m) {
            broker_event e(broker_event::kind::paused);
            e.pause = r;
            const json answer = m == nullptr ? json() : json::parse(m->data(), nullptr, false);
            if (!answer.is_object() || !answer.contains("seq"))
                e.error = std::make_exception_ptr(
                    error(link_.is_connected() ? errc::outcome_unknown : errc::store_unavailable,
                          "queue '" + r->queue->name + "'"));
            emit(std::move(e));
        });
    });
}

void broker::heard_pause(const nats_message& m) {
    const json text = json::parse(m.data(), nullptr, false);
    if (!text.is_object())
        return;
    broker_event e(broker_event::kind::pause_heard);
    e.queue = layout_.queue_paused_by(m.subject());
    e.yes = text.value("paused", false);
    e.until = text.value("until", std::int64_t{0});
    emit(std::move(e));
}

} // namespace lifeguard::detail
