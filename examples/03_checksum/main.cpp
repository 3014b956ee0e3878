// The SHA-256 of every file in a directory, a job per file - while somebody kills the workers.

#include "campaign.hpp"
#include "checksum.hpp"
#include "verify.hpp"
#include <lifeguard/log.hpp>

#include <boost/asio/signal_set.hpp>

#include <iostream>
#include <stdexcept>
#include <thread>

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

/// Hundreds of workers are killed on purpose: their lines would hide all others.
class log_without_kills final : public lifeguard::log_sink {
  public:
    void write(const lifeguard::log_record& record) override {
        for (const lifeguard::log_field& field : record.fields)
            if (field.key == "reason" &&
                (field.value == "killed" || field.value.ends_with("was killed")))
                return;
        if (record.event != "worker_killed")
            out_->write(record);
    }

  private:
    const std::shared_ptr<lifeguard::log_sink> out_ =
        lifeguard::stderr_log(lifeguard::log_level::warning);
};

lifeguard::engine_options options_for(const settings& s) {
    lifeguard::engine_options options;
    // A file that cannot be read now is tried again soon: after 20 and 40 ms, more or less.
    options.queue.retry.offset = 0s;
    options.queue.retry.base = 20ms;

    lifeguard::worker_pool_options& files = options.pools.emplace_back();
    files.name = "files";
    files.size = s.workers;
    files.max_overflow = 0;
    files.process_timeout = 1h; // files may be large
    // An unreadable file says nothing about the next one: no reason to stop.
    files.breaker.threshold = 100'000;
    if (s.chaos) {
        std::cout << "chaos: up to 100000 restarts in 10 s are allowed now, instead of "
                  << files.intensity << std::endl;
        files.intensity = 100'000;
        options.log = std::make_shared<log_without_kills>();
    }
    return options;
}

asio::awaitable<void> work(campaign& c, lifeguard::engine& engine) {
    co_await c.run();
    std::cout << '\n' << co_await engine.tree() << '\n';
    co_await engine.stop();
}

/// Runs the campaign on `threads` threads. False: interrupted by a signal.
bool run(campaign& c, lifeguard::engine& engine, asio::io_context& io, unsigned threads) {
    bool interrupted = false;
    asio::signal_set signals(io, SIGINT, SIGTERM);
    signals.async_wait([&](boost::system::error_code cancelled, int) {
        if (!cancelled) {
            interrupted = true;
            io.stop();
        }
    });
    asio::co_spawn(io, engine.run(), lifeguard::rethrow);
    asio::co_spawn(io, work(c, engine), [&](std::exception_ptr e) {
        signals.cancel();
        lifeguard::rethrow(e);
    });
    std::vector<std::jthread> others;
    for (unsigned n = 1; n < threads; ++n)
        others.emplace_back([&] { io.run(); });
    io.run();
    others.clear();
    return !interrupted;
}

void alter_a_result(ledger& outcomes) {
    for (auto& [path, o] : outcomes) {
        if (o.ok) {
            o.sha256.front() = o.sha256.front() == '0' ? '1' : '0';
            return;
        }
    }
}

/// Holds the outcomes against the list of files. Answers the process's exit status.
int report(campaign& c, const settings& s) {
    const ledger& outcomes = c.outcomes();
    std::vector<std::string> complaints;

    std::size_t ok = 0;
    std::size_t failed = 0;
    std::size_t lost = 0;
    for (const std::string& path : c.files()) {
        const auto [first, last] = outcomes.equal_range(path);
        const auto jobs = std::distance(first, last);
        if (jobs == 1) {
            ++(first->second.ok ? ok : failed);
            if (!first->second.ok && failed <= 5)
                std::cout << "failed: " << path << ": " << first->second.why << '\n';
            continue;
        }
        ++lost;
        complaints.push_back("lost: " + path + " has " + std::to_string(jobs) + " finished jobs");
    }
    if (outcomes.size() + lost != c.files().size())
        complaints.push_back("there are " + std::to_string(outcomes.size()) + " finished jobs");

    const lifeguard::pool_status& pool = c.status();
    if (s.chaos) {
        std::cout << c.cut_off() << " of the " << pool.killed_total
                  << " kills came in the middle of a job, which was done again\n";
        if (pool.killed_total < s.kills || 2 * c.cut_off() < s.kills)
            complaints.push_back("that is too little chaos");
    }
    if (pool.restarts_total != pool.killed_total)
        complaints.push_back("not every worker that was killed has been restarted");

    if (s.verify) {
        const verification v = verify(c.files(), outcomes);
        std::cout << "sha256sum agrees on " << v.agreed << " of " << c.files().size() << " files";
        if (v.changed != 0)
            std::cout << "; " << v.changed << " have changed meanwhile";
        std::cout << '\n';
        for (const std::string& file : v.wrong)
            complaints.push_back("wrong: " + file);
    }

    std::cout << std::flush;
    for (const std::string& complaint : complaints)
        std::cerr << "FAILED: " << complaint << '\n';
    std::cout << "checksum: " << c.files().size() << " files, " << ok << " ok, " << failed
              << " failed, " << pool.killed_total << " workers killed, " << pool.restarts_total
              << " restarted, " << lost << " lost" << std::endl;
    return complaints.empty() ? 0 : 1;
}

int checksum_directory(const settings& s) {
    file_list list = list_files(s.directory);
    std::cout << s.directory << ": " << list.paths.size() << " files, " << list.bytes / 1'000'000
              << " MB" << std::endl;
    seeded_tree own(s.seed);
    if (list.paths.size() < s.files_min || list.bytes < s.bytes_min) {
        own.grow(s.files_min - std::min(s.files_min, list.paths.size()),
                 s.bytes_min - std::min(s.bytes_min, list.bytes));
        const file_list added = list_files(own.path());
        list.paths.insert(list.paths.end(), added.paths.begin(), added.paths.end());
        std::cout << own.path().string() << ": " << added.paths.size() << " files, "
                  << added.bytes / 1'000'000 << " MB more, made for this run (seed " << s.seed
                  << "); one of them is removed again, to see a job fail" << std::endl;
        std::filesystem::remove(own.path() / vanishing_file);
    }

    asio::io_context io(static_cast<int>(s.threads));
    lifeguard::engine engine(io.get_executor(), options_for(s));
    engine.handle("checksum", checksum);
    campaign c(engine.pool("files"), s, std::move(list.paths), own);
    if (!run(c, engine, io, s.threads)) {
        std::cerr << "interrupted\n";
        return 130;
    }
    if (s.injected == fault::wrong_hash)
        alter_a_result(c.outcomes());
    return report(c, s);
}

} // namespace

int main(int argc, char** argv) {
    settings s;
    try {
        s = parse_arguments(argc, argv);
    } catch (const std::invalid_argument& e) {
        std::cerr << "03_checksum: " << e.what() << '\n' << usage;
        return 2;
    }
    try {
        return checksum_directory(s);
    } catch (const std::exception& e) {
        std::cerr << "03_checksum: " << e.what() << '\n';
        return 1;
    }
}
