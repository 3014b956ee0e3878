#include "store/file_fixture.hpp"
#include "store/sqlite/schema.hpp"

using namespace lifeguard;
using namespace lifeguard::test;
using detail::database;
using detail::migration;

BOOST_AUTO_TEST_SUITE(schema)

namespace {

constexpr std::array first{migration{1, "CREATE TABLE one (a); INSERT INTO one VALUES (1);"}};
constexpr std::array three{migration{1, "CREATE TABLE one (a);"},
                           migration{2, "CREATE TABLE two (a); INSERT INTO two VALUES (2);"},
                           migration{3, "INSERT INTO one SELECT a FROM two;"}};
constexpr std::array broken{migration{1, ""}, migration{2, "CREATE TABLE two (a);"},
                            migration{3, "INSERT INTO one VALUES (3); INSERT INTO nowhere"
                                         " VALUES (3);"}};

} // namespace

BOOST_AUTO_TEST_CASE(only_the_steps_that_are_missing_are_taken) {
    database db(new_database_file());
    detail::migrate(db, first);
    BOOST_TEST(db.number("PRAGMA user_version") == 1);
    detail::migrate(db, three);
    BOOST_TEST(db.number("PRAGMA user_version") == 3);
    BOOST_TEST(db.number("SELECT sum(a) FROM one") == 3); // 1 of the first, 2 of the third
    detail::migrate(db, three);
    BOOST_TEST(db.number("SELECT sum(a) FROM one") == 3);
}

BOOST_AUTO_TEST_CASE(CRASH_13_a_migration_that_fails_leaves_the_old_version) {
    database db(new_database_file());
    detail::migrate(db, first);
    BOOST_CHECK_THROW(detail::migrate(db, broken), error);
    BOOST_TEST(db.number("PRAGMA user_version") == 1);
    BOOST_TEST(db.number("SELECT sum(a) FROM one") == 1);
    BOOST_TEST(db.number("SELECT count(*) FROM sqlite_schema") == 1);
}

BOOST_AUTO_TEST_CASE(our_migrations_are_numbered_without_gaps) {
    int expected = 0;
    for (const migration& m : detail::migrations())
        BOOST_TEST(m.version == ++expected);
}

LIFEGUARD_TEST(CRASH_13_a_newer_version_is_refused_and_not_touched) {
    const auto file = new_database();
    {
        queue_fixture q(ctx, in_file(file));
    }
    shell(file.path).run("PRAGMA user_version = 99; PRAGMA journal_mode = DELETE");
    const std::string before = content_of(file.path);
    const thrown t = thrown_by([&] { sqlite_store(file); });
    BOOST_TEST((t.code == errc::unsupported));
    BOOST_TEST(t.text.find("version 99") != std::string::npos);
    BOOST_TEST(t.text.find(file.path) != std::string::npos);
    BOOST_TEST((content_of(file.path) == before));
}

BOOST_AUTO_TEST_CASE(a_database_of_something_else_is_refused_and_not_touched) {
    const auto file = new_database();
    shell(file.path).run("CREATE TABLE customers (name)");
    const std::string before = content_of(file.path);
    const thrown t = thrown_by([&] { sqlite_store(file); });
    BOOST_TEST((t.code == errc::unsupported));
    BOOST_TEST(t.text.find("something else") != std::string::npos);
    BOOST_TEST((content_of(file.path) == before));
}

LIFEGUARD_TEST(a_shell_can_read_while_the_engine_runs) {
    const auto file = new_database();
    queue_fixture q(ctx, in_file(file));
    new_job job = new_job::from_text("resize", R"({"width": 640})");
    job.queue = "images";
    const job_id id = q.push(job);
    shell s(file.path);
    BOOST_TEST(s.ask("SELECT state FROM all_jobs") == "available");
    BOOST_TEST(s.ask("SELECT kind || ' ' || queue || ' ' || (payload ->> 'width') FROM all_jobs") ==
               "resize images 640");
    std::string hex = id.to_string();
    std::erase(hex, '-');
    BOOST_TEST(s.ask("SELECT id FROM all_jobs") == hex);
    BOOST_TEST(s.ask("PRAGMA journal_mode") == "wal");
    const taken_job t = q.take(1, "images").at(0);
    q.complete(t, 1280);
    BOOST_TEST(s.ask("SELECT state || ' ' || result FROM all_jobs") == "completed 1280");
    BOOST_TEST(s.ask("PRAGMA integrity_check") == "ok");
}

BOOST_AUTO_TEST_SUITE_END()
