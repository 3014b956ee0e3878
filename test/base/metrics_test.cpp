#include "support/errors.hpp"
#include <lifeguard/metrics.hpp>

#include <boost/test/unit_test.hpp>

#include <cmath>
#include <limits>
#include <memory>
#include <stdexcept>
#include <thread>

using namespace lifeguard;
using namespace std::chrono_literals;

namespace {

template <typename F>
void refuses(errc code, F f, const std::string& what) {
    const auto thrown = test::thrown_by(f);
    BOOST_TEST(thrown.code == code, what << ": " << thrown.text);
    BOOST_TEST(thrown.text.starts_with("metric"), what << ": " << thrown.text);
}

} // namespace

BOOST_AUTO_TEST_SUITE(metrics)

BOOST_AUTO_TEST_CASE(counter_and_gauge_count) {
    metrics_registry registry;
    counter& done = registry.make_counter("jobs_total", "Jobs.", {{"pool", "images"}});
    done.add();
    done.add(41);
    BOOST_TEST(done.value() == 42u);
    BOOST_TEST(registry.value("jobs_total", {{"pool", "images"}}).value() == 42);
    BOOST_TEST(!registry.value("jobs_total", {{"pool", "mail"}}).has_value());
    BOOST_TEST(!registry.value("jobs_total").has_value());
    BOOST_TEST(!registry.value("other").has_value());

    gauge& busy = registry.make_gauge("workers_busy", "Workers.");
    busy.add(3);
    busy.sub();
    BOOST_TEST(registry.value("workers_busy").value() == 2);
    busy.set(-7);
    BOOST_TEST(registry.value("workers_busy").value() == -7);
}

BOOST_AUTO_TEST_CASE(a_bound_belongs_to_its_range) {
    histogram h({1, 2.5, 10});
    for (const double value : {-1.0, 1.0, 1.1, 2.5, 10.0, 10.1, HUGE_VAL})
        h.observe(value);
    const std::vector<std::uint64_t> expected{2, 2, 1, 2};
    BOOST_TEST(h.counts() == expected, boost::test_tools::per_element());
    BOOST_TEST(h.count() == 7u);
    h.observe(std::numeric_limits<double>::quiet_NaN());
    BOOST_TEST(h.count() == 7u);
    BOOST_TEST(!std::isnan(h.sum()));
}

BOOST_AUTO_TEST_CASE(durations_are_observed_in_seconds) {
    histogram any({0.1, 1}), serialised({0.1, 1});
    for (const duration value : {100ms, 1500ms}) {
        any.observe(value);
        serialised.observe_serialised(value);
    }
    const std::vector<std::uint64_t> expected{1, 0, 1};
    for (const histogram* h : {&any, &serialised}) {
        BOOST_TEST(h->counts() == expected, boost::test_tools::per_element());
        BOOST_TEST(h->sum() == 1.6, boost::test_tools::tolerance(1e-9));
    }
}

BOOST_AUTO_TEST_CASE(the_same_name_and_labels_are_the_same_object) {
    metrics_registry registry;
    counter& a = registry.make_counter("a_total", "A.", {{"x", "1"}, {"y", "2"}});
    BOOST_TEST(&registry.make_counter("a_total", "Other.", {{"y", "2"}, {"x", "1"}}) == &a);
    BOOST_TEST(&registry.make_counter("a_total", "A.", {{"x", "1"}, {"y", "3"}}) != &a);
}

BOOST_AUTO_TEST_CASE(handles_stay_while_others_come_and_go) {
    metrics_registry registry;
    counter& first = registry.make_counter("a_total", "A.", {{"n", "first"}});
    for (int i = 0; i < 500; ++i)
        registry.make_counter("a_total", "A.", {{"n", std::to_string(i)}}).add();
    for (int i = 0; i < 500; ++i)
        registry.remove("a_total", {{"n", std::to_string(i)}});
    first.add(5);
    BOOST_TEST(registry.value("a_total", {{"n", "first"}}).value() == 5);
}

BOOST_AUTO_TEST_CASE(a_metric_ends_when_its_last_owner_removes_it) {
    metrics_registry registry;
    registry.make_counter("a_total", "A.").add();
    registry.make_counter("a_total", "A.").add();
    registry.remove("a_total");
    BOOST_TEST(registry.value("a_total").value() == 2);
    registry.remove("a_total");
    BOOST_TEST(!registry.value("a_total").has_value());
    BOOST_TEST(registry.to_prometheus() == "");
    registry.remove("a_total");
    registry.remove("never_there");
    // The name is free again, for other label names too.
    BOOST_TEST(registry.make_counter("a_total", "A.", {{"x", ""}}).value() == 0u);
}

BOOST_AUTO_TEST_CASE(label_sets_are_bounded) {
    metrics_options options;
    options.label_sets_max = 3;
    metrics_registry registry(options);
    const auto make = [&](const std::string& kind) {
        registry.make_counter("a_total", "A.", {{"kind", kind}});
    };
    make("1");
    make("2");
    make("3");
    make("3");
    refuses(errc::limit_reached, [&] { make("4"); }, "a fourth");
    registry.make_counter("b_total", "B.", {{"kind", "4"}});
    registry.remove("a_total", {{"kind", "1"}});
    make("4");
    options.label_sets_max = 0;
    refuses(errc::invalid_option, [&] { metrics_registry none(options); }, "no label sets");
}

BOOST_AUTO_TEST_CASE(names_that_prometheus_would_refuse_are_refused) {
    metrics_registry registry;
    for (const char* name : {"", "1a", "a-b", "a b", "aB", "a:b", "gr\xc3\xbc", "a\n", "x_total",
                             "x_bucket", "x_count", "x_sum"})
        refuses(errc::invalid_option, [&] { registry.make_gauge(name, "Help."); }, name);
    refuses(errc::invalid_option, [&] { registry.make_counter("x", "Help."); }, "counter x");
    refuses(errc::invalid_option, [&] { registry.make_gauge("x", ""); }, "no help");
    for (const char* label : {"", "1a", "a-b", "__a", "A", "a\n"})
        refuses(
            errc::invalid_option, [&] { registry.make_gauge("x", "Help.", {{label, "v"}}); },
            label);
    refuses(
        errc::invalid_option, [&] { registry.make_gauge("x", "Help.", {{"a", "1"}, {"a", "2"}}); },
        "label given twice");
    refuses(
        errc::invalid_option, [&] { registry.make_histogram("x", "Help.", {{"le", "1"}}); }, "le");
    BOOST_TEST(registry.to_prometheus() == "");
    registry.make_gauge("_ok_9", "Help.", {{"_a9", ""}});
    registry.make_gauge("le_is_for_histograms", "Help.", {{"le", "1"}});
}

BOOST_AUTO_TEST_CASE(bounds_must_rise) {
    metrics_registry registry;
    const double nan = std::numeric_limits<double>::quiet_NaN();
    const std::vector<std::vector<double>> wrong{
        {}, {1, 1}, {2, 1}, {1, HUGE_VAL}, {nan}, {1, nan}, std::vector<double>(65, 1)};
    for (const auto& bounds : wrong)
        refuses(
            errc::invalid_option, [&] { registry.make_histogram("x", "Help.", {}, bounds); },
            std::to_string(bounds.size()) + " bounds");
}

BOOST_AUTO_TEST_CASE(one_name_means_one_thing) {
    metrics_registry registry;
    registry.make_counter("a_total", "A.", {{"pool", "x"}});
    registry.make_gauge("b", "B.");
    registry.make_histogram("c", "C.", {}, {1, 2});
    const auto callback = [] { return 1.0; };
    const auto refuse = [](auto f, const std::string& what) {
        refuses(errc::invalid_option, f, what);
    };
    refuse([&] { registry.make_histogram("b", "B."); }, "gauge, then histogram");
    refuse([&] { registry.make_gauge("c", "C."); }, "histogram, then gauge");
    refuse([&] { registry.make_counter("a_total", "A."); }, "without the label");
    refuse([&] { registry.make_counter("a_total", "A.", {{"kind", "x"}}); }, "with another label");
    refuse([&] { registry.make_histogram("c", "C.", {}, {1, 3}); }, "other bounds");
    refuse([&] { registry.make_gauge("b", "B.", {}, callback); }, "value, then callback");
    registry.make_gauge("d", "D.", {}, callback);
    refuse([&] { registry.make_gauge("d", "D."); }, "callback, then value");
    refuse([&] { registry.make_gauge("e", "E.", {}, nullptr); }, "empty callback");
}

BOOST_AUTO_TEST_CASE(callbacks_are_asked_without_a_lock_and_may_throw) {
    metrics_registry registry;
    double depth = 3;
    registry.make_gauge("depth", "Depth.", {{"q", "a"}}, [&] {
        // Would dead-lock with the lock held.
        registry.make_counter("asked_total", "Asked.").add();
        return depth;
    });
    registry.make_gauge("depth", "Depth.", {{"q", "b"}},
                        []() -> double { throw std::runtime_error("gone"); });
    registry.make_counter("seen_total", "Seen.", {}, [] { return 7.0; });
    depth = 4;
    BOOST_TEST(registry.value("depth", {{"q", "a"}}).value() == 4);
    const auto text = registry.to_prometheus();
    BOOST_TEST(text == "# HELP asked_total Asked.\n# TYPE asked_total counter\nasked_total 1\n"
                       "# HELP depth Depth.\n# TYPE depth gauge\ndepth{q=\"a\"} 4\n"
                       "# HELP seen_total Seen.\n# TYPE seen_total counter\nseen_total 7\n");
}

BOOST_AUTO_TEST_CASE(the_newest_callback_wins) {
    metrics_registry registry;
    const auto old = std::make_shared<int>(0);
    registry.make_gauge("depth", "Depth.", {}, [old] { return 1.0; });
    registry.make_gauge("depth", "Depth.", {}, [] { return 2.0; });
    BOOST_TEST(old.use_count() == 1);
    BOOST_TEST(registry.value("depth").value() == 2);
    registry.remove("depth");
    BOOST_TEST(registry.value("depth").value() == 2);
    registry.remove("depth");
    BOOST_TEST(!registry.value("depth").has_value());
}

BOOST_AUTO_TEST_CASE(a_scope_adds_its_labels_and_removes_what_it_made) {
    const auto registry = std::make_shared<metrics_registry>();
    counter& other = registry->make_counter("a_total", "A.", {{"pool", "y"}, {"kind", "k"}});
    {
        metrics_scope scope(registry, {{"pool", "x"}});
        scope.make_counter("a_total", "A.", {{"kind", "k"}}).add(2);
        scope.make_gauge("b", "B.").set(3);
        scope.make_histogram("c", "C.").observe(0.1);
        scope.make_gauge("d", "D.", {}, [] { return 4.0; });
        scope.make_counter("e_total", "E.", {}, [] { return 5.0; });
        const metric_labels x{{"pool", "x"}};
        BOOST_TEST(registry->value("a_total", {{"pool", "x"}, {"kind", "k"}}).value() == 2);
        BOOST_TEST(registry->value("b", x).value() == 3);
        BOOST_TEST(registry->value("c", x).value() == 1);
        BOOST_TEST(registry->value("d", x).value() == 4);
        BOOST_TEST(registry->value("e_total", x).value() == 5);
    }
    other.add();
    BOOST_TEST(registry->to_prometheus() == "# HELP a_total A.\n# TYPE a_total counter\n"
                                            "a_total{kind=\"k\",pool=\"y\"} 1\n");
}

BOOST_AUTO_TEST_CASE(a_scope_without_a_registry_counts_for_itself) {
    metrics_scope scope(nullptr);
    counter& a = scope.make_counter("a_total", "A.");
    a.add();
    BOOST_TEST(a.value() == 1u);
}

BOOST_AUTO_TEST_CASE(no_count_is_lost_between_threads) {
    metrics_registry registry;
    constexpr int each = 20000;
    const auto work = [&registry] {
        counter& a = registry.make_counter("a_total", "A.");
        gauge& b = registry.make_gauge("b", "B.");
        histogram& c = registry.make_histogram("c", "C.", {}, {1, 2});
        for (int i = 0; i < each; ++i) {
            a.add();
            b.add(i % 2 == 0 ? 2 : -1);
            c.observe(1.5);
            if (i % 1000 == 0) {
                registry.make_counter("d_total", "D.", {{"i", std::to_string(i)}}).add();
                registry.to_prometheus();
                registry.remove("d_total", {{"i", std::to_string(i)}});
            }
        }
    };
    std::thread other(work);
    work();
    other.join();
    BOOST_TEST(registry.value("a_total").value() == 2 * each);
    BOOST_TEST(registry.value("b").value() == each);
    BOOST_TEST(registry.value("c").value() == 2 * each);
    BOOST_TEST(registry.make_histogram("c", "C.", {}, {1, 2}).sum() == 3.0 * each);
    BOOST_TEST(!registry.value("d_total", {{"i", "0"}}).has_value());
}

BOOST_AUTO_TEST_SUITE_END()
