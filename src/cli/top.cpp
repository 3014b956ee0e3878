// lifeguard top: pools, workers, breakers, rates and latency, refreshed in place.
#include "cli/commands.hpp"
#include "cli/progress.hpp"
#include "cli/table.hpp"
#include "cli/terminal.hpp"

#include <cmath>
#include <iostream>
#include <sstream>

namespace lifeguard::cli {
namespace {

struct top_options {
    bool once = false;
    unsigned interval_ms = 1000;
};

using row = std::vector<std::string>;

/// What the server says at one time.
struct view {
    json queues;
    json pools;
    json workers;
    json samples; ///< of the last seconds, the oldest first
};

view look(client& server) {
    view v;
    v.queues = server.get("/v1/queues").at("queues");
    v.pools = server.get("/v1/pools").at("pools");
    v.workers = server.get("/v1/workers").at("workers");
    v.samples = server.get("/v1/history?seconds=10").at("samples");
    return v;
}

/// How much a count of the samples grows in a second; "-" when nobody knows yet.
std::string rate(const json& samples, const std::string& pointer) {
    if (samples.size() < 2)
        return "-";
    const json::json_pointer at(pointer);
    const json& first = samples.front();
    const json& last = samples.back();
    const double ms = last.at("at").get<double>() - first.at("at").get<double>();
    if (!first.contains(at) || !last.contains(at) || ms <= 0)
        return "-";
    return rate_text((last.at(at).get<double>() - first.at(at).get<double>()) / ms * 1000);
}

/// A duration of the last sample that has one.
std::string milliseconds(const json& samples, const std::string& pointer) {
    const json::json_pointer at(pointer);
    for (auto s = samples.rbegin(); s != samples.rend(); ++s)
        if (s->contains(at) && s->at(at).is_number()) {
            std::ostringstream text;
            text.precision(3);
            text << s->at(at).get<double>();
            return text.str();
        }
    return "-";
}

/// A name inside a JSON pointer.
std::string pointed(std::string name) {
    for (std::size_t i = 0; i < name.size(); ++i) {
        if (name[i] == '~')
            name.replace(i++, 1, "~0");
        else if (name[i] == '/')
            name.replace(i++, 1, "~1");
    }
    return name;
}

row cells(const json& of, std::initializer_list<const char*> names) {
    row all;
    for (const char* name : names)
        all.push_back(text_of(of.at(name)));
    return all;
}

std::string head_of(const view& v, const std::string& url) {
    const json& s = v.samples;
    std::string text = "lifeguard " + url + "   done " + rate(s, "/totals/completed") +
                       "/s   failed " + rate(s, "/totals/failed_attempts") + "/s   pushed " +
                       rate(s, "/totals/pushed") + "/s   loop lag " +
                       milliseconds(s, "/loop_lag_ms") + " ms";
    if (!s.empty())
        text += "   memory " +
                std::to_string(s.back().at("process").at("rss_bytes").get<std::uint64_t>() >> 20U) +
                " MiB";
    return text + "\n\n";
}

std::string queues_of(const view& v) {
    std::vector<row> rows;
    for (const json& q : v.queues) {
        row r = cells(q, {"name", "available", "executing", "scheduled", "retryable", "discarded"});
        r.push_back(milliseconds(v.samples, "/queues/" + pointed(q.at("name").get<std::string>()) +
                                                "/oldest_ms"));
        r.emplace_back(q.at("paused").get<bool>() ? "paused" : "");
        rows.push_back(std::move(r));
    }
    return table_of({"QUEUE", "AVAILABLE", "EXECUTING", "SCHEDULED", "RETRYABLE", "DISCARDED",
                     "OLDEST MS", ""},
                    rows) +
           "\n";
}

std::string pools_of(const view& v) {
    std::vector<row> rows;
    for (const json& p : v.pools) {
        const std::string at = "/pools/" + pointed(p.at("name").get<std::string>());
        row r = cells(p, {"name", "workers", "busy", "idle", "breakers_open"});
        r.push_back(rate(v.samples, at + "/done"));
        r.push_back(rate(v.samples, at + "/failed"));
        for (const char* time : {"/wait_ms/p50", "/wait_ms/p99", "/run_ms/p50", "/run_ms/p99"})
            r.push_back(milliseconds(v.samples, at + time));
        r.push_back(text_of(p.at("restarts_total")));
        rows.push_back(std::move(r));
    }
    return table_of({"POOL", "WORKERS", "BUSY", "IDLE", "OPEN", "DONE/S", "FAILED/S", "WAIT P50",
                     "P99", "RUN P50", "P99", "RESTARTS"},
                    rows) +
           "\n";
}

/// Those that do something, or cannot, first.
std::string workers_of(const view& v) {
    std::vector<row> busy;
    std::vector<row> idle;
    for (const json& w : v.workers) {
        const bool up = w.at("alive").get<bool>();
        const std::string breaker = w.at("breaker");
        row r = cells(w, {"id", "breaker", "busy", "processed", "failed", "restarts"});
        r.insert(r.begin() + 1, up ? "up" : "down");
        const bool notable = !up || breaker != "closed" || w.at("busy") != 0;
        (notable ? busy : idle).push_back(std::move(r));
    }
    busy.insert(busy.end(), idle.begin(), idle.end());
    return table_of({"WORKER", "STATE", "BREAKER", "BUSY", "DONE", "FAILED", "RESTARTS"}, busy);
}

std::string text_of_view(const view& v, const std::string& url) {
    return head_of(v, url) + queues_of(v) + pools_of(v) + workers_of(v);
}

exit_status top(const top_options& o, const common& with) {
    client server(with.server);
    view now = look(server);
    if (with.as_json) {
        std::cout << json({{"queues", now.queues},
                           {"pools", now.pools},
                           {"workers", now.workers},
                           {"samples", now.samples}})
                         .dump()
                  << '\n';
        return exit_status::ok;
    }
    if (o.once || !on_terminal()) {
        std::cout << text_of_view(now, with.server.url);
        return exit_status::ok;
    }
    const terminal_screen screen;
    do {
        screen.show(text_of_view(now, with.server.url) + "\nq ends");
        if (!terminal_screen::wait(std::chrono::milliseconds(o.interval_ms)))
            break;
        now = look(server);
    } while (true);
    return exit_status::ok;
}

} // namespace

void add_top(CLI::App& program, const common& with, action& chosen) {
    auto o = std::make_shared<top_options>();
    CLI::App* command = program.add_subcommand(
        "top", "Show pools, workers, rates and latency, and go on; q ends it");
    command->add_flag("--once", o->once, "Only once, as text");
    command->add_option("--interval-ms", o->interval_ms, "How often")
        ->check(CLI::Range(100U, 60000U))
        ->capture_default_str();
    command->callback([o, &with, &chosen] { chosen = [o, &with] { return top(*o, with); }; });
}

} // namespace lifeguard::cli
