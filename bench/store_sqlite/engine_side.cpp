#include "store_sqlite/engine_side.hpp"

#include "store_sqlite/raw_side.hpp"
#include "support/report.hpp"
#include <lifeguard/engine.hpp>
#include <lifeguard/job_queue.hpp>
#include <lifeguard/json.hpp>
#include <lifeguard/sqlite_store.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>

namespace bench {
namespace {

namespace asio = boost::asio;
using clock_type = std::chrono::steady_clock;

lifeguard::engine_options stored_in(const std::string& path) {
    lifeguard::engine_options o;
    lifeguard::sqlite_store_options s;
    s.path = path;
    o.make_store = [s] { return lifeguard::sqlite_store(s); };
    return o;
}

lifeguard::new_job a_job() { return lifeguard::new_job::from_text("job", std::string(payload)); }

/// An engine that only keeps jobs: its pools are not run.
struct stored {
    explicit stored(const std::string& path) : io(1), engine(io.get_executor(), stored_in(path)) {}

    asio::io_context io;
    lifeguard::engine engine;
    lifeguard::job_queue queue = engine.queue();

    /// Runs `jobs` steps of coroutines that follow each other, `in_flight` at a time. Seconds.
    template <typename Step>
    double run(int jobs, int in_flight, Step step) {
        const auto loop = [&](int n) -> asio::awaitable<void> {
            for (int i = 0; i < n; ++i)
                co_await step();
        };
        for (int i = 0; i < in_flight; ++i)
            asio::co_spawn(io, loop(jobs / in_flight), lifeguard::rethrow);
        const auto start = clock_type::now();
        io.restart();
        io.run();
        return std::chrono::duration<double>(clock_type::now() - start).count();
    }

    double push(int jobs, int in_flight) {
        return run(jobs, in_flight,
                   [this]() -> asio::awaitable<void> { co_await queue.push(a_job()); });
    }
    double live(int jobs, int in_flight) {
        return run(jobs, in_flight, [this]() -> asio::awaitable<void> {
            co_await queue.push(a_job());
            const lifeguard::take_options one;
            const auto taken = co_await queue.take(one);
            co_await queue.complete(taken.front().id, taken.front().token, lifeguard::json(1));
        });
    }
};

double rss_bytes() {
    std::ifstream statm("/proc/self/statm");
    double size = 0;
    double resident = 0;
    statm >> size >> resident;
    return resident * static_cast<double>(sysconf(_SC_PAGESIZE));
}

} // namespace

double pushes(const std::string& path, int jobs, int in_flight, group_figures* groups) {
    stored s(path);
    const double seconds = s.push(jobs, in_flight);
    if (groups != nullptr) {
        groups->groups = s.engine.metrics_value("lifeguard_store_groups_total").value_or(0);
        groups->changes = s.engine.metrics_value("lifeguard_store_changes_total").value_or(0);
    }
    return jobs / seconds;
}

double lives(const std::string& path, int jobs, int in_flight) {
    stored s(path);
    return jobs / s.live(jobs, in_flight);
}

latencies push_latencies(const std::string& path, double per_second, int seconds) {
    stored s(path);
    std::vector<double> ms;
    const int total = static_cast<int>(per_second * seconds);
    ms.reserve(static_cast<std::size_t>(total));
    const auto one = [&](clock_type::time_point due) -> asio::awaitable<void> {
        co_await s.queue.push(a_job());
        ms.push_back(std::chrono::duration<double, std::milli>(clock_type::now() - due).count());
    };
    const auto start = clock_type::now();
    const auto generate = [&]() -> asio::awaitable<void> {
        asio::steady_timer timer(s.io);
        for (int sent = 0; sent < total;) {
            const auto now = clock_type::now();
            for (; sent < total; ++sent) {
                const auto due = start + std::chrono::duration_cast<clock_type::duration>(
                                             std::chrono::duration<double>(sent / per_second));
                if (due > now)
                    break;
                asio::co_spawn(s.io, one(due), lifeguard::rethrow);
            }
            timer.expires_after(std::chrono::microseconds(100));
            co_await timer.async_wait(asio::use_awaitable);
        }
    };
    asio::co_spawn(s.io, generate(), lifeguard::rethrow);
    s.io.run();
    std::sort(ms.begin(), ms.end());
    return {ms[ms.size() / 2], ms[ms.size() * 99 / 100]};
}

deep_figures deep_queue(const std::string& path, int queued, int measured_lives) {
    deep_figures f;
    const int lives = measured_lives / group * group;
    stored shallow(path + "-shallow");
    shallow.push(1024, group);
    std::vector<double> ratios;
    const std::string killed = path + "-killed";
    {
        const double before = rss_bytes();
        stored deep(path);
        deep.push(queued / group * group, group);
        deep.push(queued % group, 1);
        f.bytes_per_job = (rss_bytes() - before) / queued - static_cast<double>(payload.size());
        for (int i = 0; i < 5; ++i) {
            const double at_first = shallow.live(lives, group);
            ratios.push_back(deep.live(lives, group) / at_first);
        }
        f.depth_ratio = median(ratios);
        // What kill -9 would leave.
        for (const char* part : {"", "-wal", "-ledger"})
            std::filesystem::copy_file(path + part, killed + part);
    }
    const auto start = clock_type::now();
    const stored again(killed);
    f.startup_s = std::chrono::duration<double>(clock_type::now() - start).count();
    f.loaded = again.queue.counts("default").available;
    return f;
}

growth_figures steady_file(const std::string& path, int jobs) {
    stored s(path);
    const int whole = jobs / group * group;
    const auto size = [&] {
        return static_cast<double>(std::filesystem::file_size(path)) +
               static_cast<double>(std::filesystem::file_size(path + "-wal"));
    };
    s.live(whole, group);
    const double once = size();
    s.live(whole, group);
    return {size() / once};
}

} // namespace bench
