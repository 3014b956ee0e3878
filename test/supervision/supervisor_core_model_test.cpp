// The core alone, with random events, against a model that knows the rules but not the code.
#include "supervision/supervisor_core.hpp"
#include "support/seed.hpp"

#include <boost/test/unit_test.hpp>

#include <deque>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::detail;

BOOST_AUTO_TEST_SUITE(supervisor_core_model)

namespace {

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
    return end;
}

using kind = child_end::kind;

/// Which ways a child may be in, and what may happen to it next, written down without the core's
/// help.
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
    explicit random_run(unsigned seed) : random(seed), core(rules()) {
        if (how == strategy::simple_one_for_one)
            core.set_template(make_child("c"));
    }

    int up_to(int n) { return std::uniform_int_distribution<int>(0, n)(random); }

    std::mt19937 random;
    supervisor_options rules() {
        supervisor_options o;
        o.strategy = how = static_cast<strategy>(up_to(3));
        o.auto_shutdown = static_cast<auto_shutdown>(std::max(0, up_to(10) - 8));
        o.intensity = 50;
        o.period = 1s;
        o.kill_grace = 50ms;
        o.abandoned_max = 1000;
        if (up_to(3) == 0)
            o.restart_delay.emplace();
        return o;
    }
    bool is_grouped() const {
        return how == strategy::one_for_all || how == strategy::rest_for_one;
    }
    using mode = lifeguard::detail::supervisor_core::mode;

    strategy how = strategy::one_for_one;
    lifeguard::detail::supervisor_core core;
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
    bool forced = false;
    std::optional<std::uint64_t> shared_deadline;
    std::vector<time_point> restarts;
    std::size_t restarted = 0;
    std::size_t left_down = 0;

    void see(const action::spawn& a) {
        auto& m = model[a.child.get()];
        known[a.child.get()] = a.child;
        BOOST_REQUIRE_MESSAGE(!m.alive, "two incarnations of " << a.child->id);
        BOOST_REQUIRE_GT(a.child->incarnation, m.incarnation);
        BOOST_REQUIRE_MESSAGE(!stopped, "spawned while stopping");
        if (is_grouped() && a.child->cause == supervised_child::start_cause::automatic)
            BOOST_REQUIRE_MESSAGE(is_last_alive(*a.child), "started before its turn");
        m = model_child();
        m.restart = a.child->restart;
        m.incarnation = a.child->incarnation;
        m.alive = true;
    }
    void see(const action::request_stop& a) {
        auto& m = model[a.child.get()];
        BOOST_REQUIRE(m.alive);
        BOOST_REQUIRE(!m.stopping);
        using purpose = supervised_child::stop_purpose;
        const bool in_turn =
            a.child->purpose == purpose::shutdown && !forced && a.child->work->terminators.empty();
        if (in_turn && how != strategy::simple_one_for_one)
            BOOST_REQUIRE_MESSAGE(is_last_alive(*a.child), "stopped before its turn");
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
        (a.child ? model[a.child.get()].deadline : shared_deadline) = a.deadline;
    }
    void see(const action::clear_deadline& a) {
        (a.child ? model[a.child.get()].deadline : shared_deadline).reset();
    }
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

    /// Whether no child behind it is alive.
    bool is_last_alive(const supervised_child& c) {
        for (auto next = core.children().rbegin(); next != core.children().rend(); ++next) {
            if (&*next == &c)
                return true;
            if (const auto known_as = model.find(&*next);
                known_as != model.end() && known_as->second.alive)
                return false;
        }
        return true; // it has been forgotten meanwhile
    }

    void carry_out() {
        supervisor_actions actions;
        core.take_actions(actions);
        stopped = stopped || core.mode_now() == mode::stopping || core.mode_now() == mode::ended;
        for (const auto& a : actions)
            std::visit([this](const auto& x) { see(x); }, a);
        check();
    }

    void check() {
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
        BOOST_REQUIRE_EQUAL(core.counts().specs, how == strategy::simple_one_for_one ? 1 : listed);
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

    /// A child that waits for its restart.
    supervised_child* any_delayed() {
        for (const auto& [c, m] : model)
            if (!m.alive && m.deadline && core.find(known[c]->id) == c)
                return known[c].get();
        return nullptr;
    }

    void end(supervised_child& c) {
        auto& m = model[&c];
        m.alive = false;
        child_end::kind way = kind::failed;
        if (m.stopping && up_to(3) != 0)
            way = kind::cancelled;
        else if (up_to(2) == 0)
            way = m.started ? kind::returned : kind::ignored;
        else if (up_to(4) == 0)
            way = kind::exit_shutdown;
        if (way == kind::ignored)
            --m.incarnation;
        // Who comes back at once, whatever else is going on; with siblings it takes its time.
        const bool left_alone =
            m.started && !m.stopping && !stopped && !is_grouped() && !core.options().restart_delay;
        const bool wanted = m.restart == restart_type::permanent ||
                            (m.restart == restart_type::transient && way == kind::failed);
        core.ended(c, c.incarnation, ended_by(way), now);
        carry_out();
        if (!left_alone || stopped)
            return;
        BOOST_REQUIRE_EQUAL(model[&c].alive, wanted);
        BOOST_REQUIRE_EQUAL(core.find(c.id) == &c, how == strategy::simple_one_for_one
                                                       ? wanted
                                                       : m.restart != restart_type::temporary);
        ++(wanted ? restarted : left_down);
    }

    void request() {
        child_request r;
        r.from = ++tickets;
        open.insert(r.from);
        constexpr child_request::kind kinds[] = {
            child_request::kind::start,   child_request::kind::terminate,
            child_request::kind::restart, child_request::kind::remove,
            child_request::kind::kill,    child_request::kind::read};
        r.what = kinds[up_to(5)];
        if (r.what == child_request::kind::start) {
            r.child = make_child("c" + std::to_string(up_to(3) == 0 ? up_to(ids) : ++ids),
                                 static_cast<restart_type>(up_to(2)));
            constexpr shutdown_policy (*policies[])() = {&shutdown_policy::brutal,
                                                         &shutdown_policy::infinity};
            r.child->shutdown = up_to(2) == 0 ? policies[up_to(1)]() : shutdown_policy::after(30ms);
            if (up_to(3) == 0)
                r.child->start_timeout = 20ms;
            r.child->significant = core.options().auto_shutdown != auto_shutdown::never &&
                                   r.child->restart != restart_type::permanent && up_to(1) == 0;
            if (how == strategy::simple_one_for_one)
                r.child->id.clear();
        } else {
            r.id = (how == strategy::simple_one_for_one ? "c/" : "c") + std::to_string(up_to(ids));
        }
        core.submit(std::move(r), now);
    }

    void late() {
        if (abandoned.empty())
            return;
        const auto one =
            std::next(abandoned.begin(), up_to(static_cast<int>(abandoned.size()) - 1));
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
            if (shared_deadline)
                core.deadline_passed(nullptr, *std::exchange(shared_deadline, {}), now);
            else if (c != nullptr && model[c].deadline)
                core.deadline_passed(c, *model[c].deadline, now);
            else if (supervised_child* late_one = any_delayed())
                core.deadline_passed(late_one, *model[late_one].deadline, now);
            break;
        case 8:
            if (!repeats.empty()) {
                const auto [child, n] = repeats.front();
                repeats.pop_front();
                child_request r;
                r.what = child_request::kind::repeat;
                r.child = child;
                r.incarnation = n;
                core.submit(std::move(r), now);
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
        for (int i = 0; i < 3 && how != strategy::simple_one_for_one; ++i)
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
        forced = true;
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
    for (unsigned run = 0; run < 5000; ++run)
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
