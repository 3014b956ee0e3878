// The engine is killed again and again at any moment, while clients do anything to its jobs.
#include "crash/accounting.hpp"
#include "crash/engine_process.hpp"
#include "store/file_fixture.hpp"
#include "support/seed.hpp"

#include <sys/wait.h>

#include <csignal>
#include <cstdlib>
#include <iostream>
#include <random>
#include <set>

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

BOOST_AUTO_TEST_SUITE(kill_load)

namespace {

std::size_t number_from(const char* variable, std::size_t usually) {
    const char* given = std::getenv(variable);
    return given == nullptr ? usually : std::stoul(given);
}

struct held_job {
    std::string id;
    std::uint32_t token = 0;
};

/// A client that asks for anything, with so many requests under way at once.
class client {
  public:
    client(engine_process& engine, std::mt19937& random) : engine_(engine), random_(random) {}

    void load_for(duration time) {
        const auto clock = real_time_source();
        const time_point end = clock->now() + time;
        while (clock->now() < end) {
            while (under_way_.size() < 16)
                ask_something();
            if (const auto said = engine_.next(std::max(end - clock->now(), duration::zero())))
                hear(*said);
            else if (engine_.is_silent())
                return; // nobody has killed it yet; its status will tell
        }
    }

    /// Takes and completes all there is.
    void drain() {
        for (;;) {
            json request;
            request["do"] = "take";
            request["max"] = 200;
            request["wait_ms"] = 20; // some are retried, or were snoozed
            const json answer = engine_.call(std::move(request));
            std::vector<std::uint64_t> asked;
            for (const json& t : answer.at("taken"))
                asked.push_back(engine_.ask(about("complete", t.at("id"), t.at("token"))));
            for (const std::uint64_t n : asked)
                if (const json done = engine_.answer(n); done.contains("error"))
                    BOOST_ERROR("draining: " << done);
            if (!asked.empty())
                continue;
            json counting;
            counting["do"] = "counts";
            const json counts = engine_.call(std::move(counting)).at("counts");
            if (counts.at("scheduled") == 0 && counts.at("retryable") == 0 &&
                counts.at("available") == 0 && counts.at("executing") == 0)
                return;
        }
    }

  private:
    std::size_t below(std::size_t n) {
        return std::uniform_int_distribution<std::size_t>(0, n - 1)(random_);
    }

    static json about(const char* what, const std::string& id, std::uint32_t token) {
        json j;
        j["do"] = what;
        j["id"] = id;
        j["token"] = token;
        return j;
    }

    json push() {
        json job;
        job["id"] = job_id(random_() | 1U, random_()).to_string();
        job["kind"] = "k";
        job["payload"] = std::string(below(500), 'x');
        job["priority"] = below(10);
        if (below(10) == 0)
            job["delay_ms"] = below(20);
        json request;
        request["do"] = "push";
        request["job"] = job;
        known_.push_back(job.at("id"));
        return request;
    }

    json take() {
        json request;
        request["do"] = "take";
        request["max"] = 1 + below(3);
        request["lease_ms"] = 600'000;
        return request;
    }

    json finish(const held_job& t) {
        constexpr std::array ways{"complete", "complete", "complete", "complete", "fail",
                                  "fail",     "release",  "snooze",   "discard",  "extend"};
        json request = about(ways.at(below(ways.size())), t.id, t.token);
        request["delay_ms"] = below(20);
        request["lease_ms"] = 600'000;
        return request;
    }

    void ask_something() {
        const std::size_t dice = below(100);
        json request;
        if (dice < 40) {
            request = push();
        } else if (dice < 62 || (held_.empty() && dice < 95)) {
            request = take();
        } else if (dice < 95) {
            const auto which = held_.begin() + static_cast<std::ptrdiff_t>(below(held_.size()));
            request = finish(*which);
            if (request.at("do") != "extend")
                held_.erase(which);
        } else if (!known_.empty()) {
            const auto which = known_.begin() + static_cast<std::ptrdiff_t>(below(known_.size()));
            request = about("remove", *which, 0);
            known_.erase(which); // that it executes, or was completed, is an answer too
        } else {
            return;
        }
        under_way_.insert(engine_.ask(std::move(request)));
    }

    void hear(const json& said) {
        under_way_.erase(said.at("n").get<std::uint64_t>());
        if (said.contains("taken"))
            for (const json& t : said.at("taken"))
                held_.push_back({t.at("id"), t.at("token")});
        if (said.contains("error") && said.at("error").get<std::string>().starts_with("store"))
            BOOST_ERROR("under load: " << said);
    }

    engine_process& engine_;
    std::mt19937& random_;
    std::set<std::uint64_t> under_way_;
    std::vector<held_job> held_;
    std::vector<std::string> known_;
};

json options_of(const std::string& path, bool power_loss) {
    json o;
    o["store"]["type"] = "sqlite";
    o["store"]["path"] = path;
    o["store"]["durability"] = power_loss ? "power_loss" : "process_crash";
    o["store"]["finished_max"] = 500; // or opening them takes all the time
    o["store"]["discarded_max"] = 100;
    o["store"]["max_process_crashes"] = 1000;
    o["queue"]["max_attempts"] = 1000;
    o["queue"]["retry"]["offset_ms"] = 0;
    o["queue"]["retry"]["base_ms"] = 1;
    o["queue"]["retry"]["cap_ms"] = 5;
    json pool;
    pool["name"] = "nobody";
    pool["size"] = 1;
    pool["queues"].push_back("empty");
    o["pools"].push_back(pool);
    return o;
}

} // namespace

BOOST_AUTO_TEST_CASE(CRASH_06_nothing_is_lost_or_completed_twice_in_200_kills) {
    const std::size_t cycles = number_from("LIFEGUARD_CRASH_CYCLES", 200);
    // The longer loads are for those who have the time: 10,000 cycles take an hour or two.
    const std::size_t load_min = number_from("LIFEGUARD_CRASH_LOAD_MS", 10);
    const unsigned seed = first_seed();
    BOOST_TEST_MESSAGE("LIFEGUARD_SEED=" << seed << ", " << cycles << " kills after " << load_min
                                         << " to " << 10 * load_min << " ms");
    std::mt19937 random(seed);
    const std::string path = new_database_file();
    answer_log log(path + ".log");
    accounting books;
    std::ifstream written(log.path());
    for (std::size_t cycle = 1; cycle <= cycles; ++cycle) {
        if (random() % 5 == 0) { // also while it is being opened
            engine_process early(options_of(path, true), &log);
            early.next(std::chrono::milliseconds(random() % 20));
            early.kill();
        }
        engine_process engine(options_of(path, random() % 2 == 0), &log, 1 + random() % 2);
        engine.wait_ready();
        client c(engine, random);
        c.drain();
        log.happened("drained");
        BOOST_TEST(shell(path).ask("PRAGMA quick_check") == "ok");
        if (cycle < cycles)
            c.load_for(std::chrono::milliseconds(load_min + random() % (9 * load_min + 1)));
        BOOST_TEST(WTERMSIG(engine.kill()) == SIGKILL); // it did not end by itself
        for (std::string line; std::getline(written, line);)
            books.read(line);
        written.clear();
        if (!books.faults().empty())
            break;
        if (cycles > 1000 && cycle % 100 == 0)
            std::cerr << cycle << " of " << cycles << " kills, " << books.so_far().acknowledged
                      << " jobs, " << books.so_far().duplicated << " delivered again\n";
        if (cycle % 500 == 0) {
            log.forget();
            written.seekg(0);
        }
    }
    for (const std::string& fault : books.faults())
        BOOST_ERROR("LIFEGUARD_SEED=" << seed << ": " << fault);
    const accounting::figures& f = books.so_far();
    BOOST_TEST(f.lost == 0u);
    BOOST_TEST(f.unexpected == 0u);
    BOOST_TEST(f.completed_twice == 0u);
    // Or it would show nothing.
    BOOST_TEST(f.crashes >= cycles);
    BOOST_TEST(f.acknowledged > cycles);
    BOOST_TEST(f.duplicated > 0u);
    if (cycles >= 100)
        BOOST_TEST(f.recovered > 0u);
    BOOST_TEST_MESSAGE(f.crashes << " kills, " << f.attempts << " pushes, " << f.acknowledged
                                 << " acknowledged, " << f.delivered << " jobs delivered, "
                                 << f.duplicated << " of them again after a kill, " << f.recovered
                                 << " though their push had no answer, " << f.completed
                                 << " completed");
}

BOOST_AUTO_TEST_SUITE_END()
