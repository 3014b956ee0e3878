#include "worker/pool_options.hpp"
#include <lifeguard/engine.hpp>

#include <filesystem>
#include <fstream>
#include <functional>
#include <limits>
#include <set>
#include <sstream>

namespace lifeguard {
namespace {

/// Reads the members of one JSON object into options, and complains about those it does not know.
class members {
  public:
    members(const json& object, std::string path) : object_(object), path_(std::move(path)) {
        if (!object_.is_object())
            throw error(errc::invalid_option, (path_.empty() ? "options" : path_) +
                                                  ": must be an object, is " + object_.type_name());
    }

    template <typename Unsigned>
    void whole(const char* name, Unsigned& out) {
        if (const json* v = get(name))
            out = static_cast<Unsigned>(number(*v, name, 0, std::numeric_limits<Unsigned>::max()));
    }

    void milliseconds(const char* name, duration& out) {
        // A hundred years: beyond it nanoseconds run over.
        constexpr std::uint64_t longest = std::uint64_t{100} * 365 * 24 * 3600 * 1000;
        if (const json* v = get(name))
            out = std::chrono::milliseconds(number(*v, name, 0, longest));
    }

    void flag(const char* name, bool& out) {
        if (const json* v = get(name)) {
            if (!v->is_boolean())
                wrong(name, std::string("must be true or false, is ") + v->type_name());
            out = v->get<bool>();
        }
    }

    void real(const char* name, double& out) {
        if (const json* v = get(name)) {
            if (!v->is_number())
                wrong(name, std::string("must be a number, is ") + v->type_name());
            out = v->get<double>();
        }
    }

    void text(const char* name, std::string& out) {
        if (const json* v = get(name))
            out = string_of(*v, name);
    }

    void texts(const char* name, std::vector<std::string>& out) {
        const json* v = get(name);
        if (v == nullptr)
            return;
        if (!v->is_array())
            wrong(name, std::string("must be a list of strings, is ") + v->type_name());
        out.clear();
        for (std::size_t i = 0; i < v->size(); ++i)
            out.push_back(string_of((*v)[i], std::string(name) + "[" + std::to_string(i) + "]"));
    }

    void object(const char* name, const std::function<void(members&)>& read) {
        if (const json* v = get(name)) {
            members inner(*v, at(name));
            read(inner);
            inner.done();
        }
    }

    void objects(const char* name, const std::function<void(members&)>& read) {
        const json* v = get(name);
        if (v == nullptr)
            return;
        if (!v->is_array())
            wrong(name, std::string("must be a list of objects, is ") + v->type_name());
        for (std::size_t i = 0; i < v->size(); ++i) {
            members inner((*v)[i], at(name) + "[" + std::to_string(i) + "]");
            read(inner);
            inner.done();
        }
    }

    const json* get(const char* name) {
        known_.insert(name);
        const auto found = object_.find(name);
        return found == object_.end() ? nullptr : &*found;
    }

    std::uint64_t number(const json& v, const std::string& name, std::uint64_t low,
                         std::uint64_t high) const {
        if (!v.is_number_integer())
            wrong(name, std::string("must be a whole number, is ") + v.type_name());
        const bool fits = v.is_number_unsigned() && v.get<std::uint64_t>() >= low &&
                          v.get<std::uint64_t>() <= high;
        if (!fits)
            wrong(name, "must be " + std::to_string(low) + " to " + std::to_string(high) + ", is " +
                            v.dump());
        return v.get<std::uint64_t>();
    }

    [[noreturn]] void wrong(const std::string& name, const std::string& rule) const {
        throw error(errc::invalid_option, at(name) + ": " + rule);
    }

    void done() const {
        for (const auto& [name, value] : object_.items())
            if (!known_.contains(name))
                wrong(name, "is not an option");
    }

  private:
    std::string at(const std::string& name) const {
        return path_.empty() ? name : path_ + "." + name;
    }

    std::string string_of(const json& v, const std::string& name) const {
        if (!v.is_string())
            wrong(name, std::string("must be a string, is ") + v.type_name());
        return v.get<std::string>();
    }

    const json& object_;
    const std::string path_;
    std::set<std::string> known_;
};

void read_store(members& m, engine_options& o) {
    std::string type = "memory";
    m.text("type", type);
    if (type != "memory")
        throw error(errc::unsupported,
                    "store.type: '" + type + "' is not linked into this program");
    m.whole("finished_max", o.memory.finished_max);
    m.whole("discarded_max", o.memory.discarded_max);
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
