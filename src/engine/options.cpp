#include "base/option_members.hpp"
#include "command/command.hpp"
#include "engine/option_document.hpp"
#include "store/store_types.hpp"
#include "worker/pool_options.hpp"
#include <lifeguard/engine.hpp>

#include <algorithm>
#include <cmath>

namespace lifeguard {
namespace {

using members = detail::option_members;

constexpr std::uint64_t any = std::numeric_limits<std::uint32_t>::max();
constexpr std::uint64_t any_size = std::numeric_limits<std::uint64_t>::max();
constexpr std::uint64_t restarts_most = std::numeric_limits<std::int32_t>::max();
/// A hundred years.
constexpr std::uint64_t any_ms = std::uint64_t{100} * 365 * 24 * 3600 * 1000;

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

void read_retry(members& m, backoff& o) {
    m.milliseconds("offset_ms", o.offset);
    m.milliseconds("base_ms", o.base);
    m.real("factor", o.factor);
    m.milliseconds_between("cap_ms", o.cap, 1, any_ms);
    m.real("jitter", o.jitter);
    const backoff usual;
    if (!std::isfinite(o.factor) || o.factor < 1) {
        m.complain("factor", "must be 1 at least");
        o.factor = usual.factor;
    }
    if (!(o.jitter >= 0 && o.jitter <= 1)) {
        m.complain("jitter", "must be 0 to 1");
        o.jitter = usual.jitter;
    }
    if (o.offset > o.cap) {
        m.complain("offset_ms", "must be cap_ms at most");
        o = usual;
    }
}

void read_queue(members& m, queue_options& o) {
    m.whole_between("jobs_max", o.jobs_max, 1, any_size);
    m.whole_between("kinds_max", o.kinds_max, 1, any_size);
    m.whole_between("queues_max", o.queues_max, 1, any_size);
    m.whole_between("payload_max", o.limits.payload_max, 1, any_size);
    m.whole_between("depth_max", o.limits.depth_max, 0, 2000);
    m.milliseconds("lease_ms", o.lease);
    m.whole_between("max_attempts", o.max_attempts, 1, any);
    m.flag("strict_kinds", o.strict_kinds);
    m.object("retry", [&](members& retry) { read_retry(retry, o.retry); });
}

void read_breaker(members& m, worker_pool_options& o) {
    m.choice("scope", o.breaker_scope,
             {{"worker", breaker_scope::worker},
              {"pool", breaker_scope::pool},
              {"kind", breaker_scope::kind}});
    m.whole_between("threshold", o.breaker.threshold, 1, any);
    m.milliseconds_between("window_ms", o.breaker.window, 1, any_ms);
    m.milliseconds("open_for_ms", o.breaker.open_for);
    m.real("open_factor", o.breaker.open_factor);
    if (!std::isfinite(o.breaker.open_factor) || o.breaker.open_factor < 1) {
        m.complain("open_factor", "must be 1 at least");
        o.breaker.open_factor = 1;
    }
    m.milliseconds("open_max_ms", o.breaker.open_max);
    m.whole_between("permits", o.breaker.permits, 1, any);
    m.whole_between("successes", o.breaker.successes, 1, any);
    m.milliseconds("probe_timeout_ms", o.breaker.probe_timeout);
}

void read_queues(members& m, std::vector<std::string>& queues) {
    m.texts("queues", queues);
    for (std::size_t i = 0; i < queues.size(); ++i)
        if (std::find(queues.begin(), queues.begin() + static_cast<std::ptrdiff_t>(i), queues[i]) !=
            queues.begin() + static_cast<std::ptrdiff_t>(i)) {
            m.complain("queues", "must differ");
            queues.clear();
        }
    if (queues.empty())
        m.note("queues", std::vector<std::string>{"default"});
}

/// As `broken_rule_of` wants them, but each complained about on its own.
void read_pool(members& m, worker_pool_options& o) {
    m.text("name", o.name);
    if (o.name.empty()) {
        m.complain("name", "must not be empty");
        o.name = "default";
    }
    read_queues(m, o.queues);
    m.flag("strict_order", o.strict_order);
    if (m.get("priority") != nullptr)
        m.whole_between("priority", o.priority.emplace(), priority_first, priority_last);
    m.whole_between("size", o.size, 1, 10'000);
    m.whole_between("max_overflow", o.max_overflow, 0, 10'000);
    m.whole_between("pull_size", o.pull_size, 1, 1000);
    m.whole_between("concurrency", o.concurrency, 1, 10'000);
    m.milliseconds_between("process_timeout_ms", o.process_timeout, 1, any_ms);
    m.milliseconds("checkout_wait_ms", o.checkout_wait);
    m.flag("let_it_crash", o.let_it_crash);
    m.milliseconds("drain_wait_ms", o.drain_wait);
    m.milliseconds("cancel_grace_ms", o.cancel_grace);
    m.milliseconds("stuck_threshold_ms", o.stuck_threshold);
    m.whole_between("abandoned_max", o.abandoned_max, 1, any);
    m.whole_between("intensity", o.intensity, 0, restarts_most);
    m.milliseconds_between("period_ms", o.period, 1, any_ms);
    m.object("breaker", [&](members& breaker) { read_breaker(breaker, o); });
    if (const auto broken = detail::broken_rule_of(o))
        m.complain(broken->field, broken->rule);
}

void read_command(members& m, command_options& o) {
    m.texts("argv", o.argv);
    m.named_texts("env", o.env);
    m.text("directory", o.directory);
    m.milliseconds("timeout_ms", o.timeout);
    m.milliseconds("kill_after_ms", o.kill_after);
    m.whole("concurrency", o.concurrency);
    m.whole_between("output_max", o.output_max, 1, any_size);
    if (const auto broken = detail::broken_rule_of(o); broken.field != nullptr)
        m.complain(broken.field, broken.rule);
}

void read_pools(members& m, std::vector<worker_pool_options>& pools) {
    m.objects("pools", [&](members& pool) {
        worker_pool_options& read = pools.emplace_back();
        read_pool(pool, read);
        for (std::size_t i = 0; i + 1 < pools.size(); ++i)
            if (pools[i].name == read.name)
                pool.complain("name", "must differ from that of pools[" + std::to_string(i) + "]");
    });
    if (pools.empty()) {
        // What the engine makes of none.
        worker_pool_options usual;
        const json nothing = json::object();
        detail::option_report nowhere;
        members only(nothing, "", &nowhere);
        read_pool(only, usual);
        m.note("pools", json::array({only.values()}));
    }
}

void read_engine(members& m, engine_options& o) {
    m.text("name", o.name);
    if (o.name.empty()) {
        m.complain("name", "must not be empty");
        o.name = engine_options().name;
    }
    m.whole_between("intensity", o.intensity, 0, restarts_most);
    m.milliseconds_between("period_ms", o.period, 1, any_ms);
    m.flag("seed_names", o.seed_names);
    m.object("store", [&](members& store) { read_store(store, o); });
    m.object("queue", [&](members& queue) { read_queue(queue, o.queue); });
    read_pools(m, o.pools);
    m.named_objects("commands", [&](const std::string& kind, members& command) {
        read_command(command, o.commands[kind]);
    });
    m.done();
}

/// The first mistake of the text is all that is told.
engine_options read_options(const detail::option_document& document) {
    if (!document.mistakes.empty()) {
        const detail::option_mistake& first = document.mistakes.front();
        const std::string line = first.line == 0 ? "" : "line " + std::to_string(first.line) + ": ";
        if (first.path.empty())
            throw error(errc::malformed_json, "options: " + line + first.expected);
        throw error(errc::invalid_option, first.path + ": " + line + first.expected);
    }
    engine_options o;
    members m(document.value, "");
    read_engine(m, o);
    return o;
}

/// As it is shown: a value as JSON, not too much of it.
std::string shown(const json& value) {
    constexpr std::size_t characters_max = 60;
    std::string text = value.dump(-1, ' ', true, json::error_handler_t::replace); // all ASCII
    if (text.size() > characters_max)
        text = text.substr(0, characters_max) + "...";
    return text;
}

} // namespace

engine_options parse_options(std::string_view text) {
    return read_options(detail::read_json_options(text));
}

engine_options load_options(const std::string& path) {
    const detail::option_document document = detail::load_document(path);
    try {
        return read_options(document);
    } catch (const error& e) {
        throw error(static_cast<errc>(e.code().value()), path + ": " + e.detail());
    }
}

namespace detail {

checked_options check_options(const option_document& document) {
    checked_options checked;
    for (const option_mistake& m : document.mistakes)
        add_by_line(checked.mistakes, m);
    const bool unreadable = std::ranges::any_of(
        checked.mistakes, [](const option_mistake& m) { return m.path.empty(); });
    if (unreadable)
        return checked;
    option_report report;
    try {
        members m(document.value, "", &report);
        read_engine(m, checked.options);
        checked.values = m.values();
    } catch (const error& e) { // no object
        report.mistakes.push_back({"", e.detail(), "", 1});
    }
    for (option_mistake& m : report.mistakes) {
        m.line = document.line_of(m.path);
        if (const json* found = m.path.empty() ? nullptr : document.find(m.path)) {
            m.found = shown(*found);
            m.expected = m.expected.substr(0, m.expected.rfind(", is "));
        }
        add_by_line(checked.mistakes, std::move(m));
    }
    return checked;
}

} // namespace detail
} // namespace lifeguard
