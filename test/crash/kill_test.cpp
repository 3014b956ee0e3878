// What is left when an engine in a process of its own is killed, stopped, or crashes.
#include "crash/accounting.hpp"
#include "crash/engine_process.hpp"
#include "store/file_fixture.hpp"

#include <sys/wait.h>

#include <csignal>
#include <map>

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

BOOST_AUTO_TEST_SUITE(kill_processes)

namespace {

/// An engine over a file. Its pool takes from the queue "work", clients from "default".
json options_of(const std::string& path, const char* pool_queue = "work") {
    json o;
    o["store"]["type"] = "sqlite";
    o["store"]["path"] = path;
    o["queue"]["retry"]["offset_ms"] = 0;
    o["queue"]["retry"]["base_ms"] = 1;
    json pool;
    pool["name"] = "workers";
    pool["size"] = 4;
    pool["queues"].push_back(pool_queue);
    o["pools"].push_back(pool);
    return o;
}

struct started : engine_process {
    explicit started(const json& options, answer_log* log = nullptr)
        : engine_process(options, log) {
        wait_ready();
    }
};

json push_request(json job) {
    json r;
    r["do"] = "push";
    r["job"] = std::move(job);
    return r;
}

json job_of(const char* kind, const char* queue = "default") {
    json job;
    job["kind"] = kind;
    job["queue"] = queue;
    job["payload"] = nullptr;
    return job;
}

std::string push(engine_process& e, json job) {
    const json answer = e.call(push_request(std::move(job)));
    BOOST_TEST_REQUIRE(answer.contains("id"), answer);
    return answer.at("id");
}

json take(engine_process& e, int max, int wait_ms = 0, int lease_ms = 0) {
    json r;
    r["do"] = "take";
    r["max"] = max;
    r["wait_ms"] = wait_ms;
    r["lease_ms"] = lease_ms;
    return e.call(std::move(r)).at("taken");
}

/// "" or the error's name.
std::string tell(engine_process& e, const char* what, const json& job, json more = json()) {
    more["do"] = what;
    more["id"] = job.at("id");
    more["token"] = job.value("token", 0);
    return e.call(std::move(more)).value("error", "");
}

json find(engine_process& e, const std::string& id) {
    json r;
    r["do"] = "find";
    r["id"] = id;
    return e.call(std::move(r)).value("job", json());
}

json counts(engine_process& e, const char* queue) {
    json r;
    r["do"] = "counts";
    r["queue"] = queue;
    return e.call(std::move(r)).at("counts");
}

} // namespace

BOOST_AUTO_TEST_CASE(CRASH_01_a_new_file_outlives_a_kill) {
    const std::string path = new_database_file();
    started(options_of(path)).kill();
    started e(options_of(path));
    const std::string id = push(e, job_of("k"));
    BOOST_TEST(take(e, 1).at(0).at("id") == id);
}

BOOST_AUTO_TEST_CASE(CRASH_02_a_job_that_was_answered_outlives_a_kill_and_can_be_removed) {
    const std::string path = new_database_file();
    json job;
    {
        started e(options_of(path));
        job["id"] = push(e, job_of("k"));
        e.kill();
    }
    started e(options_of(path));
    BOOST_TEST(find(e, job.at("id")).at("state") == "available");
    BOOST_TEST(tell(e, "remove", job) == "");
    BOOST_TEST(find(e, job.at("id")).is_null());
}

BOOST_AUTO_TEST_CASE(CRASH_03_a_snoozed_job_comes_back_and_a_completed_one_does_not) {
    const std::string path = new_database_file();
    json first;
    {
        started e(options_of(path));
        json job = job_of("k");
        job["priority"] = 2;
        push(e, job);
        first = take(e, 1).at(0);
        push(e, job_of("k"));
        json later;
        later["delay_ms"] = 1000;
        BOOST_TEST(tell(e, "snooze", first, later) == "");
        const json second = take(e, 1).at(0);
        BOOST_TEST(tell(e, "complete", second) == "");
        e.kill();
    }
    started e(options_of(path));
    const json again = take(e, 2, 10'000); // waits until it is due
    BOOST_TEST_REQUIRE(again.size() == 1u);
    BOOST_TEST(again[0].at("id") == first.at("id"));
    BOOST_TEST(again[0].at("priority") == 2);
    BOOST_TEST(counts(e, "default").at("completed") == 1);
}

BOOST_AUTO_TEST_CASE(CRASH_04_every_state_outlives_a_kill_unchanged) {
    const std::string path = new_database_file();
    std::map<std::string, json> before;
    {
        json slow = options_of(path);
        slow["queue"]["retry"]["base_ms"] = 600'000;
        started e(slow);
        for (const char* what : {"complete", "fail", "discard", "snooze", "release"}) {
            push(e, job_of(what));
            json later;
            later["delay_ms"] = 600'000;
            BOOST_TEST(tell(e, what, take(e, 1).at(0), later) == "");
            if (std::string_view(what) == "release")
                before[take(e, 1).at(0).at("id")]; // and is taken when the kill comes
        }
        json job = job_of("scheduled");
        job["delay_ms"] = 600'000;
        before[push(e, job)];
        before[push(e, job_of("available"))];
        const std::string ids = shell(path).ask("SELECT group_concat(id) FROM all_jobs");
        for (std::size_t at = 0; at < ids.size(); at += 33) {
            std::string id = ids.substr(at, 32);
            for (const std::size_t dash : {8U, 13U, 18U, 23U})
                id.insert(dash, "-");
            before[id] = find(e, id);
        }
        BOOST_TEST_REQUIRE(before.size() == 7u);
        e.kill();
    }
    started e(options_of(path));
    for (auto& [id, job] : before) {
        if (job.at("state") == "executing") { // the only one that the kill changes
            job["state"] = "available";
            job["errors"].push_back("the process ended while it executed the job");
        }
        json after = find(e, id);
        if (after.at("state") == "available") // when it is due does not matter any more
            after["run_at"] = job["run_at"];
        BOOST_TEST(after == job);
    }
}

BOOST_AUTO_TEST_CASE(CRASH_05_after_a_kill_leased_jobs_are_there_and_old_tokens_are_void) {
    const std::string path = new_database_file();
    json before;
    {
        started e(options_of(path));
        for (int i = 0; i < 4; ++i)
            push(e, job_of("k"));
        before = take(e, 4, 0, 600'000);
        BOOST_TEST_REQUIRE(before.size() == 4u);
        e.kill();
    }
    started e(options_of(path));
    const auto clock = real_time_source();
    const time_point ready = clock->now();
    const json after = take(e, 4);
    BOOST_TEST((clock->now() - ready < 1s));
    BOOST_TEST_REQUIRE(after.size() == 4u);
    for (std::size_t i = 0; i < 4; ++i) {
        BOOST_TEST(after[i].at("id") == before[i].at("id"));
        BOOST_TEST(after[i].at("token") == 2);
        BOOST_TEST(tell(e, "complete", before[i]) == "lease_lost");
        BOOST_TEST(tell(e, "complete", after[i]) == "");
    }
}

BOOST_AUTO_TEST_CASE(CRASH_12_a_stop_in_good_order_delivers_nothing_twice_and_loses_nothing) {
    const std::string path = new_database_file();
    answer_log log(path + ".log");
    std::vector<std::string> acknowledged;
    std::map<std::string, int> ran;
    const auto hear = [&](const json& said) {
        if (said.contains("ran"))
            ++ran[said.at("ran")];
        else if (said.contains("id"))
            acknowledged.push_back(said.at("id"));
    };
    {
        started e(options_of(path), &log);
        bool told = false;
        for (unsigned i = 0; !e.is_silent();) {
            for (; !told && i < ran.size() + 200; ++i) {
                json job = job_of("work", "work");
                job["payload"] = i % 5; // milliseconds
                e.ask(push_request(job));
            }
            const auto said = e.next(10s);
            BOOST_TEST_REQUIRE((said || e.is_silent()),
                               "nothing is said any more; told to stop: "
                                   << told << ", pushed " << i << ", acknowledged "
                                   << acknowledged.size() << ", ran " << ran.size());
            if (said)
                hear(*said);
            if (!told && ran.size() >= 100) {
                e.signal(SIGTERM);
                told = true;
            }
        }
        const int status = e.wait_end();
        BOOST_TEST_REQUIRE(WIFEXITED(status));
        BOOST_TEST(WEXITSTATUS(status) == 0);
    }
    {
        started e(options_of(path, "nobody"), &log); // nobody takes them yet
        const json c = counts(e, "work");
        BOOST_TEST(c.at("executing") == 0);
        BOOST_TEST(c.at("available").get<std::size_t>() + ran.size() >= acknowledged.size());
        for (const std::string& id : acknowledged) {
            const json job = find(e, id);
            BOOST_TEST_REQUIRE(!job.is_null(), "lost: " << id);
            BOOST_TEST(job.at("state") == (ran.contains(id) ? "completed" : "available"));
            BOOST_TEST(job.at("attempt") == (ran.contains(id) ? 1 : 0)); // the rest: uncharged
            BOOST_TEST(job.at("errors").empty());
        }
        e.signal(SIGTERM);
        BOOST_TEST(e.wait_end() == 0);
    }
    started e(options_of(path), &log);
    const auto clock = real_time_source();
    const time_point end = clock->now() + 60s;
    while (counts(e, "work").at("completed") < acknowledged.size() && clock->now() < end)
        if (const auto said = e.next(20ms))
            hear(*said);
    while (const auto said = e.next(0s))
        hear(*said);
    for (const std::string& id : acknowledged)
        BOOST_TEST(ran[id] == 1);
}

BOOST_AUTO_TEST_CASE(CRASH_16_a_second_engine_is_refused_and_starts_at_once_after_a_kill) {
    const std::string path = new_database_file();
    started first(options_of(path));
    const std::string id = push(first, job_of("k"));
    {
        engine_process second(options_of(path));
        const auto said = second.next(60s);
        BOOST_TEST_REQUIRE(said.has_value());
        BOOST_TEST(said->at("error") == "store_owned");
        const std::string owner = "process " + std::to_string(first.pid());
        BOOST_TEST(said->at("text").get<std::string>().find(owner) != std::string::npos);
        BOOST_TEST(WEXITSTATUS(second.wait_end()) == 3);
    }
    first.kill();
    started second(options_of(path));
    BOOST_TEST(take(second, 1).at(0).at("id") == id);
}

BOOST_AUTO_TEST_CASE(CRASH_10_an_engine_does_not_serve_a_damaged_file_and_says_so_by_its_status) {
    const std::string path = new_database_file();
    {
        started e(options_of(path));
        json job = job_of("k");
        job["payload"] = std::string(1000, 'x');
        for (int i = 0; i < 100; ++i)
            push(e, job);
        e.signal(SIGTERM);
        BOOST_TEST(e.wait_end() == 0);
    }
    std::string bytes = content_of(path);
    for (std::size_t i = 0; i < 64; ++i)
        bytes[15U * 4096 + i] = static_cast<char>(~bytes[15U * 4096 + i]);
    std::ofstream(path, std::ios::binary) << bytes;
    json checked = options_of(path);
    checked["store"]["check"] = "full";
    engine_process e(checked);
    const auto said = e.next(60s);
    BOOST_TEST_REQUIRE(said.has_value());
    BOOST_TEST(said->value("error", "") == "store_corrupt");
    BOOST_TEST(WEXITSTATUS(e.wait_end()) == 4);
    BOOST_TEST((content_of(path) == bytes));
}

BOOST_AUTO_TEST_CASE(a_job_that_crashes_the_process_three_times_is_put_aside) {
    const std::string path = new_database_file();
    std::string deadly;
    for (int crash = 1; crash <= 3; ++crash) {
        started e(options_of(path));
        if (crash == 1)
            deadly = push(e, job_of("deadly", "work"));
        const auto said = e.next(60s);
        BOOST_TEST_REQUIRE(said.has_value());
        BOOST_TEST(said->at("ran") == deadly);
        BOOST_TEST(said->at("attempt") == crash);
        BOOST_TEST(WIFSIGNALED(e.wait_end()));
    }
    started e(options_of(path));
    const json job = find(e, deadly);
    BOOST_TEST(job.at("state") == "discarded");
    BOOST_TEST_REQUIRE(job.at("errors").size() == 3u);
    BOOST_TEST(job.at("errors")[2].get<std::string>().starts_with("quarantined: "));
    const std::string harmless = push(e, job_of("work", "work"));
    const auto said = e.next(60s);
    BOOST_TEST_REQUIRE(said.has_value());
    BOOST_TEST(said->at("ran") == harmless);
}

BOOST_AUTO_TEST_CASE(a_process_that_is_stopped_and_goes_on_loses_nothing) {
    const std::string path = new_database_file();
    answer_log log(path + ".log");
    accounting books;
    {
        started e(options_of(path), &log);
        for (int round = 0; round < 5; ++round) {
            for (int i = 0; i < 50; ++i) {
                json job = job_of("k");
                job["id"] = job_id(1, static_cast<std::uint64_t>(round * 50 + i + 1)).to_string();
                e.ask(push_request(job));
            }
            e.signal(SIGSTOP);
            e.wait_stopped();
            while (e.next(0s)) // what it had said
                ;
            BOOST_TEST(!e.next(20ms));
            e.signal(SIGCONT);
            std::size_t answers = 0;
            // It may have been stopped before it had stored a single one of them.
            for (const json taken = take(e, 30, 10'000); const json& t : taken) {
                BOOST_TEST(tell(e, "complete", t) == "");
                ++answers;
            }
            BOOST_TEST(answers != 0u);
        }
        json all;
        for (std::size_t left = 1; left != 0; left = all.size()) {
            all = take(e, 100, 100);
            for (const json& t : all)
                BOOST_TEST(tell(e, "complete", t) == "");
        }
        log.happened("drained");
        log.sync();
        BOOST_TEST(counts(e, "default").at("completed") == 250);
    }
    books.read_file(log.path());
    BOOST_TEST(books.faults() == std::vector<std::string>(), boost::test_tools::per_element());
    BOOST_TEST(books.so_far().acknowledged == 250u);
    BOOST_TEST(books.so_far().delivered == 250u);
    BOOST_TEST(books.so_far().completed == 250u);
}

BOOST_AUTO_TEST_CASE(a_lease_that_ran_out_while_the_process_was_stopped_is_void) {
    started e(options_of(new_database_file()));
    const std::string id = push(e, job_of("k"));
    const json held = take(e, 1, 0, 1000).at(0);
    e.signal(SIGSTOP);
    e.wait_stopped();
    BOOST_TEST(!e.next(1200ms)); // it says nothing, and its lease runs out
    e.signal(SIGCONT);
    const json again = take(e, 1, 10'000).at(0);
    BOOST_TEST(again.at("id") == id);
    BOOST_TEST(tell(e, "complete", held) == "lease_lost");
    BOOST_TEST(tell(e, "complete", again) == "");
}

BOOST_AUTO_TEST_SUITE_END()
