// The classic: jobs that double a number, on a pool whose workers do three at a time at most.
// Watch the column "at work", and how the workers share the jobs.

#include "common/claims.hpp"
#include "common/pause.hpp"
#include <lifeguard/lifeguard.hpp>
#include <lifeguard/log.hpp>

#include <algorithm>
#include <iomanip>
#include <map>
#include <string_view>
#include <vector>

namespace asio = boost::asio;
using namespace std::chrono_literals;
using clock_type = std::chrono::steady_clock;

namespace {

constexpr unsigned cap = 3;
constexpr int numbers = 24;
constexpr auto cost = 80ms; // of doubling a number

constexpr std::string_view usage =
    "usage: 06_doubler_pool [--fault no-cap]\n"
    "  --fault no-cap   every worker does four jobs side by side, to see the cap missed\n";

std::int64_t in_ms(clock_type::duration time) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(time).count();
}

/// Doubles numbers, and counts how many it doubles at the same time.
class doubler {
  public:
    asio::awaitable<int> run(int n, std::string worker) {
        most_at_once_ = std::max(most_at_once_, ++at_work_);
        co_await pause_for(cost);
        std::cout << std::setw(6) << in_ms(clock_type::now() - start_) << " ms   " << worker
                  << "   2 * " << std::setw(2) << n << " = " << std::setw(2) << 2 * n << "   "
                  << std::string(at_work_, '#') << ' ' << at_work_ << " at work" << std::endl;
        --at_work_;
        done_by_[worker].push_back(n);
        co_return 2 * n;
    }

    unsigned most_at_once() const { return most_at_once_; }
    const std::map<std::string, std::vector<int>>& done_by() const { return done_by_; }

  private:
    const clock_type::time_point start_ = clock_type::now();
    unsigned at_work_ = 0; // all on one thread: no need of atomics
    unsigned most_at_once_ = 0;
    std::map<std::string, std::vector<int>> done_by_;
};

lifeguard::engine_options make_options(bool capped) {
    lifeguard::engine_options options;
    lifeguard::worker_pool_options& pool = options.pools.emplace_back();
    pool.name = "doublers";
    // At most so many jobs at once: (size + max_overflow) * concurrency.
    pool.size = cap;
    pool.max_overflow = 0;
    pool.concurrency = capped ? 1 : 4;
    pool.pull_size = 1; // none has two while another one has none
    // What became of a job is told to who asks for its result.
    options.log = lifeguard::stderr_log(lifeguard::log_level::error);
    return options;
}

/// What a job came to, of which nothing good is expected.
asio::awaitable<std::string> error_of(lifeguard::worker_pool pool, lifeguard::new_job job) {
    try {
        co_await pool.execute(std::move(job));
    } catch (const std::exception& e) {
        co_return e.what();
    }
    co_return "";
}

asio::awaitable<void> double_all(lifeguard::engine& engine, const doubler& d, claims& account) {
    lifeguard::worker_pool jobs = engine.pool("doublers");
    const auto start = clock_type::now();

    std::vector<lifeguard::job_id> ids;
    for (int n = 1; n <= numbers; ++n)
        ids.push_back(co_await jobs.submit(lifeguard::new_job("double", n)));
    int right = 0;
    for (int n = 1; n <= numbers; ++n) {
        const lifeguard::json twice = co_await jobs.result(ids[static_cast<std::size_t>(n - 1)]);
        right += twice == 2 * n ? 1 : 0;
    }
    const auto took = clock_type::now() - start;
    const std::string not_a_number = co_await error_of(jobs, lifeguard::new_job("double", "six"));
    const lifeguard::json answer = co_await jobs.execute(lifeguard::new_job("double", 21));
    co_await engine.stop();
    const std::string too_late = co_await error_of(jobs, lifeguard::new_job("double", 21));

    std::cout << '\n';
    for (const auto& [worker, done] : d.done_by()) {
        std::cout << worker << ':';
        for (const int n : done)
            std::cout << ' ' << n;
        std::cout << '\n';
    }
    std::cout << "\"six\": " << not_a_number << "\nafter the stop: " << too_late << "\n\n";

    const auto at_least = numbers / static_cast<int>(cap) * cost;
    account.check(right == numbers,
                  std::to_string(right) + " of " + std::to_string(numbers) + " results are right");
    account.check(d.most_at_once() == cap, std::to_string(d.most_at_once()) +
                                               " jobs at once at most, where the cap is " +
                                               std::to_string(cap));
    account.check(took >= at_least, "they took " + std::to_string(in_ms(took)) + " ms; " +
                                        std::to_string(in_ms(at_least)) +
                                        " at least, three at a time");
    account.check(!not_a_number.empty() && answer == 42,
                  "a job without a number harmed itself only: the next one made 42 of 21");
    account.check(!too_late.empty(), "a pool that has been stopped refuses, and lets nobody hang");
}

int run(bool capped) {
    asio::io_context io(1);
    lifeguard::engine engine(io.get_executor(), make_options(capped));
    doubler d;
    engine.handle<int>("double", [&d](int& n, lifeguard::job_context& job) {
        return d.run(n, std::string(job.worker()));
    });
    claims account;
    asio::co_spawn(io, engine.run(), lifeguard::rethrow);
    asio::co_spawn(io, double_all(engine, d, account), lifeguard::rethrow);
    io.run();
    return account.conclude("06_doubler_pool");
}

} // namespace

int main(int argc, char** argv) {
    const std::vector<std::string_view> arguments(argv + 1, argv + argc);
    if (arguments == std::vector<std::string_view>{"--help"}) {
        std::cout << usage;
        return 0;
    }
    const bool capped = arguments != std::vector<std::string_view>{"--fault", "no-cap"};
    if (capped && !arguments.empty()) {
        std::cerr << usage;
        return 2;
    }
    try {
        return run(capped);
    } catch (const std::exception& e) {
        std::cerr << "06_doubler_pool: " << e.what() << '\n';
        return 1;
    }
}
