// A program that embeds lifeguard, for tests that kill it: an engine over a file, spoken to by
// lines of JSON.
//
//   crash_engine '<engine options>' [threads]
//
// Reads requests from stdin and writes answers to stdout, in any order:
//   {"n": 1, "do": "push", "job": {...}}    {"n": 1, "id": "..."} or {"n": 1, "error":
//   "store_busy"}
// and, without being asked, {"ready": true} once it can be spoken to and {"ran": id, ...} before a
// handler does its work. SIGTERM stops it in good order, the end of stdin at once.
#include <lifeguard/lifeguard.hpp>
#include <lifeguard/sqlite_store.hpp>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp> // lint: allow handlers that take real time
#include <boost/asio/use_awaitable.hpp>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <iostream>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace lifeguard;
namespace asio = boost::asio;
using handler_timer = asio::steady_timer; // lint: allow real time, in a real process

/// Exit statuses: what a test can tell apart.
enum exit_status { ended = 0, bad_usage = 2, owned = 3, corrupt = 4, read_only = 5, other = 6 };

/// A line at a time, from any thread.
void say(const json& what) {
    static std::mutex mutex;
    const std::string line = what.dump() + "\n";
    const std::lock_guard lock(mutex);
    for (std::size_t written = 0; written < line.size();) {
        const ssize_t n = ::write(STDOUT_FILENO, line.data() + written, line.size() - written);
        if (n < 0 && errno != EINTR)
            ::_exit(other); // nobody listens any more
        written += n < 0 ? 0 : static_cast<std::size_t>(n);
    }
}

job_id id_in(const json& request) {
    const auto id = job_id::parse(request.at("id").get<std::string>());
    if (!id)
        throw error(errc::invalid_job, "id");
    return *id;
}

std::uint32_t token_in(const json& request) { return request.at("token").get<std::uint32_t>(); }

duration milliseconds_in(const json& request, const char* name) {
    return std::chrono::milliseconds(request.value(name, 0));
}

json described(const taken_job& t) {
    json j;
    j["id"] = t.id.to_string();
    j["token"] = t.token;
    j["attempt"] = t.attempt;
    j["priority"] = t.priority;
    return j;
}

std::int64_t milliseconds(wall_time at) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(at.time_since_epoch()).count();
}

json described(const job_info& info) {
    json j;
    j["state"] = name_of(info.state);
    j["attempt"] = info.attempt;
    j["deliveries"] = info.deliveries;
    j["priority"] = info.priority;
    j["run_at"] = milliseconds(info.run_at);
    j["payload"] = info.payload;
    j["result"] = info.result;
    j["errors"] = json::array();
    for (const attempt_error& e : info.errors)
        j["errors"].push_back(e.text);
    return j;
}

json described(const queue_counts& c) {
    json j;
    j["scheduled"] = c.scheduled;
    j["available"] = c.available;
    j["executing"] = c.executing;
    j["retryable"] = c.retryable;
    j["completed"] = c.completed;
    j["discarded"] = c.discarded;
    return j;
}

asio::awaitable<json> take(job_queue queue, json request) {
    take_options options(request.value("queue", "default"));
    options.jobs_max = request.value("max", std::size_t{1});
    options.wait = milliseconds_in(request, "wait_ms");
    options.lease = milliseconds_in(request, "lease_ms");
    const auto taken = co_await queue.take(std::move(options));
    json answer = json::array();
    for (const taken_job& t : taken)
        answer.push_back(described(t));
    co_return answer;
}

asio::awaitable<json> do_it(job_queue queue, json request) {
    const std::string what = request.at("do");
    json answer;
    if (what == "push") {
        const job_id id = co_await queue.push_json(request.at("job").dump());
        answer["id"] = id.to_string();
    } else if (what == "take") {
        answer["taken"] = co_await take(queue, request);
    } else if (what == "complete") {
        co_await queue.complete(id_in(request), token_in(request), json(request.value("n", 0)));
    } else if (what == "fail") {
        co_await queue.fail(id_in(request), token_in(request), "failed on purpose");
    } else if (what == "discard") {
        co_await queue.discard(id_in(request), token_in(request), "no good");
    } else if (what == "release") {
        co_await queue.release(id_in(request), token_in(request));
    } else if (what == "snooze") {
        const duration delay = milliseconds_in(request, "delay_ms");
        co_await queue.snooze(id_in(request), token_in(request), delay);
    } else if (what == "extend") {
        const duration lease = milliseconds_in(request, "lease_ms");
        co_await queue.extend(id_in(request), token_in(request), lease);
    } else if (what == "remove") {
        co_await queue.remove(id_in(request));
    } else if (what == "find") {
        const auto found = queue.find(id_in(request));
        if (found)
            answer["job"] = described(*found);
    } else if (what == "counts") {
        answer["counts"] = described(queue.counts(request.value("queue", "default")));
    } else {
        throw error(errc::unsupported, what);
    }
    co_return answer;
}

asio::awaitable<void> serve(job_queue queue, std::string line) {
    json answer;
    json number;
    try {
        const json request = json::parse(line);
        number = request.at("n");
        answer = co_await do_it(queue, request);
    } catch (const boost::system::system_error& e) {
        answer["error"] = name_of(static_cast<errc>(e.code().value()));
        answer["text"] = e.what();
    }
    answer["n"] = number;
    say(answer);
}

asio::awaitable<void> read_requests(asio::posix::stream_descriptor& in, engine& e,
                                    const std::atomic<bool>& stopped) {
    std::string buffer;
    while (!stopped) { // a read that has ended already cannot be cancelled any more
        boost::system::error_code ec;
        const std::size_t n = co_await asio::async_read_until(
            in, asio::dynamic_buffer(buffer), '\n', asio::redirect_error(asio::use_awaitable, ec));
        if (ec == asio::error::operation_aborted)
            co_return; // it is being stopped
        if (ec)
            ::_exit(other); // the driver is gone
        asio::co_spawn(in.get_executor(), serve(e.queue(), buffer.substr(0, n)), rethrow);
        buffer.erase(0, n);
    }
}

json run_of(const job_context& ctx) {
    json j;
    j["ran"] = ctx.id().to_string();
    j["attempt"] = ctx.attempt();
    return j;
}

void add_handlers(engine& e) {
    e.handle("work", [](job_context& ctx) -> asio::awaitable<json> {
        say(run_of(ctx));
        const json& payload = ctx.payload();
        if (payload.is_number()) {
            handler_timer timer(co_await asio::this_coro::executor);
            timer.expires_after(std::chrono::milliseconds(payload.get<int>())); // lint: allow
            co_await timer.async_wait(asio::use_awaitable);
        }
        co_return ctx.attempt();
    });
    e.handle("deadly", [](job_context& ctx) -> asio::awaitable<json> {
        say(run_of(ctx));
        std::raise(SIGSEGV);
        co_return json();
    });
}

int run(const std::string& options_text, unsigned threads) {
    asio::io_context io(static_cast<int>(threads));
    engine e(io.get_executor(), parse_options(options_text));
    add_handlers(e);
    asio::posix::stream_descriptor in(io, ::dup(STDIN_FILENO));
    asio::signal_set signals(io, SIGTERM);
    signals.async_wait([&](const boost::system::error_code& ec, int) {
        if (!ec)
            e.request_stop();
    });
    std::atomic<bool> stopped = false;
    asio::co_spawn(io, e.run(), [&](const std::exception_ptr& thrown) {
        rethrow(thrown);
        stopped = true;
        boost::system::error_code ignored; // it was open until now
        in.cancel(ignored);
        signals.cancel(ignored);
    });
    asio::co_spawn(io, read_requests(in, e, stopped), rethrow);
    json ready;
    ready["ready"] = true;
    asio::post(io, [&] { say(ready); });
    std::vector<std::thread> others;
    for (unsigned i = 1; i < threads; ++i)
        others.emplace_back([&] { io.run(); });
    io.run();
    for (std::thread& t : others)
        t.join();
    return ended;
}

int status_of(const boost::system::error_code& code) {
    if (code == make_error_code(errc::store_owned))
        return owned;
    if (code == make_error_code(errc::store_corrupt))
        return corrupt;
    return code == make_error_code(errc::store_read_only) ? read_only : other;
}

} // namespace

int main(int argc, char* argv[]) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL); // no test leaves it behind, however that ends
    const rlimit no_core{0, 0};         // it is meant to crash
    ::setrlimit(RLIMIT_CORE, &no_core);
    if (argc < 2 || argc > 3) {
        std::cerr << "usage: crash_engine '<engine options>' [threads]\n";
        return bad_usage;
    }
    try {
        return run(argv[1], argc == 3 ? static_cast<unsigned>(std::stoul(argv[2])) : 1);
    } catch (const error& e) {
        json why;
        why["error"] = name_of(static_cast<errc>(e.code().value()));
        why["text"] = e.what();
        say(why);
        return status_of(e.code());
    } catch (const std::exception& e) {
        std::cerr << "crash_engine: " << e.what() << '\n';
        return other;
    }
}
