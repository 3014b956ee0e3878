// What does not need a server: names, documents, options.
#include "store/nats/job_document.hpp"
#include "store/nats/layout.hpp"
#include "support/errors.hpp"
#include <lifeguard/json.hpp>

#include <boost/test/unit_test.hpp>

using namespace lifeguard;
using namespace lifeguard::detail;
using namespace lifeguard::test;

BOOST_AUTO_TEST_SUITE(nats_layout_suite)

BOOST_AUTO_TEST_CASE(names_of_queues_are_tokens_of_subjects_and_come_back) {
    BOOST_TEST(subject_token("mail-1_x") == "mail-1_x");
    BOOST_TEST(subject_token("a.b *>") == "a=2Eb=20=2A=3E");
    for (const std::string name : {"", "=", "=4", "a.b *>", "\xc3\xbc", "=2E"})
        BOOST_TEST(name_of_token(subject_token(name)) == name);
}

BOOST_AUTO_TEST_CASE(consumers_have_names_of_their_own_and_not_too_long) {
    const nats_layout layout("p");
    const std::string one(200, '.');
    const std::string other = std::string(199, '.') + ",";
    BOOST_TEST(layout.consumer_of("q", 3) == "q_3");
    BOOST_TEST(layout.consumer_of(one, 3).size() <= 255u);
    BOOST_TEST(layout.consumer_of(one, 3) != layout.consumer_of(other, 3));
}

BOOST_AUTO_TEST_CASE(a_document_comes_back_as_it_was_written) {
    kind_entry kind;
    kind.name = "k";
    queue_entry queue;
    queue.name = "q";
    job_record job;
    job.id = job_id(1, 2);
    job.kind = &kind;
    job.queue = &queue;
    job.payload = "{\"n\" :  9007199254740993}";
    job.attempt = 2;
    job.max_attempts = 5;
    job.delivery = 3;
    settlement s;
    s.state = job_state::retryable;
    s.attempt = 2;
    s.due = 77;
    s.has_error = true;
    s.error_text = "not UTF-8: \xff";
    auto read = read_document(job.id, write_document(job, &s, "from", "by"));
    BOOST_TEST_REQUIRE(read.has_value());
    BOOST_TEST(read->payload == job.payload);
    BOOST_TEST((read->state == job_state::retryable));
    BOOST_TEST(read->due == 77);
    BOOST_TEST(read->origin == "from");
    BOOST_TEST(read->writer == "by");
    BOOST_TEST(read->delivery == 3u);
    BOOST_TEST(read->errors.size() == 1u);
}

BOOST_AUTO_TEST_CASE(what_is_no_document_is_refused) {
    for (const char* text : {"", "{}", "{}\n", "[]\n1", "{\"v\":2}\n1", "{\"v\":1}\n1", "x\ny"})
        BOOST_TEST(!read_document(job_id(1, 2), text).has_value());
}

BOOST_AUTO_TEST_CASE(wrong_options_are_named) {
    const auto field = [](auto change) {
        nats_store_options o;
        o.servers.emplace_back("nats://127.0.0.1:4222");
        change(o);
        return thrown_by([&] { nats_store(o); }).text;
    };
    const auto names = [&](const char* what, auto change) {
        BOOST_TEST(field(change).find(what) != std::string::npos);
    };
    names("servers", [](nats_store_options& o) { o.servers.clear(); });
    names("servers", [](nats_store_options& o) { o.servers = {"http://x"}; });
    names("prefix", [](nats_store_options& o) { o.prefix = "a.b"; });
    names("user", [](nats_store_options& o) { o.user = o.token = "x"; });
    names("replicas", [](nats_store_options& o) { o.replicas = 2; });
    names("ack_wait", [](nats_store_options& o) { o.ack_wait = duration::zero(); });
    names("prefetch_max", [](nats_store_options& o) { o.prefetch_max = 0; });
    BOOST_TEST(field([](nats_store_options&) {}).empty());
}

BOOST_AUTO_TEST_SUITE_END()
