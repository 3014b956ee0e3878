#include "store/file_fixture.hpp"
#include <lifeguard/engine.hpp>

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

BOOST_AUTO_TEST_SUITE(store_options)

BOOST_AUTO_TEST_CASE(a_wrong_one_is_named) {
    const auto refuses = [](auto set, const std::string& field) {
        sqlite_store_options o;
        o.path = new_database_file();
        set(o);
        const thrown t = thrown_by([&] { sqlite_store(o); });
        return t.code == errc::invalid_option && t.text.find(field) != std::string::npos;
    };
    BOOST_TEST(refuses([](auto& o) { o.path.clear(); }, "path"));
    BOOST_TEST(refuses([](auto& o) { o.path = std::string("a\0b", 3); }, "path"));
    BOOST_TEST(refuses([](auto& o) { o.max_process_crashes = 0; }, "max_process_crashes"));
    BOOST_TEST(refuses([](auto& o) { o.max_process_crashes = 1001; }, "max_process_crashes"));
    BOOST_TEST(refuses([](auto& o) { o.busy_wait = -1ms; }, "busy_wait"));
    BOOST_TEST(refuses([](auto& o) { o.busy_wait = 2h; }, "busy_wait"));
    BOOST_TEST(refuses([](auto& o) { o.retry_wait = 0s; }, "retry_wait"));
}

LIFEGUARD_TEST(an_engine_may_name_it_in_its_options) {
    const std::string path = new_database_file();
    const std::string text = R"({"store": {"type": "sqlite", "path": ")" + path +
                             R"(", "durability": "process_crash", "check": "full",
                                "finished_max": 5, "discarded_max": 6, "max_process_crashes": 2,
                                "busy_wait_ms": 7, "retry_wait_ms": 8}})";
    engine_options options = parse_options(text);
    options.time = ctx.time;
    job_id id;
    {
        engine e(ctx.executor(), options);
        job_queue queue = e.queue();
        const auto drain = ctx.settle_with([core = queue.core()] { return core->store().drain(); });
        BOOST_TEST(queue.core()->store().name() == "sqlite");
        id = ctx.await(queue.push(new_job("k")));
    }
    queue_fixture q(ctx, in_file({path}));
    BOOST_TEST(q.take().id == id);
}

BOOST_AUTO_TEST_CASE(wrong_members_are_named) {
    const auto names = [](const std::string& members, const std::string& member) {
        const thrown t =
            thrown_by([&] { parse_options(R"({"store": {"type": "sqlite", )" + members + "}}"); });
        return t.code == errc::invalid_option && t.text.find(member) != std::string::npos;
    };
    BOOST_TEST(names(R"("path": "")", "store.path"));
    BOOST_TEST(names(R"("finished_max": 1)", "store.path"));
    BOOST_TEST(names(R"("path": "x", "durability": "none")", "store.durability"));
    BOOST_TEST(names(R"("path": "x", "check": "no")", "store.check"));
    BOOST_TEST(names(R"("path": "x", "max_process_crashes": 0)", "store.max_process_crashes"));
    BOOST_TEST(names(R"("path": "x", "busy_wait_ms": -1)", "store.busy_wait_ms"));
    BOOST_TEST(names(R"("path": "x", "retry_wait_ms": 0)", "store.retry_wait_ms"));
    BOOST_TEST(names(R"("path": "x", "pat": 1)", "store.pat"));
}

BOOST_AUTO_TEST_SUITE_END()
