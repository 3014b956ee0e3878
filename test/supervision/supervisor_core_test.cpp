// The core alone: no coroutine, no executor, no clock. First by example, then with random events against a
// model that knows the rules but not the code.
#include "supervision/supervisor_core.hpp"

#include "supervision/seed.hpp"

#include <boost/test/unit_test.hpp>

#include <deque>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::detail;

BOOST_AUTO_TEST_SUITE(supervisor_core)

namespace {

constexpr lifeguard::detail::supervisor_core::limits two_per_hour{
    .intensity = 2, .period = 1h, .kill_grace = 1s, .abandoned_max = 64};

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
            const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(x.at - time_point());
            return "set " + x.child->id + " " + std::to_string(ms.count());
        }
        std::string operator()(const action::clear_deadline& x) const { return "clear " + x.child->id; }
        std::string operator()(const action::repeat_restart& x) const { return "repeat " + x.child->id; }
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
                     const lifeguard::detail::supervisor_core::limits& limits = two_per_hour)
        : core(limits) {
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
        core.deadline_passed(c, c.work->deadline, now);
        return take();
    }
    std::string submit(child_request::kind what, const std::string& id, ticket from) {
        child_request r;
        r.what = what;
        r.from = from;
        if (what == child_request::kind::start)
            r.fresh = make_child(id);
        else
            r.id = id;
        core.submit(std::move(r), now);
        return take();
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
    m.core.deadline_passed(m["a"], first, m.now);
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
    m.core.repeat_restart(m["a"], 2, m.now);
    BOOST_TEST(m.take() == "spawn a3");
    BOOST_TEST(m.ends("a", kind::failed) == "repeat a");
    BOOST_TEST(m.submit(child_request::kind::terminate, "a", 3) == "answer 3");
    m.core.repeat_restart(m["a"], 3, m.now);
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
    BOOST_TEST(m.take() == "force b, set b 1000, force a, set a 1000");
    m.ends("a", kind::cancelled);
    BOOST_TEST(m.ends("b", kind::cancelled) == "clear b, finished");
    BOOST_TEST(m.core.figures().stops_killed == 2U);
}

// ---- random events against a model

namespace {

/// Which ways a child may be in, and what may happen to it next, written down without the core's help.
struct model_child {
    restart_type restart = restart_type::permanent;
    unsigned incarnation = 0;
    bool alive = false;
    bool started = false; ///< its handshake is over
    bool stopping = false;
    bool forced = false;
    std::optional<std::uint64_t> deadline;
};

struct random_run {
    explicit random_run(unsigned seed) : random(seed) {}

    int up_to(int n) { return std::uniform_int_distribution<int>(0, n)(random); }

    std::mt19937 random;
    lifeguard::detail::supervisor_core core{
        {.intensity = 50, .period = 1s, .kill_grace = 50ms, .abandoned_max = 1000}};
    time_point now = time_point();
    std::map<const supervised_child*, child_ptr> known; ///< removed ones, too
    std::map<const supervised_child*, model_child> model;
    std::multimap<const supervised_child*, unsigned> abandoned;
    std::deque<std::pair<child_ptr, unsigned>> repeats;
    std::set<ticket> open;
    ticket tickets = 0;
    int ids = 0;
    bool finished = false;
    bool stopped = false;
    std::vector<time_point> restarts;
    std::size_t restarted = 0;
    std::size_t left_down = 0;

    void see(const action::spawn& a) {
        auto& m = model[a.child.get()];
        known[a.child.get()] = a.child;
        BOOST_REQUIRE_MESSAGE(!m.alive, "two incarnations of " << a.child->id);
        BOOST_REQUIRE_GT(a.child->incarnation, m.incarnation);
        BOOST_REQUIRE_MESSAGE(!stopped, "spawned while stopping");
        m = model_child();
        m.restart = a.child->restart;
        m.incarnation = a.child->incarnation;
        m.alive = true;
    }
    void see(const action::request_stop& a) {
        auto& m = model[a.child.get()];
        BOOST_REQUIRE(m.alive);
        BOOST_REQUIRE(!m.stopping);
        m.stopping = true;
    }
    void see(const action::force& a) {
        auto& m = model[a.child.get()];
        BOOST_REQUIRE(m.alive);
        BOOST_REQUIRE_MESSAGE(!m.forced, "forced twice");
        m.stopping = m.forced = true;
    }
    void see(const action::abandon& a) {
        auto& m = model[a.child.get()];
        BOOST_REQUIRE_MESSAGE(m.alive && m.forced, "abandoned before it was forced");
        m.alive = false;
        abandoned.emplace(a.child.get(), m.incarnation);
    }
    void see(const action::set_deadline& a) {
        BOOST_REQUIRE(a.at >= now);
        model[a.child.get()].deadline = a.deadline;
    }
    void see(const action::clear_deadline& a) { model[a.child.get()].deadline.reset(); }
    void see(const action::repeat_restart& a) { repeats.emplace_back(a.child, a.incarnation); }
    void see(const action::answer& a) {
        BOOST_REQUIRE_MESSAGE(open.erase(a.to) == 1, "answered twice, or nobody asked");
    }
    void see(const action::emit& a) {
        if (a.what == supervisor_event::kind::restart_scheduled) {
            std::erase_if(restarts, [&](time_point t) { return now - t > 1s; });
            restarts.push_back(now);
            BOOST_REQUIRE_LE(restarts.size(), 50U);
        }
        if (a.what == supervisor_event::kind::gave_up)
            BOOST_REQUIRE_GE(restarts.size(), 50U);
    }
    void see(const action::started&) {}
    void see(const action::finished&) {
        BOOST_REQUIRE(!finished);
        finished = true;
        for (const auto& [c, m] : model)
            BOOST_REQUIRE_MESSAGE(!m.alive, "finished before " << known[c]->id);
    }

    void carry_out() {
        supervisor_actions actions;
        core.take_actions(actions);
        for (const auto& a : actions)
            std::visit([this](const auto& x) { see(x); }, a);
        check();
    }

    void check() {
        if (core.mode_now() == lifeguard::detail::supervisor_core::mode::stopping)
            stopped = true;
        BOOST_REQUIRE_EQUAL(core.figures().abandoned_live, abandoned.size());
        std::size_t alive = 0;
        for (const auto& [c, m] : model)
            alive += m.alive ? 1 : 0;
        BOOST_REQUIRE_EQUAL(core.counts().active, alive);
        std::size_t listed = 0;
        for (const auto& c : core.children()) {
            ++listed;
            BOOST_REQUIRE_EQUAL(core.find(c.id), &c);
            const auto m = model.find(&c);
            BOOST_REQUIRE_EQUAL(c.is_alive(), m != model.end() && m->second.alive);
        }
        BOOST_REQUIRE_EQUAL(core.counts().specs, listed);
    }

    supervised_child* any_alive() {
        std::vector<const supervised_child*> all;
        for (const auto& [c, m] : model)
            if (m.alive)
                all.push_back(c);
        if (all.empty())
            return nullptr;
        return known[all[static_cast<std::size_t>(up_to(static_cast<int>(all.size()) - 1))]].get();
    }

    void end(supervised_child& c) {
        auto& m = model[&c];
        m.alive = false;
        child_end::kind how = kind::failed;
        if (m.stopping && up_to(3) != 0)
            how = kind::cancelled;
        else if (up_to(2) == 0)
            how = m.started ? kind::returned : kind::ignored;
        else if (up_to(4) == 0)
            how = kind::exit_shutdown;
        if (how == kind::ignored)
            --m.incarnation;
        const bool left_alone = m.started && !m.stopping && !stopped;
        const bool wanted = m.restart == restart_type::permanent ||
                            (m.restart == restart_type::transient && how == kind::failed);
        core.ended(c, c.incarnation, ended_by(how), now);
        carry_out();
        if (!left_alone || stopped)
            return;
        BOOST_REQUIRE_EQUAL(model[&c].alive, wanted);
        BOOST_REQUIRE_EQUAL(core.find(c.id) == &c, m.restart != restart_type::temporary);
        ++(wanted ? restarted : left_down);
    }

    void request() {
        child_request r;
        r.from = ++tickets;
        open.insert(r.from);
        r.what = static_cast<child_request::kind>(up_to(5));
        if (r.what == child_request::kind::start) {
            r.fresh = make_child("c" + std::to_string(up_to(3) == 0 ? up_to(ids) : ++ids),
                                 static_cast<restart_type>(up_to(2)));
            constexpr shutdown_policy (*policies[])() = {&shutdown_policy::brutal, &shutdown_policy::infinity};
            r.fresh->shutdown = up_to(2) == 0 ? policies[up_to(1)]() : shutdown_policy::after(30ms);
            if (up_to(3) == 0)
                r.fresh->start_timeout = 20ms;
        } else {
            r.id = "c" + std::to_string(up_to(ids));
        }
        core.submit(std::move(r), now);
    }

    void late() {
        if (abandoned.empty())
            return;
        const auto one = std::next(abandoned.begin(), up_to(static_cast<int>(abandoned.size()) - 1));
        const auto [c, n] = *one;
        abandoned.erase(one);
        core.ended(*known[c], n, ended_by(kind::failed), now);
    }

    void step() {
        supervised_child* c = any_alive();
        switch (up_to(9)) {
        case 0:
        case 1:
            request();
            break;
        case 2:
        case 3:
        case 4:
            if (c != nullptr) {
                model[c].started = true;
                core.started(*c, c->incarnation, {}, now);
            }
            break;
        case 5:
        case 6:
            if (c != nullptr)
                end(*c);
            break;
        case 7:
            if (c != nullptr && model[c].deadline)
                core.deadline_passed(*c, *model[c].deadline, now);
            break;
        case 8:
            if (!repeats.empty()) {
                const auto [child, n] = repeats.front();
                repeats.pop_front();
                core.repeat_restart(*child, n, now);
            } else {
                late();
            }
            break;
        case 9:
            now += std::chrono::milliseconds(up_to(100));
            break;
        }
        carry_out();
    }

    void play(int steps) {
        for (int i = 0; i < 3; ++i)
            core.add(make_child("c" + std::to_string(++ids)));
        core.start(now);
        carry_out();
        for (int i = 0; i < steps; ++i)
            step();
        if (up_to(1) == 0) {
            core.stop(now);
            carry_out();
            for (int i = 0; i < up_to(20); ++i)
                step();
        }
        core.force(now);
        carry_out();
        while (supervised_child* c = any_alive()) {
            end(*c);
            carry_out();
        }
        BOOST_REQUIRE(finished);
        BOOST_REQUIRE_MESSAGE(open.empty(), open.size() << " calls were never answered");
    }
};

} // namespace

BOOST_AUTO_TEST_CASE(keeps_its_promises_whatever_happens) {
    const unsigned seed = test::first_seed();
    std::size_t restarted = 0, left_down = 0, abandoned = 0;
    for (unsigned run = 0; run < 2000; ++run)
        BOOST_TEST_CONTEXT("seed " << seed + run) {
            random_run r(seed + run);
            r.play(static_cast<int>(run % 200));
            restarted += r.restarted;
            left_down += r.left_down;
            abandoned += r.core.figures().abandoned_total;
        }
    // The events were worth their name.
    BOOST_TEST(restarted > 1000U);
    BOOST_TEST(left_down > 100U);
    BOOST_TEST(abandoned > 100U);
}

BOOST_AUTO_TEST_SUITE_END()
