// What does supervision cost, against Asio alone? See docs/benchmarks.md.
//
//   supervisor_restart [--json] [--quick]

#include "support/idle.hpp"
#include "support/process.hpp"
#include "support/report.hpp"
#include <lifeguard/json.hpp>
#include <lifeguard/supervisor.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/strand.hpp>

#include <chrono>
#include <limits>
#include <stdexcept>

namespace {

using namespace bench;
using clock_type = std::chrono::steady_clock;

double seconds_since(clock_type::time_point start) {
    return std::chrono::duration<double>(clock_type::now() - start).count();
}

lifeguard::supervisor_options unlimited() {
    lifeguard::supervisor_options options;
    options.intensity = std::numeric_limits<int>::max();
    options.period = std::chrono::milliseconds(1);
    return options;
}

void rethrow(const std::exception_ptr& e) {
    if (e)
        std::rethrow_exception(e);
}

// --- a child that ends at once, again and again

enum class ends { crash, normal };

asio::awaitable<void> short_life(ends how) {
    if (how == ends::crash)
        throw std::runtime_error("boom");
    co_return;
}

/// Asio alone: the completion handler spawns the coroutine again. Nanoseconds per life.
double floor_lives(ends how, int lives) {
    asio::io_context io(1);
    const auto strand = asio::make_strand(io);
    int left = lives;
    std::function<void()> spawn = [&] {
        asio::co_spawn(strand, short_life(how), [&](const std::exception_ptr&) {
            if (--left > 0)
                spawn();
        });
    };
    const auto start = clock_type::now();
    spawn();
    io.run();
    return seconds_since(start) * 1e9 / lives;
}

/// The same under a supervisor, beside `siblings` idle children.
double supervised_lives(ends how, int lives, int siblings) {
    asio::io_context io(1);
    idlers idle;
    int left = lives;
    clock_type::time_point start;
    double seconds = 0;
    std::vector<lifeguard::child_spec> children;
    for (int i = 0; i < siblings; ++i)
        children.emplace_back("sibling-" + std::to_string(i), [&] { return idle.wait(); });
    std::optional<lifeguard::supervisor> top;
    children.emplace_back("mayfly", [&]() -> asio::awaitable<void> {
        if (left == lives)
            start = clock_type::now();
        if (--left > 0)
            return short_life(how);
        seconds = seconds_since(start);
        top->request_stop();
        return idle.wait();
    });
    top.emplace(io.get_executor(), unlimited(), std::move(children));
    asio::co_spawn(io, top->run(), rethrow);
    io.run();
    return seconds * 1e9 / lives;
}

double median_ratio(const std::function<double()>& floor, const std::function<double()>& subject,
                    double& subject_ns) {
    std::vector<double> ratios;
    std::vector<double> ns;
    for (int i = 0; i < 9; ++i) {
        const double f = floor();
        ns.push_back(subject());
        ratios.push_back(ns.back() / f);
    }
    subject_ns = median(ns);
    return median(ratios);
}

// --- many idle children

double raw_starts(int n) {
    idlers idle;
    std::vector<asio::cancellation_signal> signals(static_cast<std::size_t>(n));
    asio::io_context io(1);
    const auto start = clock_type::now();
    for (asio::cancellation_signal& signal : signals)
        asio::co_spawn(io, idle.wait(), asio::bind_cancellation_slot(signal.slot(), rethrow));
    io.poll();
    return seconds_since(start);
}

struct many {
    double start_seconds = 0;
    double bytes_per_child = 0;
    double stop_p99_us = 0;
    std::uint64_t abandoned = 0;
    std::size_t started = 0;
};

/// Dynamic children of one template: what a server would have, one for each session.
many supervised_starts(int n) {
    many m;
    asio::io_context io(1);
    idlers idle;
    lifeguard::supervisor_options options = unlimited();
    options.strategy = lifeguard::strategy::simple_one_for_one;
    std::vector<lifeguard::child_spec> children;
    children.emplace_back("session", [&](const std::any&) { return idle.wait(); });
    lifeguard::supervisor top(io.get_executor(), options, std::move(children));
    asio::co_spawn(io, top.run(), rethrow);
    io.poll();
    const double before = rss_bytes();
    const auto start = clock_type::now();
    const auto starting = [&]() -> asio::awaitable<void> {
        for (int i = 0; i < n; ++i)
            co_await top.start_child(std::any());
    };
    asio::co_spawn(top.executor(), starting, rethrow);
    io.restart();
    io.poll();
    m.start_seconds = seconds_since(start);
    m.bytes_per_child = (rss_bytes() - before) / n;
    const auto counting = [&]() -> asio::awaitable<void> {
        m.started = (co_await top.count_children()).active;
    };
    asio::co_spawn(io, counting, rethrow);
    io.restart();
    io.poll();
    top.request_stop();
    io.restart();
    io.run();
    m.stop_p99_us =
        std::chrono::duration<double, std::micro>(top.figures().stop_latency_p99).count();
    m.abandoned = top.figures().abandoned_live;
    return m;
}

// --- children by number: no table of them is searched from end to end

struct number_times {
    double start = 0;
    double terminate = 0;
};

/// SUP-60: seconds to terminate n dynamic temporary children, one after the other.
double terminate_dynamic(int n) {
    asio::io_context io(1);
    idlers idle;
    lifeguard::supervisor_options options = unlimited();
    options.strategy = lifeguard::strategy::simple_one_for_one;
    std::vector<lifeguard::child_spec> children;
    children.emplace_back("session", [&](const std::any&) { return idle.wait(); });
    children.front().restart = lifeguard::restart_type::temporary;
    lifeguard::supervisor top(io.get_executor(), options, std::move(children));
    double seconds = 0;
    const auto all = [&]() -> asio::awaitable<void> {
        std::vector<std::string> ids;
        for (int i = 0; i < n; ++i) {
            const lifeguard::started_child started = co_await top.start_child(std::any());
            ids.push_back(started.id);
        }
        const auto start = clock_type::now();
        for (const std::string& id : ids)
            co_await top.terminate_child(id);
        seconds = seconds_since(start);
        co_await top.stop();
    };
    asio::co_spawn(top.executor(), top.run(), rethrow);
    asio::co_spawn(top.executor(), all, rethrow);
    io.run();
    return seconds;
}

/// SUP-61: the same of n children of one_for_one, with what their start takes.
number_times start_and_terminate(int n) {
    asio::io_context io(1);
    idlers idle;
    lifeguard::supervisor top(io.get_executor(), unlimited());
    number_times times;
    const auto all = [&]() -> asio::awaitable<void> {
        auto start = clock_type::now();
        for (int i = 0; i < n; ++i) {
            lifeguard::child_spec spec(std::to_string(i), [&] { return idle.wait(); });
            co_await top.start_child(std::move(spec));
        }
        times.start = seconds_since(start);
        start = clock_type::now();
        for (int i = 0; i < n; ++i)
            co_await top.terminate_child(std::to_string(i));
        times.terminate = seconds_since(start);
        co_await top.stop();
    };
    asio::co_spawn(top.executor(), top.run(), rethrow);
    asio::co_spawn(top.executor(), all, rethrow);
    io.run();
    return times;
}

/// How much more many cost than few, as a multiple; medians of three runs.
void report_numbers(report& r) {
    const int many = r.quick() ? 10'000 : 100'000;
    std::vector<double> dynamic;
    std::vector<double> start;
    std::vector<double> terminate;
    for (int i = 0; i < 3; ++i) {
        dynamic.push_back(terminate_dynamic(10'000) / terminate_dynamic(1'000));
        const number_times few = start_and_terminate(1'000);
        const number_times all = start_and_terminate(many);
        start.push_back(all.start / few.start * 1'000 / many);
        terminate.push_back(all.terminate / few.terminate * 1'000 / many);
    }
    r.figure("terminate_dynamic_ratio", median(dynamic),
             "terminating 10,000 dynamic children / 1,000 (SUP-60, must: 20)");
    r.figure("start_many_ratio", median(start),
             "starting a child among many / among 1,000 (SUP-61, must: 10)");
    r.figure("terminate_many_ratio", median(terminate),
             "terminating a child among many / among 1,000 (SUP-61, must: 10)");
}

// --- restarts, for a while

struct sustained {
    double per_second = 0;
    double slowest_tenth = 0; ///< of the time, in restarts per second
    double p50_us = 0;
    double p99_us = 0;
};

sustained sustained_restarts(double seconds) {
    asio::io_context io(1);
    idlers idle;
    std::vector<double> lives_us;
    std::vector<std::uint64_t> tenths(10);
    std::uint64_t lives = 0;
    const auto start = clock_type::now();
    auto last = start;
    std::optional<lifeguard::supervisor> top;
    std::vector<lifeguard::child_spec> children;
    children.emplace_back("mayfly", [&]() -> asio::awaitable<void> {
        const auto now = clock_type::now();
        const double at = std::chrono::duration<double>(now - start).count();
        if (at >= seconds) {
            top->request_stop();
            return idle.wait();
        }
        ++tenths[static_cast<std::size_t>(at / seconds * 10)];
        if (++lives % 16 == 0) // as much as fits in memory
            lives_us.push_back(std::chrono::duration<double, std::micro>(now - last).count());
        last = now;
        return short_life(ends::crash);
    });
    top.emplace(io.get_executor(), unlimited(), std::move(children));
    asio::co_spawn(io, top->run(), rethrow);
    io.run();
    std::sort(lives_us.begin(), lives_us.end());
    const auto percentile = [&](double p) {
        return lives_us[static_cast<std::size_t>(p * static_cast<double>(lives_us.size() - 1))];
    };
    return {static_cast<double>(lives) / seconds,
            static_cast<double>(*std::min_element(tenths.begin(), tenths.end())) * 10 / seconds,
            percentile(0.5), percentile(0.99)};
}

} // namespace

int main(int argc, char** argv) {
    report r("supervisor_restart", argc, argv);
    have_had_threads();
    const int lives = r.quick() ? 5'000 : 100'000;
    const int children = r.quick() ? 10'000 : 1'000'000;
    const double seconds = r.quick() ? 1 : 10;
    r.config("lives", lives);
    r.config("children", children);
    r.config("seconds", seconds);
    r.config("pairs", 9);
    r.print_config();

    many all;
    std::vector<double> starts;
    for (int i = 0; i < 3; ++i) {
        const double floor = in_fresh_process([&] { return raw_starts(children); });
        all = in_fresh_process([&] { return supervised_starts(children); });
        starts.push_back(all.start_seconds / floor);
    }
    r.figure("bytes_per_child", all.bytes_per_child,
             "resident, of an idle child, its coroutine included (must: 1450)");
    r.figure("start_ratio", median(starts), "start_child / co_spawn, idle children (must: 2.5)");
    r.figure("stop_p99_us", all.stop_p99_us, "from the request to the end, all at once");
    r.figure("abandoned_live", static_cast<double>(all.abandoned), "must be 0");

    double crash_ns = 0;
    double return_ns = 0;
    const double crash_ratio =
        median_ratio([&] { return floor_lives(ends::crash, lives); },
                     [&] { return supervised_lives(ends::crash, lives, 0); }, crash_ns);
    const double return_ratio =
        median_ratio([&] { return floor_lives(ends::normal, lives); },
                     [&] { return supervised_lives(ends::normal, lives, 0); }, return_ns);
    double siblings_ns = 0;
    const double siblings_ratio =
        median_ratio([&] { return supervised_lives(ends::crash, lives, 10); },
                     [&] { return supervised_lives(ends::crash, lives, 10'000); }, siblings_ns);
    r.figure("crash_ns", crash_ns, "from a crash to running again");
    r.figure("crash_ratio", crash_ratio, "the same / co_spawn, throw, co_spawn (must: 2.0)");
    r.figure("return_ns", return_ns, "from a normal end to running again");
    r.figure("return_ratio", return_ratio, "the same / co_spawn, return, co_spawn (must: 2.0)");
    r.figure("siblings_ratio", siblings_ratio, "10,000 siblings / 10 (must: 1.25)");

    report_numbers(r);

    const sustained s = sustained_restarts(seconds);
    r.figure("restarts_per_second", s.per_second, "sustained (must: 100,000)");
    r.figure("restarts_per_second_min", s.slowest_tenth, "in the slowest tenth of the time");
    r.figure("restart_p50_us", s.p50_us, "");
    r.figure("restart_p99_us", s.p99_us, "");
    r.check(all.abandoned == 0, "every child ended when it was asked to");
    r.check(all.started == static_cast<std::size_t>(children), "every child was started");
    return r.finish();
}
