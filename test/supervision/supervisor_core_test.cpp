// The core alone, by example: no coroutine, no executor, no clock.
#include "supervision/supervisor_core.hpp"

#include <boost/test/unit_test.hpp>

#include <ctime>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::detail;

BOOST_AUTO_TEST_SUITE(supervisor_core)

namespace {

supervisor_options two_per_hour(strategy s = strategy::one_for_one) {
    supervisor_options options;
    options.strategy = s;
    options.intensity = 2;
    options.period = 1h;
    return options;
}

child_ptr make_child(std::string id, restart_type restart = restart_type::permanent) {
    child_ptr c(new supervised_child);
    c->id = std::move(id);
    c->restart = restart;
    c->shutdown = shutdown_policy::after(5000ms);
    return c;
}

child_end ended_by(child_end::kind what) {
    child_end end;
    end.what = what;
    end.detail = "why";
    return end;
}

std::string text_of(const supervisor_action& a) {
    struct visitor {
        std::string operator()(const action::spawn& x) const {
            return "spawn " + x.child->id + std::to_string(x.child->incarnation);
        }
        std::string operator()(const action::request_stop& x) const { return "ask " + x.child->id; }
        std::string operator()(const action::force& x) const { return "force " + x.child->id; }
        std::string operator()(const action::abandon& x) const { return "abandon " + x.child->id; }
        std::string operator()(const action::set_deadline& x) const {
            const auto ms =
                std::chrono::duration_cast<std::chrono::milliseconds>(x.at - time_point());
            return "set " + (x.child ? x.child->id : "all") + " " + std::to_string(ms.count());
        }
        std::string operator()(const action::clear_deadline& x) const {
            return "clear " + (x.child ? x.child->id : "all");
        }
        std::string operator()(const action::repeat_restart& x) const {
            return "repeat " + x.child->id;
        }
        std::string operator()(const action::answer& x) const {
            return "answer " + std::to_string(x.to) +
                   (x.code ? " " + std::string(name_of(*x.code)) : std::string());
        }
        std::string operator()(const action::emit&) const { return {}; }
        std::string operator()(const action::started&) const { return "started"; }
        std::string operator()(const action::finished& x) const {
            switch (x.how) {
            case action::finished::outcome::stopped:
                return "finished";
            case action::finished::outcome::auto_shutdown:
                return "finished: auto_shutdown";
            case action::finished::outcome::gave_up:
                return "finished: gave up";
            case action::finished::outcome::start_failed:
                return "finished: " + x.failed_child + " failed";
            }
            return {};
        }
    };
    return std::visit(visitor(), a);
}

/// A core, and the actions it leaves behind as text; events are left out.
struct machine {
    explicit machine(std::vector<child_ptr> children = {},
                     supervisor_options options = two_per_hour())
        : core(std::move(options)) {
        for (auto& c : children)
            core.add(std::move(c));
    }

    supervised_child& operator[](const std::string& id) { return *core.find(id); }

    std::string take() {
        supervisor_actions actions;
        core.take_actions(actions);
        std::string text;
        for (const auto& a : actions)
            if (const auto t = text_of(a); !t.empty())
                text += (text.empty() ? "" : ", ") + t;
        return text;
    }
    std::string start() {
        core.start(now);
        return take();
    }
    std::string started(const std::string& id) {
        auto& c = (*this)[id];
        core.started(c, c.incarnation, {}, now);
        return take();
    }
    std::string ends(const std::string& id, child_end::kind how) {
        auto& c = (*this)[id];
        core.ended(c, c.incarnation, ended_by(how), now);
        return take();
    }
    std::string deadline(const std::string& id) {
        auto& c = (*this)[id];
        core.deadline_passed(&c, c.work->deadline, now);
        return take();
    }
    std::string submit(child_request::kind what, const std::string& id, ticket from) {
        child_request r;
        r.what = what;
        r.from = from;
        if (what == child_request::kind::start)
            r.child = make_child(id);
        else
            r.id = id;
        core.submit(std::move(r), now);
        return take();
    }

    void repeat(const std::string& id, unsigned incarnation) {
        child_request r;
        r.what = child_request::kind::repeat;
        r.child.reset(&(*this)[id]);
        r.incarnation = incarnation;
        core.submit(std::move(r), now);
    }

    lifeguard::detail::supervisor_core core;
    time_point now = time_point();
};

using kind = child_end::kind;

} // namespace

BOOST_AUTO_TEST_CASE(starts_one_after_the_other) {
    machine m({make_child("a"), make_child("b")});
    BOOST_TEST(m.start() == "spawn a1");
    BOOST_TEST(m.started("a") == "spawn b1");
    BOOST_TEST(m.started("b") == "started");
    BOOST_TEST(m.started("b") == "");
}

BOOST_AUTO_TEST_CASE(failed_start_stops_in_reverse) {
    machine m({make_child("a"), make_child("b"), make_child("c"), make_child("d")});
    m.start();
    m.started("a");
    m.started("b");
    BOOST_TEST(m.ends("c", kind::failed) == "ask b, set b 5000");
    BOOST_TEST(m.ends("b", kind::cancelled) == "clear b, ask a, set a 5000");
    BOOST_TEST(m.ends("a", kind::cancelled) == "clear a, finished: c failed");
}

BOOST_AUTO_TEST_CASE(asks_then_forces_then_abandons) {
    machine m({make_child("a")});
    m.start();
    m.started("a");
    m.core.stop(m.now);
    BOOST_TEST(m.take() == "ask a, set a 5000");
    m.now += 5s;
    BOOST_TEST(m.deadline("a") == "force a, set a 6000");
    m.now += 1s;
    const child_ptr a(&m["a"]);
    BOOST_TEST(m.deadline("a") == "abandon a, finished");
    BOOST_TEST(m.core.figures().abandoned_live == 1U);
    m.core.ended(*a, 1, ended_by(kind::failed), m.now); // at last
    BOOST_TEST(m.take() == "");
    BOOST_TEST(m.core.figures().abandoned_live == 0U);
}

BOOST_AUTO_TEST_CASE(old_deadline_is_ignored) {
    machine m({make_child("a")});
    m.start();
    m.started("a");
    m.core.stop(m.now);
    m.take();
    const auto first = m["a"].work->deadline;
    m.now += 5s;
    m.deadline("a");
    m.core.deadline_passed(&m["a"], first, m.now);
    BOOST_TEST(m.take() == "");
}

BOOST_AUTO_TEST_CASE(news_of_an_abandoned_incarnation_do_not_touch_its_successor) {
    machine m({make_child("a")});
    m.start();
    m.started("a");
    BOOST_TEST(m.submit(child_request::kind::kill, "a", 1) == "force a, set a 1000, answer 1");
    m.now += 1s;
    BOOST_TEST(m.deadline("a") == "abandon a, spawn a2");
    m.core.started(m["a"], 1, {}, m.now);
    BOOST_TEST(m.take() == "");
    BOOST_CHECK(m["a"].now == supervised_child::phase::starting);
    m.core.ended(m["a"], 1, ended_by(kind::failed), m.now);
    BOOST_TEST(m.take() == "");
    BOOST_TEST(m.started("a") == "");
    BOOST_CHECK(m["a"].now == supervised_child::phase::running);
}

BOOST_AUTO_TEST_CASE(failed_restart_is_repeated_behind_the_calls) {
    machine m({make_child("a")});
    m.start();
    m.started("a");
    BOOST_TEST(m.ends("a", kind::failed) == "spawn a2");
    BOOST_TEST(m.ends("a", kind::failed) == "repeat a");
    BOOST_TEST(m.submit(child_request::kind::read, "", 1) == "answer 1");
    BOOST_TEST(m.submit(child_request::kind::restart, "a", 2) == "answer 2 running");
    m.repeat("a", 2);
    BOOST_TEST(m.take() == "spawn a3");
    BOOST_TEST(m.ends("a", kind::failed) == "repeat a");
    BOOST_TEST(m.submit(child_request::kind::terminate, "a", 3) == "answer 3");
    m.repeat("a", 3);
    BOOST_TEST(m.take() == ""); // nobody wants it any more
}

BOOST_AUTO_TEST_CASE(calls_wait_for_the_initial_start) {
    machine m({make_child("a")});
    BOOST_TEST(m.submit(child_request::kind::read, "", 1) == "");
    m.start();
    BOOST_TEST(m.submit(child_request::kind::start, "b", 2) == "");
    BOOST_TEST(m.started("a") == "started, answer 1, spawn b1");
    BOOST_TEST(m.started("b") == "answer 2");
}

BOOST_AUTO_TEST_CASE(every_call_is_answered_when_it_stops) {
    machine m({make_child("a")});
    m.start();
    m.started("a");
    m.submit(child_request::kind::start, "b", 1);
    m.submit(child_request::kind::terminate, "a", 2);
    m.submit(child_request::kind::restart, "a", 3);
    m.core.stop(m.now);
    BOOST_TEST(m.take() == "ask b, set b 5000");
    BOOST_TEST(m.ends("b", kind::cancelled) == "clear b, answer 1 no_such_supervisor");
    BOOST_TEST(m.ends("a", kind::cancelled) ==
               "clear a, answer 2, answer 3 no_such_supervisor, finished");
}

BOOST_AUTO_TEST_CASE(force_visits_all_at_once) {
    machine m({make_child("a"), make_child("b")});
    m["a"].shutdown = shutdown_policy::infinity();
    m.start();
    m.started("a");
    m.started("b");
    m.core.stop(m.now);
    m.take();
    m.core.force(m.now);
    BOOST_TEST(m.take() == "force b, clear b, force a, set all 1000");
    m.ends("a", kind::cancelled);
    BOOST_TEST(m.ends("b", kind::cancelled) == "clear all, finished");
    BOOST_TEST(m.core.figures().stops_killed == 2U);
}

// A hundred times the children may cost a hundred times as much, and ten times that for a bad day.
BOOST_AUTO_TEST_CASE(SUP_61_starting_and_terminating_children_is_not_quadratic) {
    const auto cost = [](int children) {
        machine m;
        m.start();
        const std::clock_t before = std::clock();
        for (int i = 0; i < children; ++i) {
            m.submit(child_request::kind::start, std::to_string(i), 1);
            m.started(std::to_string(i));
        }
        for (int i = 0; i < children; ++i) { // the first ones first: the far end of no list
            m.submit(child_request::kind::terminate, std::to_string(i), 1);
            m.ends(std::to_string(i), kind::cancelled);
            m.submit(child_request::kind::remove, std::to_string(i), 1);
        }
        BOOST_TEST(m.core.counts().specs == 0U);
        return std::clock() - before;
    };
    const std::clock_t of_1000 = cost(1000);
    BOOST_TEST(cost(100'000) <= 10 * 100 * of_1000);
}

BOOST_AUTO_TEST_CASE(siblings_stop_in_reverse_and_start_in_order) {
    machine m({make_child("a"), make_child("b"), make_child("c")},
              two_per_hour(strategy::rest_for_one));
    m.start();
    m.started("a");
    m.started("b");
    m.started("c");
    BOOST_TEST(m.ends("b", kind::failed) == "ask c, set c 5000");
    BOOST_TEST(m.submit(child_request::kind::read, "", 1) == ""); // waits
    BOOST_TEST(m.ends("c", kind::cancelled) == "clear c, spawn b2");
    BOOST_TEST(m.started("b") == "spawn c2");
    BOOST_TEST(m.ends("c", kind::failed) == "repeat c, answer 1");
    m.repeat("c", 2);
    BOOST_TEST(m.take() == "spawn c3");
    BOOST_TEST(m.started("c") == "started");
}

BOOST_AUTO_TEST_CASE(crash_while_siblings_restart_waits_for_them) {
    machine m({make_child("a"), make_child("b"), make_child("c")},
              two_per_hour(strategy::rest_for_one));
    m.start();
    m.started("a");
    m.started("b");
    m.started("c");
    m.ends("b", kind::failed);
    BOOST_TEST(m.ends("a", kind::failed) == "");
    BOOST_TEST(m.ends("c", kind::cancelled) == "clear c, spawn b2");
    BOOST_TEST(m.started("b") == "spawn c2");
    BOOST_TEST(m.started("c") == "started, ask c, set c 5000"); // a's turn
    BOOST_TEST(m.ends("c", kind::cancelled) == "clear c, ask b, set b 5000");
    BOOST_TEST(m.ends("b", kind::cancelled) == "clear b, spawn a2");
}

BOOST_AUTO_TEST_CASE(stop_that_overtakes_a_restart_of_siblings_starts_nobody) {
    machine m({make_child("a"), make_child("b")}, two_per_hour(strategy::one_for_all));
    m.start();
    m.started("a");
    m.started("b");
    BOOST_TEST(m.ends("a", kind::failed) == "ask b, set b 5000");
    m.core.stop(m.now);
    BOOST_TEST(m.take() == ""); // b has been asked
    BOOST_TEST(m.ends("b", kind::cancelled) == "clear b, finished");
}

BOOST_AUTO_TEST_SUITE_END()
