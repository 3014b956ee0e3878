#include "base/option_members.hpp"
#include "store/store_types.hpp"
#include "worker/pool_options.hpp"
#include <lifeguard/engine.hpp>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace lifeguard {
namespace {

using members = detail::option_members;

void read_store(members& m, engine_options& o) {
    std::string type = "memory";
    m.text("type", type);
    if (type == "memory") {
        m.whole("finished_max", o.memory.finished_max);
        m.whole("discarded_max", o.memory.discarded_max);
        m.whole("finished_bytes_max", o.memory.finished_bytes_max);
        m.whole("discarded_bytes_max", o.memory.discarded_bytes_max);
        m.age("completed_age_ms", o.memory.keep_for.completed);
        m.age("cancelled_age_ms", o.memory.keep_for.cancelled);
        m.age("discarded_age_ms", o.memory.keep_for.discarded);
        o.make_store = [options = o.memory] { return memory_store(options); };
        return;
    }
    const detail::store_reader read = detail::find_store_type(type);
    if (read == nullptr)
        throw error(errc::unsupported, "store.type: '" + type +
                                           "' is not linked into this program; link the CMake "
                                           "target lifeguard::" +
                                           type + ", if there is such a store");
    o.make_store = read(m);
}

void read_queue(members& m, queue_options& o) {
    m.whole("jobs_max", o.jobs_max);
    m.whole("kinds_max", o.kinds_max);
    m.whole("queues_max", o.queues_max);
    m.whole("payload_max", o.limits.payload_max);
    m.whole("depth_max", o.limits.depth_max);
    m.milliseconds("lease_ms", o.lease);
    m.whole("max_attempts", o.max_attempts);
    m.flag("strict_kinds", o.strict_kinds);
    m.object("retry", [&](members& retry) {
        retry.milliseconds("offset_ms", o.retry.offset);
        retry.milliseconds("base_ms", o.retry.base);
        retry.real("factor", o.retry.factor);
        retry.milliseconds("cap_ms", o.retry.cap);
        retry.real("jitter", o.retry.jitter);
    });
}

/// The member that sets a field: durations say their unit.
std::string member_of(const std::string& field) {
    for (const char* duration_field :
         {"process_timeout", "checkout_wait", "drain_wait", "cancel_grace", "stuck_threshold",
          "period", "breaker.window", "breaker.open_for", "breaker.open_max",
          "breaker.probe_timeout"})
        if (field == duration_field)
            return field + "_ms";
    return field;
}

void read_breaker(members& m, worker_pool_options& o) {
    std::string scope = "worker";
    m.text("scope", scope);
    if (scope == "worker")
        o.breaker_scope = breaker_scope::worker;
    else if (scope == "pool")
        o.breaker_scope = breaker_scope::pool;
    else if (scope == "kind")
        o.breaker_scope = breaker_scope::kind;
    else
        m.wrong("scope", "must be worker, pool or kind, is " + scope);
    m.whole("threshold", o.breaker.threshold);
    m.milliseconds("window_ms", o.breaker.window);
    m.milliseconds("open_for_ms", o.breaker.open_for);
    m.real("open_factor", o.breaker.open_factor);
    m.milliseconds("open_max_ms", o.breaker.open_max);
    m.whole("permits", o.breaker.permits);
    m.whole("successes", o.breaker.successes);
    m.milliseconds("probe_timeout_ms", o.breaker.probe_timeout);
}

void read_pool(members& m, worker_pool_options& o) {
    m.text("name", o.name);
    m.texts("queues", o.queues);
    m.flag("strict_order", o.strict_order);
    if (const json* v = m.get("priority"))
        o.priority = static_cast<int>(m.number(*v, "priority", priority_first, priority_last));
    m.whole("size", o.size);
    m.whole("max_overflow", o.max_overflow);
    m.whole("pull_size", o.pull_size);
    m.whole("concurrency", o.concurrency);
    m.milliseconds("process_timeout_ms", o.process_timeout);
    m.milliseconds("checkout_wait_ms", o.checkout_wait);
    m.flag("let_it_crash", o.let_it_crash);
    m.milliseconds("drain_wait_ms", o.drain_wait);
    m.milliseconds("cancel_grace_ms", o.cancel_grace);
    m.milliseconds("stuck_threshold_ms", o.stuck_threshold);
    m.whole("abandoned_max", o.abandoned_max);
    m.whole("intensity", o.intensity);
    m.milliseconds("period_ms", o.period);
    m.object("breaker", [&](members& breaker) { read_breaker(breaker, o); });
    if (const auto broken = detail::broken_rule_of(o))
        m.wrong(member_of(broken->field), broken->rule);
}

} // namespace

engine_options parse_options(std::string_view text) {
    json parsed;
    try {
        parsed = json::parse(text);
    } catch (const json::exception& e) {
        throw error(errc::malformed_json, std::string("options: ") + e.what());
    }
    engine_options o;
    members m(parsed, "");
    m.text("name", o.name);
    m.whole("intensity", o.intensity);
    m.milliseconds("period_ms", o.period);
    m.flag("seed_names", o.seed_names);
    m.object("store", [&](members& store) { read_store(store, o); });
    m.object("queue", [&](members& queue) { read_queue(queue, o.queue); });
    m.objects("pools", [&](members& pool) { read_pool(pool, o.pools.emplace_back()); });
    m.done();
    return o;
}

engine_options load_options(const std::string& path) {
    const std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    if (!file || std::filesystem::is_directory(path))
        throw error(errc::not_found, "options file '" + path + "'");
    try {
        return parse_options(text.str());
    } catch (const error& e) {
        throw error(static_cast<errc>(e.code().value()), path + ": " + e.detail());
    }
}

} // namespace lifeguard
