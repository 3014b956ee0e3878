// Files that are not what they should be: refused with the reason, and left alone.
#include "store/file_fixture.hpp"

using namespace lifeguard;
using namespace lifeguard::test;

BOOST_AUTO_TEST_SUITE(damage)

namespace {

/// A closed file with a job in each table.
sqlite_store_options filled(test_context& ctx, int jobs = 1) {
    const auto file = unsynced_database();
    queue_fixture q(ctx, in_file(file));
    for (int i = 0; i < 2; ++i)
        q.push(new_job("k"));
    q.complete(q.take(), {{"a", 1}});
    const taken_job t = q.take();
    ctx.await(q.queue.discard(t.id, t.token, "no good"));
    for (int i = 0; i < jobs; ++i)
        q.push(new_job::from_text("k", "\"" + std::string(1000, 'x') + "\""));
    return file;
}

thrown opening(test_context& ctx, const sqlite_store_options& file) {
    return thrown_by([&] { queue_fixture q(ctx, in_file(file)); });
}

} // namespace

LIFEGUARD_TEST(rows_that_break_a_rule_are_named) {
    struct damaged {
        const char* sql;
        const char* said;
    };
    for (const damaged d : {
             damaged{"UPDATE jobs SET id = x'00'", "id is not 16 bytes"},
             damaged{"UPDATE jobs SET id = zeroblob(16)", "id is nil"},
             damaged{"UPDATE jobs SET id = (SELECT id FROM discarded)", "that of another job"},
             damaged{"UPDATE jobs SET seq = -1", "seq is not positive"},
             damaged{"UPDATE jobs SET kind = 99", "there is no such kind"},
             damaged{"UPDATE jobs SET queue = 'x'", "there is no such queue"},
             damaged{"UPDATE jobs SET priority = 10", "priority is not 0 to 9"},
             damaged{"UPDATE jobs SET timeout = -1", "timeout is negative"},
             damaged{"UPDATE jobs SET attempt = -1", "a count of attempts is out of range"},
             damaged{"UPDATE jobs SET max_attempts = 1 << 40", "a count of attempts"},
             damaged{"UPDATE jobs SET crashes = 70000", "a count of attempts"},
             damaged{"UPDATE jobs SET delivery = -1", "delivery is out of range"},
             damaged{"UPDATE jobs SET state = 2", "no live job has this state"},
             damaged{"UPDATE jobs SET state = 77", "there is no such state"},
             damaged{"UPDATE jobs SET payload = x'ff'", "payload is not text"},
             damaged{"UPDATE jobs SET unique_key = x'ff'", "unique_key is not text"},
             damaged{"UPDATE finished SET state = 6", "no job here has this state"},
             damaged{"UPDATE finished SET result = '{'", "result is not JSON"},
             damaged{"UPDATE finished SET result = NULL", "result is not JSON"},
             damaged{"UPDATE discarded SET state = 1", "no job here has this state"},
             damaged{"UPDATE errors SET attempt = -1", "an error's attempt"},
             damaged{"UPDATE kinds SET name = ''", "must not be empty"},
             damaged{"UPDATE queues SET name = char(7)", "control character"},
             damaged{"UPDATE queues SET paused = 2", "paused is not 0 or 1"},
             damaged{"UPDATE queues SET paused_until = -1", "paused_until is negative"},
             damaged{"UPDATE jobs SET seq = 9223372036854775807", "seq is too large"},
             damaged{"UPDATE meta SET value = 'x' WHERE key = 'store'", "table meta"},
             damaged{"DROP TABLE finished", "no such table"},
         }) {
        BOOST_TEST_CONTEXT(d.sql) {
            const auto file = filled(ctx);
            shell(file.path).run(d.sql);
            const std::string before = content_of(file.path);
            const thrown t = opening(ctx, file);
            BOOST_TEST(t.code.failed());
            BOOST_TEST(t.text.find(d.said) != std::string::npos, t.text);
            BOOST_TEST(t.text.find(file.path) != std::string::npos, t.text);
            BOOST_TEST((content_of(file.path) == before));
        }
    }
}

LIFEGUARD_TEST(CRASH_10_a_damaged_page_is_found_by_the_full_check_and_left_alone) {
    auto file = filled(ctx, 200);
    std::string bytes = content_of(file.path);
    const std::size_t page = 4096;
    BOOST_TEST_REQUIRE(bytes.size() > 20 * page);
    for (std::size_t i = 0; i < 64; ++i)
        bytes[15 * page + i] = static_cast<char>(~bytes[15 * page + i]);
    std::ofstream(file.path, std::ios::binary) << bytes;
    file.check = store_check::full;
    const thrown t = opening(ctx, file);
    BOOST_TEST((t.code == errc::store_corrupt), t.text);
    BOOST_TEST((content_of(file.path) == bytes));
}

LIFEGUARD_TEST(the_full_check_passes_a_whole_file) {
    auto file = filled(ctx, 10);
    file.check = store_check::full;
    queue_fixture q(ctx, in_file(file));
    BOOST_TEST(q.counts() == "available 10, completed 1, discarded 1");
}

LIFEGUARD_TEST(a_text_file_is_no_database) {
    const auto file = new_database();
    std::ofstream(file.path) << std::string(5000, 'x');
    const thrown t = opening(ctx, file);
    BOOST_TEST((t.code == errc::store_corrupt), t.text);
    BOOST_TEST(content_of(file.path) == std::string(5000, 'x'));
}

BOOST_AUTO_TEST_SUITE_END()
