// A mail server that goes down for a while, and two ways to stop calling it: a shared_breaker
// around the calls, and a worker pool with a breaker for each kind of jobs.

#include "common/claims.hpp"
#include "common/pause.hpp"
#include "mail_server.hpp"
#include <lifeguard/lifeguard.hpp>
#include <lifeguard/log.hpp>
#include <lifeguard/shared_breaker.hpp>

#include <algorithm>
#include <string_view>
#include <vector>

namespace asio = boost::asio;
using lifeguard::breaker_open_error;
using namespace std::chrono_literals;

namespace {

constexpr std::string_view usage =
    "usage: 08_circuit_breaker [--fault never-opens | --fault never-recovers]\n"
    "  --fault never-opens      a breaker with too high a threshold\n"
    "  --fault never-recovers   the mail server stays down for good\n";

enum class fault { none, never_opens, never_recovers };

std::string in_ms(lifeguard::duration time) {
    return std::to_string(std::chrono::ceil<std::chrono::milliseconds>(time).count()) + " ms";
}

std::string arrow(const lifeguard::breaker_change& change) {
    return std::string(name_of(change.from)) + " > " + std::string(name_of(change.to));
}

lifeguard::breaker_options make_breaker(fault injected) {
    lifeguard::breaker_options options;
    options.threshold = injected == fault::never_opens ? 1000 : 3;
    options.open_for = 300ms;
    options.open_factor = 2; // a second opening in a row lasts 600 ms
    options.successes = 2;   // so many probes must succeed to close it
    return options;
}

/// What became of the letters of act one.
struct tally {
    unsigned delivered = 0;
    unsigned failed = 0;
    unsigned refused = 0;
    unsigned sent_away_twice = 0; ///< refused although they came back when they had been told
    lifeguard::duration longest_wait = lifeguard::duration::zero(); ///< that anybody was told
    std::vector<std::string> changes;
    bool closed_again = false;
};

/// One call. Answers how long the caller had better wait before the next one; zero: no longer than
/// usual.
asio::awaitable<lifeguard::duration> send(lifeguard::shared_breaker& breaker, mail_server& server,
                                          const timeline& now, tally& t) {
    const auto deliver = [&server] { return server.deliver(); };
    try {
        co_await breaker.call(deliver);
        ++t.delivered;
        now.say("delivered");
    } catch (const breaker_open_error& e) {
        ++t.refused;
        t.longest_wait = std::max(t.longest_wait, e.retry_after);
        now.say("refused; again in " + in_ms(e.retry_after));
        co_return e.retry_after;
    } catch (const std::exception& e) {
        ++t.failed;
        now.say(std::string("failed: ") + e.what());
    }
    co_return lifeguard::duration::zero();
}

/// Letter after letter until the breaker has closed again and two were delivered, or for 3 s.
/// Who was refused asks a second time after 60 ms, and then obeys.
asio::awaitable<void> send_letters(lifeguard::shared_breaker breaker, mail_server& server,
                                   const timeline& now, tally& t) {
    const auto told = breaker.changes().on_event([&](const lifeguard::breaker_change& change) {
        t.changes.push_back(arrow(change));
        t.closed_again = change.to == lifeguard::breaker_state::closed;
        now.say("                                   breaker " + arrow(change));
    });
    const auto end = std::chrono::steady_clock::now() + 3s;
    unsigned in_a_row = 0; // refusals
    for (unsigned after = 0; after != 2 && std::chrono::steady_clock::now() < end;) {
        const unsigned delivered = t.delivered;
        if (delivered == 2 && t.failed == 0)
            server.fail_next(4); // three open the breaker, the fourth is the probe
        const auto wait = co_await send(breaker, server, now, t);
        if (wait == 0s) {
            const bool arrived = t.delivered > delivered;
            in_a_row = 0;
            after += t.closed_again && arrived ? 1 : 0;
            // A call that failed is tried again at once, as bad callers do.
            co_await pause_for(arrived ? 60ms : 0ms);
        } else {
            t.sent_away_twice += ++in_a_row > 2 ? 1 : 0;
            if (std::chrono::steady_clock::now() + wait > end)
                co_return;
            co_await pause_for(in_a_row < 2 ? lifeguard::duration(60ms) : wait);
        }
    }
}

void judge(const tally& t, const mail_server& server, claims& account) {
    const std::vector<std::string> expected{
        "closed > open",    "open > half_open",   "half_open > open",
        "open > half_open", "half_open > closed",
    };
    std::cout << '\n';
    account.check(t.changes == expected, "it opened, probed, opened again, probed and closed");
    account.check(t.refused >= 2, std::to_string(t.refused) + " calls were refused at once");
    account.check(server.reached() == t.delivered + t.failed && t.failed == 4,
                  "none of those reached the server, and it saw 4 fail (" +
                      std::to_string(t.failed) + ")");
    account.check(t.longest_wait > 300ms && t.longest_wait <= 600ms,
                  "the second opening lasted longer than the first: up to " +
                      in_ms(t.longest_wait));
    account.check(t.refused != 0 && t.sent_away_twice == 0,
                  "who came back when it had been told to was let in");
    std::cout << '\n';
}

// --- act two: in a worker pool

lifeguard::engine_options make_engine(fault injected) {
    lifeguard::engine_options options;
    lifeguard::worker_pool_options& office = options.pools.emplace_back();
    office.name = "office";
    office.breaker_scope = lifeguard::breaker_scope::kind;
    office.breaker = make_breaker(injected);
    office.breaker.successes = 1;
    options.log = lifeguard::stderr_log(lifeguard::log_level::error);
    return options;
}

/// Executes a job, tells what came of it, and answers that: "done", "refused" or "failed".
asio::awaitable<std::string> execute(lifeguard::worker_pool office, std::string kind,
                                     const timeline& now) {
    std::string outcome;
    std::string why;
    try {
        co_await office.execute(lifeguard::new_job(kind));
        outcome = "done";
    } catch (const breaker_open_error& e) {
        outcome = "refused";
        why = "; again in " + in_ms(e.retry_after);
    } catch (const std::exception& e) {
        outcome = "failed";
        why = std::string(": ") + e.what();
    }
    now.say(kind + " " + outcome + why);
    co_return outcome;
}

asio::awaitable<void> run_office(lifeguard::engine& engine, mail_server& server,
                                 const timeline& now, claims& account) {
    lifeguard::worker_pool office = engine.pool("office");
    server.fail_next(3);
    bool all_failed = true;
    for (int i = 0; i < 3; ++i) {
        const std::string outcome = co_await execute(office, "mail", now);
        all_failed = all_failed && outcome == "failed";
    }
    const std::string mail = co_await execute(office, "mail", now);
    const std::string invoice = co_await execute(office, "invoice", now);

    // Who need not have it now submits it: the job waits for the breaker, and is its probe.
    lifeguard::new_job job("mail");
    job.max_attempts = 1;
    const lifeguard::job_id id = co_await office.submit(std::move(job));
    now.say("mail submitted; it waits in the queue");
    bool arrived = true;
    try {
        co_await office.result(id);
    } catch (const std::exception& e) {
        arrived = false;
        now.say(e.what());
    }
    const auto sent = office.queue().find(id);
    now.say("mail " + std::string(sent ? name_of(sent->state) : "lost"));

    std::cout << '\n';
    account.check(all_failed && mail == "refused", "three mails failed, the fourth was refused");
    account.check(invoice == "done",
                  "invoices have a breaker of their own: one was done meanwhile");
    account.check(arrived && sent && sent->attempt == 1,
                  "a mail that could wait was sent at its only attempt, when the server was back");
    const lifeguard::pool_status status = office.status();
    account.check(status.breakers_opened_total == 1 && status.breakers_closed_total == 1,
                  "the pool counted one opening and one closing");
    co_await engine.stop();
}

asio::awaitable<void> show(lifeguard::engine& engine, mail_server& server, fault injected,
                           claims& account) {
    const timeline now;
    if (injected == fault::never_recovers)
        server.never_recover();

    std::cout << "A shared_breaker: 3 failures open it for 300 ms, then for 600 ms.\n\n";
    tally t;
    co_await send_letters(lifeguard::shared_breaker("mail", make_breaker(injected)), server, now,
                          t);
    judge(t, server, account);

    std::cout << "A worker pool with a breaker for each kind of jobs.\n\n";
    co_await run_office(engine, server, now, account);
}

int run(fault injected) {
    asio::io_context io(1);
    mail_server server;
    lifeguard::engine engine(io.get_executor(), make_engine(injected));
    engine.handle("mail", [&server](lifeguard::job_context&) { return server.deliver(); });
    engine.handle("invoice", [](lifeguard::job_context&) { return pause_for(2ms); });
    claims account;
    asio::co_spawn(io, engine.run(), lifeguard::rethrow);
    asio::co_spawn(io, show(engine, server, injected, account), lifeguard::rethrow);
    io.run();
    return account.conclude("08_circuit_breaker");
}

} // namespace

int main(int argc, char** argv) {
    const std::vector<std::string_view> arguments(argv + 1, argv + argc);
    const auto is = [&](const std::vector<std::string_view>& words) { return arguments == words; };
    if (is({"--help"})) {
        std::cout << usage;
        return 0;
    }
    fault injected = fault::none;
    if (is({"--fault", "never-opens"})) {
        injected = fault::never_opens;
    } else if (is({"--fault", "never-recovers"})) {
        injected = fault::never_recovers;
    } else if (!arguments.empty()) {
        std::cerr << usage;
        return 2;
    }
    try {
        return run(injected);
    } catch (const std::exception& e) {
        std::cerr << "08_circuit_breaker: " << e.what() << '\n';
        return 1;
    }
}
