// Commands: what goes in, and what comes out.
#include "command/command_fixture.hpp"
#include "support/errors.hpp"

#include <boost/test/unit_test.hpp>

#include <functional>

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

namespace {

bool has(const std::string& text, const std::string& part) {
    const bool found = text.find(part) != std::string::npos;
    if (!found)
        BOOST_TEST_MESSAGE("no '" << part << "' in: " << text);
    return found;
}

void on_one_and_two_threads(const std::function<void(command_engine&)>& body) {
    for (const unsigned threads : {1U, 2U}) {
        command_engine e(threads);
        body(e);
    }
    BOOST_TEST(children().empty());
}

} // namespace

BOOST_AUTO_TEST_SUITE(command_result)

BOOST_AUTO_TEST_CASE(payload_is_stdin_and_stdout_is_the_result) {
    on_one_and_two_threads([](command_engine& e) {
        e.bind("cat", "cat");
        const json payload = {{"a", json::array({1, 2.5, nullptr})}, {"text", "grün \"quoted\""}};
        const outcome o = e.run("cat", payload);
        BOOST_TEST(o.error == "");
        BOOST_TEST(o.result == payload);
        e.bind("again", "cat >/dev/null; cat /dev/stdin"); // a file: it can be read once more
        BOOST_TEST(e.run("again", payload).result == payload);
    });
}

BOOST_AUTO_TEST_CASE(no_output_is_null) {
    on_one_and_two_threads([](command_engine& e) {
        e.bind("silent", "exit 0");
        e.bind("newline", "echo");
        for (const char* kind : {"silent", "newline"}) {
            const outcome o = e.run(kind, 7);
            BOOST_TEST(o.error == "");
            BOOST_TEST(o.result.is_null());
        }
    });
}

BOOST_AUTO_TEST_CASE(a_mebibyte_goes_both_ways) {
    on_one_and_two_threads([](command_engine& e) {
        e.bind("cat", "cat");
        const json payload = std::string((1U << 20U) - 2, 'x'); // with its quotes, a MiB
        const outcome o = e.run("cat", payload);
        BOOST_TEST(o.error == "");
        BOOST_TEST((o.result == payload));
        e.bind("deaf", "echo 1"); // reads nothing
        BOOST_TEST(e.run("deaf", payload).result == 1);
    });
}

BOOST_AUTO_TEST_CASE(environment_says_which_job_it_is) {
    on_one_and_two_threads([](command_engine& e) {
        command_options o;
        o.env = {{"COLOUR", "green"}, {"HOME", "/nowhere"}};
        o.directory = "/usr";
        e.bind("env",
               R"sh(printf '["%s","%s","%s","%s","%s","%s","%s","%s","%s"]' "$LIFEGUARD_JOB_ID" \
                  "$LIFEGUARD_KIND" "$LIFEGUARD_QUEUE" "$LIFEGUARD_ATTEMPT" "$LIFEGUARD_TOKEN" \
                  "$COLOUR" "$HOME" "$(pwd)" "$PATH")sh",
               o);
        new_job job("env");
        const job_id id = *job_id::parse("0190a6f2-8c5e-7b3a-9f00-1234567890ab");
        job.id = id;
        auto f = e.begin(std::move(job));
        const outcome out = outcome_of(f);
        const json expected = {id.to_string(), "env",  "default",          "1", "1", "green",
                               "/nowhere",     "/usr", std::getenv("PATH")};
        BOOST_TEST(out.result == expected, out.error << out.result);
    });
}

BOOST_AUTO_TEST_CASE(other_attempts_have_other_numbers) {
    command_engine e;
    e.bind("second", R"([ "$LIFEGUARD_ATTEMPT" = 2 ] && echo "$LIFEGUARD_TOKEN" || exit 1)");
    new_job job("second");
    job.max_attempts = 2;
    const job_id id = e.submit(std::move(job));
    BOOST_TEST(eventually([&] { return name_of(e.app.queue().find(id)->state) == "retryable"; }));
    asio::co_spawn(e.io, e.app.queue().retry(id), asio::use_future).get();
    BOOST_TEST(eventually([&] { return name_of(e.app.queue().find(id)->state) == "completed"; }));
    BOOST_TEST(e.app.queue().find(id)->result == "2");
}

BOOST_AUTO_TEST_CASE(failure_keeps_status_and_the_tail_of_stderr) {
    on_one_and_two_threads([](command_engine& e) {
        e.bind("three", "echo starting >&2; echo 'no such picture' >&2; exit 3");
        const outcome o = e.run("three");
        BOOST_TEST(has(o.error, "sh: ended with exit status 3; stderr: starting\nno such picture"));
        e.bind("much", "i=0; while [ $i -lt 5000 ]; do echo line $i >&2; i=$((i+1)); done; exit 1");
        const outcome much = e.run("much");
        BOOST_TEST(has(much.error, "stderr: ..."));
        BOOST_TEST(has(much.error, "line 4999"));
        BOOST_TEST(!has(much.error, "line 4000\n"));
        BOOST_TEST(much.error.size() < 4300U);
        e.bind("odd", R"(printf 'a\377\033[31mb' >&2; exit 1)");
        BOOST_TEST(has(e.run("odd").error, "stderr: a\xef\xbf\xbd\xef\xbf\xbd[31mb"));
        e.bind("quiet", "exit 1");
        BOOST_TEST(e.run("quiet").error == "sh: ended with exit status 1");
    });
}

BOOST_AUTO_TEST_CASE(status_75_is_a_retry) {
    command_engine e;
    e.bind("later", "echo 'not yet' >&2; exit 75");
    new_job job("later");
    job.max_attempts = 3;
    const job_id id = e.submit(std::move(job));
    BOOST_TEST(eventually([&] { return name_of(e.app.queue().find(id)->state) == "retryable"; }));
    const auto found = e.app.queue().find(id);
    BOOST_TEST(has(found->errors.at(0).text, "exit status 75; stderr: not yet"));
    BOOST_TEST((found->run_at > real_time_source()->wall_now())); // the usual backoff

    asio::co_spawn(e.io, e.app.queue().cancel(id), asio::use_future).get();
    const handler h = [] {
        command_options o;
        o.argv = {"sh", "-c", "exit 75"};
        return command_handler(o);
    }();
    bool retried = false;
    e.app.handle("verdict", [h, &retried](job_context& j) -> asio::awaitable<json> {
        try {
            co_return co_await h(j);
        } catch (const retry_job&) {
            retried = true;
            throw;
        }
    });
    e.run("verdict");
    BOOST_TEST(retried);
}

BOOST_AUTO_TEST_CASE(a_crash_is_its_own_only) {
    on_one_and_two_threads([](command_engine& e) {
        e.bind("segv", "ulimit -c 0; echo '{\"half\":'; kill -SEGV $$");
        const outcome o = e.run("segv");
        BOOST_TEST(has(o.error, "was killed by signal 11 (Segmentation fault)"));
        e.bind("ok", "echo true");
        BOOST_TEST(e.run("ok").result == true);
    });
}

BOOST_AUTO_TEST_CASE(failure_is_typed) {
    command_engine e;
    command_options o;
    o.argv = {"sh", "-c", "exit 9"};
    e.app.handle_command("nine", o);
    auto f = e.begin(new_job("nine"));
    BOOST_CHECK_EXCEPTION(f.get(), command_failed,
                          [](const command_failed& c) { return c.status == 9 && c.signal == 0; });
    o.argv = {"sh", "-c", "kill -KILL $$"};
    e.app.handle_command("killed", o);
    f = e.begin(new_job("killed"));
    BOOST_CHECK_EXCEPTION(f.get(), command_failed,
                          [](const command_failed& c) { return c.status == -1 && c.signal == 9; });
}

BOOST_AUTO_TEST_CASE(what_is_no_json_is_a_failure) {
    on_one_and_two_threads([](command_engine& e) {
        const std::pair<const char*, const char*> odd[] = {
            {"echo hello", "its result on stdout at byte 0: is not JSON"},
            {"echo '{\"a\":1} trailing'", "its result on stdout at byte 10: is not JSON"},
            {"echo '{\"a\":'", "is not JSON"},
            {R"(printf '"\377"')", "is not JSON"},
            {R"(printf '1\0')", "holds a zero byte"},
            {"head -c 100000 /dev/zero | tr '\\0' '['", "nested deeper than 512 levels"},
        };
        int n = 0;
        for (const auto& [script, complaint] : odd) {
            const std::string kind = "odd" + std::to_string(n++);
            e.bind(kind, script);
            BOOST_TEST(has(e.run(kind).error, complaint), script);
        }
    });
}

BOOST_AUTO_TEST_CASE(output_has_a_limit) {
    on_one_and_two_threads([](command_engine& e) {
        command_options o;
        o.output_max = 1000;
        e.bind("fits", "printf '%01000d' 0 | tr 0 ' '", o);
        BOOST_TEST(e.run("fits").error == "");
        e.bind("more", "printf '%01001d' 0; exit 0", o);
        BOOST_TEST(has(e.run("more").error, "wrote more than 1000 bytes to stdout"));
        e.bind("endless", "yes", o);
        BOOST_TEST(has(e.run("endless").error, "wrote more than 1000 bytes to stdout"));
        e.bind("grandchild", "trap '' TERM; yes & wait", o);
        BOOST_TEST(has(e.run("grandchild").error, "wrote more than 1000 bytes to stdout"));
    });
}

BOOST_AUTO_TEST_CASE(what_cannot_be_run_says_so) {
    on_one_and_two_threads([](command_engine& e) {
        command_options o;
        o.argv = {"lifeguard-no-such-program"};
        e.bind("missing", "", o);
        BOOST_TEST(has(e.run("missing").error,
                       "cannot find the program 'lifeguard-no-such-program' in "
                       "PATH"));
        o.argv = {"/etc/passwd"};
        e.bind("data", "", o);
        BOOST_TEST(has(e.run("data").error, "cannot find the program '/etc/passwd'"));
        o.argv = {"true"};
        o.directory = "/no/such/directory";
        e.bind("homeless", "", o);
        BOOST_TEST(has(e.run("homeless").error,
                       "cannot change to the directory '/no/such/directory': No such file"));
    });
}

BOOST_AUTO_TEST_CASE(options_are_checked) {
    const auto complaint = [](const std::function<void(command_options&)>& spoil) {
        command_options o;
        o.argv = {"true"};
        spoil(o);
        return thrown_by([&] { command_handler(o); }).text;
    };
    BOOST_TEST(has(complaint([](auto& o) { o.argv.clear(); }), "argv: "));
    BOOST_TEST(has(complaint([](auto& o) { o.argv = {""}; }), "argv: "));
    BOOST_TEST(has(complaint([](auto& o) { o.argv.emplace_back("a\0b", 3); }), "argv: "));
    BOOST_TEST(has(complaint([](auto& o) { o.env["LIFEGUARD_TOKEN"] = "7"; }), "env: "));
    BOOST_TEST(has(complaint([](auto& o) { o.env["A=B"] = ""; }), "env: "));
    BOOST_TEST(has(complaint([](auto& o) { o.env[""] = ""; }), "env: "));
    BOOST_TEST(has(complaint([](auto& o) { o.timeout = -1ms; }), "timeout: "));
    BOOST_TEST(has(complaint([](auto& o) { o.kill_after = -1ms; }), "kill_after: "));
    BOOST_TEST(has(complaint([](auto& o) { o.output_max = 0; }), "output_max: "));
}

BOOST_AUTO_TEST_SUITE_END()
