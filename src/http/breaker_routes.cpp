// Circuit breakers of the pools: shown, and worked by hand.

#include "http/answers.hpp"
#include "http/api.hpp"
#include "http/json_writer.hpp"

namespace lifeguard::detail::web {
namespace {

/// What shares a breaker, told by its name: that of a worker, of its pool, or "pool:kind".
struct scope {
    std::string_view name;
    std::optional<std::string_view> worker;
    std::optional<std::string_view> kind;
};

scope scope_of(std::string_view breaker, std::string_view pool) {
    if (breaker.size() <= pool.size())
        return {"pool", std::nullopt, std::nullopt};
    if (breaker[pool.size()] == ':')
        return {"kind", std::nullopt, breaker.substr(pool.size() + 1)};
    return {"worker", breaker, std::nullopt};
}

void write_breaker(json_writer& w, const breaker_status& s, const std::string& pool) {
    const scope of = scope_of(s.name, pool);
    const bool endless = s.retry_after == duration::max();
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(s.retry_after).count();
    w.begin_object()
        .member("id", s.name)
        .member("pool", pool)
        .member("scope", of.name)
        .member("worker", of.worker)
        .member("kind", of.kind)
        .member("state", name_of(s.state))
        .member("retry_after_ms", endless ? std::nullopt : std::optional(wait))
        .member("requests", s.counts.requests)
        .member("successes", s.counts.successes)
        .member("failures", s.counts.failures)
        .member("excluded", s.counts.excluded)
        .member("rejected", s.counts.rejected)
        .member("opened", s.opened_total)
        .member("closed", s.closed_total)
        .end_object();
}

breaker_command command_of(const std::string& word) {
    if (word == "open")
        return breaker_command::force_open;
    if (word == "close" || word == "reset")
        return breaker_command::reset;
    if (word == "trip")
        return breaker_command::trip;
    if (word == "half_open")
        return breaker_command::half_open;
    if (word == "disable")
        return breaker_command::disable;
    if (word == "enable")
        return breaker_command::enable;
    throw refusal{404, name_of(errc::not_found),
                  "must be open, close, trip, half_open, disable, enable or reset", "command"};
}

} // namespace

asio::awaitable<answer> list_breakers(call& c) {
    c.at.allow({"pool"});
    const auto only = c.at.parameter("pool");
    json_writer w;
    w.begin_object().key("breakers").begin_array();
    for (const std::string& name : only ? std::vector{*only} : c.of.served.pools())
        for (const breaker_status& s : c.of.served.pool(name).breakers())
            write_breaker(w, s, name);
    w.end_array().end_object();
    co_return make_answer(w.take());
}

asio::awaitable<answer> control_breaker(call& c) {
    c.at.allow({});
    const std::string& id = c.names[0];
    const breaker_command command = command_of(c.names[1]);
    for (const std::string& name : c.of.served.pools()) {
        worker_pool pool = c.of.served.pool(name);
        for (const breaker_status& s : pool.breakers()) {
            if (s.name != id)
                continue;
            pool.control_breaker(id, command);
            co_return make_answer("", 204);
        }
    }
    throw refusal{404, name_of(errc::not_found), "there is no such breaker", id};
}

} // namespace lifeguard::detail::web
