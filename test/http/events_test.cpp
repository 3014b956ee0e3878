// What happens, told as it happens.
#include "rig.hpp"

#include <boost/test/unit_test.hpp>

#include <stdexcept>

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

BOOST_AUTO_TEST_SUITE(http_events)

namespace {

struct event {
    std::string id;
    std::string type;
    json data;
};

/// What a stream has sent so far, taken apart.
struct heard {
    std::string head; ///< of the answer, when it came with this
    std::vector<event> events;
    std::size_t comments = 0;

    std::vector<std::string> types() const {
        std::vector<std::string> all;
        for (const event& e : events)
            all.push_back(e.type);
        return all;
    }
};

heard listen(client& c) {
    heard h;
    std::string text = c.text();
    if (text.starts_with("HTTP/")) {
        h.head = text.substr(0, text.find("\r\n\r\n"));
        text.erase(0, h.head.size() + 4);
    }
    while (!text.empty()) {
        const std::size_t end = text.find("\n\n");
        if (end == std::string::npos)
            throw std::runtime_error("half an event: " + text);
        std::string block = text.substr(0, end + 1);
        text.erase(0, end + 2);
        event e;
        while (!block.empty()) {
            const std::string line = block.substr(0, block.find('\n'));
            block.erase(0, line.size() + 1);
            if (line.starts_with(":"))
                ++h.comments;
            else if (line.starts_with("id: "))
                e.id = line.substr(4);
            else if (line.starts_with("event: "))
                e.type = line.substr(7);
            else if (line.starts_with("data: "))
                e.data = json::parse(line.substr(6));
        }
        if (!e.type.empty())
            h.events.push_back(std::move(e));
    }
    return h;
}

client subscribe(http_rig& rig, const std::string& query = "", const std::string& fields = "") {
    client c = rig.connect();
    c.send(http_rig::request("GET", "/v1/events" + query, "", fields));
    rig.ctx.settle();
    return c;
}

void pause(http_rig& rig, const std::string& queue) {
    BOOST_REQUIRE(rig.ask("POST", "/v1/queues/" + queue + "/pause").status == 204u);
    rig.ctx.advance(50ms);
}

} // namespace

LIFEGUARD_TEST(a_stream_tells_what_the_engine_logs) {
    http_rig rig(ctx);
    rig.app.handle("bad", [](job_context&) -> asio::awaitable<json> {
        throw std::runtime_error("no \"good\"\n");
        co_return nullptr;
    });
    client c = subscribe(rig);
    const heard begin = listen(c);
    BOOST_TEST(begin.head.find("200 OK") != std::string::npos);
    BOOST_TEST(begin.head.find("Content-Type: text/event-stream") != std::string::npos);
    BOOST_TEST(begin.head.find("Content-Length") == std::string::npos);
    BOOST_TEST(begin.events.empty());

    const json job = {{"kind", "bad"}, {"max_attempts", 1}};
    const std::string id = rig.post("/v1/jobs", job).value().at("id");
    ctx.advance(50ms);
    const heard told = listen(c);
    const std::vector<std::string> expected = {"job_failed", "job_discarded"};
    auto types = told.types();
    std::ranges::sort(types, std::greater<>());
    BOOST_TEST(types == expected, boost::test_tools::per_element());
    for (const event& e : told.events) {
        BOOST_TEST(e.data.at("job") == id);
        BOOST_TEST(e.data.at("reason") == "no \"good\"\n");
        BOOST_TEST(e.data.contains("at"));
        BOOST_TEST(e.data.contains("level"));
    }

    pause(rig, "mail");
    BOOST_TEST(listen(c).types() == std::vector<std::string>{"queue_paused"},
               boost::test_tools::per_element());
    BOOST_TEST(rig.ask("POST", "/v1/workers/default/1/kill").status == 204u);
    ctx.advance(50ms);
    const auto kill = listen(c).types();
    BOOST_TEST(std::ranges::count(kill, "worker_killed") == 1);
    BOOST_TEST(std::ranges::count(kill, "worker_started") == 1);
}

LIFEGUARD_TEST(a_stream_goes_on_where_the_client_left) {
    http_rig rig(ctx);
    client first = subscribe(rig);
    for (const char* queue : {"a", "b", "c"})
        pause(rig, queue);
    const heard all = listen(first);
    BOOST_REQUIRE(all.events.size() == 3u);
    BOOST_TEST(all.events[0].id != all.events[1].id);

    client again = subscribe(rig, "", "Last-Event-ID: " + all.events[0].id + "\r\n");
    const heard rest = listen(again);
    BOOST_REQUIRE(rest.events.size() == 2u);
    BOOST_TEST(rest.events[0].id == all.events[1].id);
    BOOST_TEST(rest.events[1].data.at("queue") == "c");

    client by_query = subscribe(rig, "?after=" + all.events[1].id);
    BOOST_TEST(listen(by_query).events.size() == 1u);
    client at_the_end = subscribe(rig, "?after=" + all.events[2].id);
    BOOST_TEST(listen(at_the_end).events.empty());
    pause(rig, "d");
    for (client* c : {&first, &again, &by_query, &at_the_end}) {
        const heard next = listen(*c);
        BOOST_REQUIRE(next.events.size() == 1u);
        BOOST_TEST(next.events[0].data.at("queue") == "d");
    }
}

LIFEGUARD_TEST(who_has_missed_events_is_told_to_read_anew) {
    http_options o;
    o.events_max = 2;
    http_rig rig(ctx, o);
    client first = subscribe(rig);
    for (const char* queue : {"a", "b", "c", "d"})
        pause(rig, queue);
    const heard all = listen(first);
    BOOST_REQUIRE(all.events.size() == 4u);

    const auto reset_of = [&](const std::string& id) {
        client c = subscribe(rig, "?after=" + id);
        const heard h = listen(c);
        BOOST_REQUIRE(h.events.size() == 1u);
        BOOST_TEST(h.events[0].type == "reset");
        BOOST_TEST(h.events[0].id == all.events[3].id);
        BOOST_TEST(h.events[0].data.at("last_event") == all.events[3].id);
    };
    reset_of(all.events[0].id);
    reset_of("00000000-3");
    reset_of("nonsense");
    reset_of(all.events[3].id + "0"); // from the future
    client lucky = subscribe(rig, "?after=" + all.events[1].id);
    const std::vector<std::string> kept = {"queue_paused", "queue_paused"};
    BOOST_TEST(listen(lucky).types() == kept, boost::test_tools::per_element());
}

LIFEGUARD_TEST(a_stream_has_the_topics_that_it_asked_for) {
    http_rig rig(ctx);
    client some = subscribe(rig, "?topics=queue_resumed,sample");
    pause(rig, "a");
    BOOST_TEST(rig.ask("POST", "/v1/queues/a/resume").status == 204u);
    ctx.advance(50ms);
    const heard told = listen(some);
    BOOST_TEST(told.types() == std::vector<std::string>{"queue_resumed"},
               boost::test_tools::per_element());
}

LIFEGUARD_TEST(a_silent_stream_has_a_heartbeat) {
    http_rig rig(ctx);
    client c = subscribe(rig);
    listen(c);
    ctx.advance(15s - 1ms);
    BOOST_TEST(listen(c).comments == 0u);
    ctx.advance(1ms);
    BOOST_TEST(listen(c).comments == 1u);
    ctx.advance(15s);
    BOOST_TEST(listen(c).comments == 1u);
    BOOST_TEST(!c.closed());
}

LIFEGUARD_TEST(there_are_only_so_many_streams) {
    http_options o;
    o.streams_max = 2;
    http_rig rig(ctx, o);
    client first = subscribe(rig);
    client second = subscribe(rig);
    const reply third = rig.get("/v1/events");
    BOOST_TEST(third.status == 503u);
    BOOST_TEST(third.code() == "limit_reached");
    BOOST_TEST(third.fields.contains("retry-after"));
    first.close();
    pause(rig, "a"); // what is written to who has gone fails, at the second time at the latest
    pause(rig, "b");
    client instead = subscribe(rig);
    BOOST_TEST(listen(instead).head.find("200 OK") != std::string::npos);
}

LIFEGUARD_TEST(a_storm_of_one_type_is_cut_and_said_to_be) {
    http_rig rig(ctx);
    client c = subscribe(rig);
    for (int i = 0; i < 120; ++i)
        rig.watch().events->publish(log_record{log_level::info, "storm", "x", {}});
    ctx.advance(50ms);
    BOOST_TEST(listen(c).events.size() == 50u);
    ctx.advance(1s);
    rig.watch().events->publish(log_record{log_level::info, "storm", "x", {}});
    ctx.advance(50ms);
    const heard next = listen(c);
    BOOST_REQUIRE(next.events.size() == 1u);
    BOOST_TEST(next.events[0].data.at("omitted") == 70u);
}

LIFEGUARD_TEST(who_does_not_read_loses_the_connection_and_costs_no_memory) {
    http_options o;
    o.body_wait = 3s;
    http_rig rig(ctx, o);
    client c = subscribe(rig);
    const std::string big(100'000, 'x');
    for (int i = 0; i < 300; ++i) { // far more than the socket and the history take
        rig.watch().events->publish("big", '"' + big + '"');
        ctx.advance(50ms);
    }
    BOOST_TEST(rig.watch().events->streams() == 0u);
    BOOST_TEST(rig.connections() == 0u);
}

LIFEGUARD_TEST(a_stop_ends_streams_at_once) {
    http_rig rig(ctx);
    client c = subscribe(rig);
    listen(c);
    rig.stop_connections();
    ctx.settle();
    BOOST_TEST(c.closed());
    BOOST_TEST(rig.watch().events->streams() == 0u);
}

LIFEGUARD_TEST(streams_are_asked_for_like_everything_else) {
    http_options o;
    o.token = "secret";
    http_rig rig(ctx, o);
    BOOST_TEST(rig.get("/v1/events").status == 401u);
    client head = rig.connect();
    head.send(http_rig::request("HEAD", "/v1/events", "", "Authorization: Bearer secret\r\n"));
    ctx.settle();
    BOOST_TEST(head.text().ends_with("\r\n\r\n"));
    BOOST_TEST(head.closed());
    BOOST_TEST(rig.watch().events->streams() == 0u);
    const reply wrong = rig.ask("GET", "/v1/events?nope=1", "", "Authorization: Bearer secret\r\n");
    BOOST_TEST(wrong.status == 422u);
}

BOOST_AUTO_TEST_SUITE_END()
