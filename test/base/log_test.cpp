#include "support/log_capture.hpp"
#include <lifeguard/log.hpp>

#include <boost/test/unit_test.hpp>
#include <unistd.h>

#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace lifeguard;

namespace {

log_record sample(log_level level) {
    log_record record;
    record.level = level;
    record.event = "worker_restarted";
    record.message = "worker 3 restarted";
    record.fields = {{"pool", "images"}, {"reason", "boom"}};
    return record;
}

/// What `f` writes to the file descriptor of standard error.
template <typename F>
std::string stderr_of(F f) {
    std::fflush(stderr);
    int ends[2];
    BOOST_REQUIRE(::pipe(ends) == 0);
    const int saved = ::dup(2);
    ::dup2(ends[1], 2);
    ::close(ends[1]);
    f();
    std::fflush(stderr);
    ::dup2(saved, 2);
    ::close(saved);
    std::string text;
    char buffer[4096];
    for (ssize_t n = 0; (n = ::read(ends[0], buffer, sizeof buffer)) > 0;)
        text.append(buffer, static_cast<std::size_t>(n));
    ::close(ends[0]);
    return text;
}

} // namespace

BOOST_AUTO_TEST_SUITE(logging)

BOOST_AUTO_TEST_CASE(a_record_is_one_line_in_a_fixed_order) {
    BOOST_TEST(
        to_logfmt(sample(log_level::warning)) ==
        R"(level=warning event=worker_restarted pool=images reason=boom msg="worker 3 restarted")");
    log_record bare;
    bare.event = "stopped";
    BOOST_TEST(to_logfmt(bare) == "level=info event=stopped");
}

BOOST_AUTO_TEST_CASE(every_level_has_its_name) {
    BOOST_TEST(name_of(log_level::debug) == "debug");
    BOOST_TEST(name_of(log_level::info) == "info");
    BOOST_TEST(name_of(log_level::warning) == "warning");
    BOOST_TEST(name_of(log_level::error) == "error");
    BOOST_TEST(name_of(static_cast<log_level>(99)) == "unknown");
}

BOOST_AUTO_TEST_CASE(values_cannot_forge_lines_or_fields) {
    const auto value_line = [](std::string value) {
        log_record record;
        record.event = "e";
        record.fields = {{"v", std::move(value)}};
        return to_logfmt(record).substr(std::string("level=info event=e ").size());
    };
    BOOST_TEST(value_line("plain-1.5/x") == "v=plain-1.5/x");
    BOOST_TEST(value_line("") == R"(v="")");
    BOOST_TEST(value_line("a b") == R"(v="a b")");
    BOOST_TEST(value_line("a=b") == R"(v="a=b")");
    BOOST_TEST(value_line("a\nlevel=error") == R"(v="a\nlevel=error")");
    BOOST_TEST(value_line("a\r\tb") == R"(v="a\r\tb")");
    BOOST_TEST(value_line(R"(say "hi" \o/)") == R"(v="say \"hi\" \\o/")");
    BOOST_TEST(value_line("\x1b[31mred\x7f") == R"(v="\u001b[31mred\u007f")");
    BOOST_TEST(value_line(std::string("a\0b", 3)) == R"(v="a\u0000b")");
    BOOST_TEST(value_line("\xc2\x9b[31m\xc2\xa0") == "v=\"\\u009b[31m\xc2\xa0\"");
    BOOST_TEST(value_line("a\xff\xc3") == "v=\"a\xef\xbf\xbd\xef\xbf\xbd\"");
    BOOST_TEST(value_line("gr\xc3\xbc\xc3\x9f") == "v=\"gr\xc3\xbc\xc3\x9f\"");
    for (int c = 0; c < 256; ++c) {
        const auto line = value_line(std::string(1, static_cast<char>(c)));
        const auto is_control = [](char b) {
            return static_cast<unsigned char>(b) < 0x20 || b == 0x7f;
        };
        BOOST_TEST(std::none_of(line.begin(), line.end(), is_control), "byte " << c);
    }
}

BOOST_AUTO_TEST_CASE(stderr_log_writes_from_its_level_up) {
    const auto text = stderr_of([] {
        const auto sink = stderr_log(log_level::warning);
        sink->write(sample(log_level::debug));
        sink->write(sample(log_level::info));
        sink->write(sample(log_level::warning));
        sink->write(sample(log_level::error));
    });
    BOOST_TEST(text == to_logfmt(sample(log_level::warning)) + "\n" +
                           to_logfmt(sample(log_level::error)) + "\n");
}

BOOST_AUTO_TEST_CASE(lines_of_two_threads_do_not_mix) {
    constexpr int each = 100;
    const auto text = stderr_of([] {
        const auto sink = stderr_log();
        const auto write = [&sink] {
            for (int i = 0; i < each; ++i)
                sink->write(sample(log_level::info));
        };
        std::thread other(write);
        write();
        other.join();
    });
    std::string expected;
    for (int i = 0; i < 2 * each; ++i)
        expected += to_logfmt(sample(log_level::info)) + "\n";
    BOOST_TEST((text == expected));
}

BOOST_AUTO_TEST_CASE(a_throwing_sink_is_counted_and_harmless) {
    struct throwing final : log_sink {
        void write(const log_record&) override { throw std::runtime_error("disk full"); }
    };
    const logger log(std::make_shared<throwing>());
    const logger copy = log;
    log.write(sample(log_level::info));
    copy.write(sample(log_level::info));
    BOOST_TEST(log.errors() == 2u);
    BOOST_TEST(copy.errors() == 2u);
}

BOOST_AUTO_TEST_CASE(a_logger_without_a_sink_does_nothing) {
    const logger none;
    BOOST_TEST(!none);
    BOOST_TEST(!logger(nullptr));
    none.write(sample(log_level::error));
    BOOST_TEST(none.errors() == 0u);
}

BOOST_AUTO_TEST_CASE(a_logger_passes_records_to_its_sink) {
    const auto capture = std::make_shared<test::log_capture>();
    const logger log(capture);
    BOOST_TEST(!!log);
    log.write(sample(log_level::info));
    log.write(sample(log_level::error));
    BOOST_TEST(capture->count("event=worker_restarted") == 2u);
    BOOST_TEST(capture->count("level=error") == 1u);
    BOOST_TEST(capture->take().size() == 2u);
    BOOST_TEST(capture->lines().empty());
}

BOOST_AUTO_TEST_SUITE_END()
