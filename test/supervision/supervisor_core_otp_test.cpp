// The core against a model of OTP's supervisor, in a world where starts and stops take no time:
// after every event both must have the same children up, the same answers and the same fate.
#include "supervision/supervisor_core.hpp"
#include "support/seed.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <deque>
#include <map>
#include <random>
#include <string>
#include <tuple>
#include <utility>

using namespace std::chrono_literals;
using namespace lifeguard;

BOOST_AUTO_TEST_SUITE(supervisor_core_otp)

namespace {

enum class start_result { ok, fails, ignores };
enum class way { returns, leaves, crashes, killed };

struct rules {
    lifeguard::strategy strategy = strategy::one_for_one;
    lifeguard::auto_shutdown auto_shutdown = auto_shutdown::never;
    unsigned intensity = 3;
    duration period = 1s;
    unsigned seed = 0;

    /// What the n-th start of a child comes to: the same for both.
    start_result start(const std::string& id, int n) const {
        std::minstd_rand drawn(seed + 31 * static_cast<unsigned>(std::hash<std::string>()(id)) +
                               static_cast<unsigned>(n));
        drawn.discard(1);
        const auto one_of = drawn() / 1024 % 12;
        if (one_of < (n == 1 ? 1 : 3)) // mostly, lives should begin
            return start_result::fails;
        return one_of == 4 ? start_result::ignores : start_result::ok;
    }
};

/// Counts the starts of each child, and knows which came since the last look, in order.
struct start_log {
    std::map<std::string, int> counts;
    std::string latest;

    int next(const std::string& id) {
        latest += id + " ";
        return ++counts[id];
    }
};

struct spec {
    std::string id;
    restart_type restart = restart_type::permanent;
    bool significant = false;
};

/// supervisor.erl, in few words. Children are found by walking a list.
class otp_model {
  public:
    explicit otp_model(const rules& r) : rules_(r) {}

    bool dead = false;
    start_log starts;
    std::size_t restarts = 0;

    void start(const std::vector<spec>& specs) {
        for (const spec& s : specs)
            children_.push_back({.of = s});
        for (std::size_t i = 0; i < children_.size() && !dead;) {
            const start_result r = start_one(children_[i]);
            if (r == start_result::fails)
                return die();
            if (r == start_result::ignores && is_temporary(children_[i]))
                children_.erase(children_.begin() + static_cast<std::ptrdiff_t>(i));
            else
                ++i;
        }
    }

    std::string exit(const std::string& id, way how) {
        child* c = find(id);
        if (c == nullptr || !c->up)
            return "not_found";
        c->up = false;
        const bool abnormal = how == way::crashes || how == way::killed;
        if (c->of.restart == restart_type::permanent ||
            (c->of.restart == restart_type::transient && abnormal)) {
            restart(id);
            return "";
        }
        const bool significant = c->of.significant;
        if (is_temporary(*c))
            forget(id);
        if (significant && (rules_.auto_shutdown == auto_shutdown::any_significant ||
                            (rules_.auto_shutdown == auto_shutdown::all_significant &&
                             std::ranges::none_of(children_, [](const child& other) {
                                 return other.of.significant && (other.up || other.retry != 0);
                             }))))
            die();
        return "";
    }

    std::string add(spec s) {
        if (is_simple())
            s.id += "/" + std::to_string(++issued_);
        else if (const child* c = find(s.id))
            return c->up || c->retry != 0 ? "already_started" : "already_present";
        children_.push_back({.of = s});
        const start_result r = start_one(children_.back());
        if (r == start_result::fails ||
            (r == start_result::ignores && is_temporary(children_.back())))
            children_.pop_back();
        return r == start_result::fails ? "start_failed" : "";
    }

    std::string terminate(const std::string& id) {
        child* c = find(id);
        if (c == nullptr)
            return is_simple() && std::stoull(id.substr(2)) <= issued_ ? "" : "not_found";
        c->up = false;
        c->retry = 0;
        if (is_temporary(*c))
            forget(id);
        return "";
    }

    std::string restart_by_call(const std::string& id) {
        if (is_simple())
            return "simple_one_for_one";
        child* c = find(id);
        if (c == nullptr)
            return "not_found";
        if (c->up || c->retry != 0)
            return "running";
        return start_one(*c) == start_result::fails ? "start_failed" : "";
    }

    std::string remove(const std::string& id) {
        if (is_simple())
            return "simple_one_for_one";
        const child* c = find(id);
        if (c == nullptr)
            return "not_found";
        if (c->up || c->retry != 0)
            return "running";
        forget(id);
        return "";
    }

    void try_again() {
        if (again_.empty())
            return;
        const auto [id, number] = again_.front();
        again_.pop_front();
        if (child* c = find(id); c != nullptr && c->retry == number) {
            c->retry = 0;
            restart(id);
        }
    }

    void pass(duration by) { now_ += by; }
    void stop() { die(); }

    std::string look() const {
        if (dead)
            return "dead";
        std::string all;
        for (const child& c : children_)
            all += c.of.id + (c.up ? "+ " : c.retry != 0 ? "? " : "- ");
        return all;
    }

  private:
    struct child {
        spec of;
        bool up = false;
        int retry = 0; ///< the try_again that is under way; 0: none
    };

    bool is_simple() const { return rules_.strategy == strategy::simple_one_for_one; }
    bool is_temporary(const child& c) const {
        return c.of.restart == restart_type::temporary || is_simple();
    }
    child* find(const std::string& id) {
        const auto found = std::ranges::find(children_, id, [](const child& c) { return c.of.id; });
        return found == children_.end() ? nullptr : &*found;
    }
    void forget(const std::string& id) {
        std::erase_if(children_, [&](const child& c) { return c.of.id == id; });
    }
    void die() {
        dead = true;
        children_.clear();
    }
    start_result start_one(child& c) {
        const start_result r = rules_.start(c.of.id, starts.next(c.of.id));
        c.up = r == start_result::ok;
        c.retry = 0;
        return r;
    }
    void restart(const std::string& id) {
        std::erase_if(times_, [&](time_point t) { return now_ - t > rules_.period; });
        times_.push_back(now_);
        if (times_.size() > rules_.intensity)
            return die();
        ++restarts;
        const auto at = std::ranges::find(children_, id, [](const child& c) { return c.of.id; });
        auto first = static_cast<std::size_t>(at - children_.begin());
        std::vector<std::string> affected{id};
        if (rules_.strategy == strategy::one_for_all)
            first = 0;
        if (rules_.strategy == strategy::one_for_all || rules_.strategy == strategy::rest_for_one) {
            affected.clear();
            for (std::size_t i = first; i < children_.size();) {
                children_[i].up = false;
                children_[i].retry = 0;
                if (children_[i].of.restart == restart_type::temporary) {
                    children_.erase(children_.begin() + static_cast<std::ptrdiff_t>(i));
                } else {
                    affected.push_back(children_[i++].of.id);
                }
            }
        }
        for (const std::string& one : affected) {
            child& c = *find(one);
            const start_result r = start_one(c);
            if (r == start_result::fails) {
                c.retry = ++retries_;
                again_.emplace_back(one, c.retry);
                return;
            }
            if (r == start_result::ignores && is_simple())
                forget(one);
        }
    }

    const rules rules_;
    std::vector<child> children_;
    std::vector<time_point> times_;
    time_point now_;
    std::deque<std::pair<std::string, int>> again_;
    int retries_ = 0;
    unsigned long long issued_ = 0;
};

/// The core in the same world: what it wants done is done at once.
class timeless_core {
  public:
    explicit timeless_core(const rules& r) : rules_(r), core_(options(r)) {}

    start_log starts;

    void start(const std::vector<spec>& specs) {
        for (const spec& s : specs)
            core_.add(make(s));
        if (rules_.strategy == strategy::simple_one_for_one)
            core_.set_template(make({.id = "p"}));
        core_.start(now_);
        carry_out();
    }
    std::string exit(const std::string& id, way how) {
        if (how == way::killed)
            return ask(detail::child_request::kind::kill, id);
        detail::supervised_child* c = core_.find(id);
        if (c == nullptr || !c->is_alive())
            return "not_found";
        using kind = detail::child_end::kind;
        detail::child_end end;
        end.what = how == way::returns  ? kind::returned
                   : how == way::leaves ? kind::exit_shutdown
                                        : kind::failed;
        core_.ended(*c, c->incarnation, end, now_);
        carry_out();
        return "";
    }
    std::string add(const spec& s) { return ask(detail::child_request::kind::start, "", make(s)); }
    std::string ask(detail::child_request::kind what, const std::string& id,
                    detail::child_ptr fresh = {}) {
        detail::child_request r;
        r.what = what;
        r.id = id;
        r.child = std::move(fresh);
        r.from = 1;
        answer_.reset();
        core_.submit(std::move(r), now_);
        carry_out();
        return answer_.value_or("no answer");
    }
    void try_again() {
        if (again_.empty())
            return;
        detail::child_request r;
        r.what = detail::child_request::kind::repeat;
        std::tie(r.child, r.incarnation) = std::move(again_.front());
        again_.pop_front();
        core_.submit(std::move(r), now_);
        carry_out();
    }
    void pass(duration by) { now_ += by; }
    void stop() {
        core_.stop(now_);
        carry_out();
    }

    std::string look() const {
        using phase = detail::supervised_child::phase;
        if (core_.mode_now() == detail::supervisor_core::mode::ended)
            return "dead";
        if (core_.mode_now() != detail::supervisor_core::mode::running)
            return "busy";
        std::string all;
        for (const auto& c : core_.children())
            all += c.id + (c.now == phase::running      ? "+ "
                           : c.now == phase::restarting ? "? "
                           : c.now == phase::down       ? "- "
                                                        : "! ");
        return all;
    }

  private:
    static supervisor_options options(const rules& r) {
        supervisor_options o;
        o.strategy = r.strategy;
        o.auto_shutdown = r.auto_shutdown;
        o.intensity = r.intensity;
        o.period = r.period;
        return o;
    }
    static detail::child_ptr make(const spec& s) {
        detail::child_ptr c(new detail::supervised_child);
        c->id = s.id;
        c->restart = s.restart;
        c->significant = s.significant;
        c->shutdown = shutdown_policy::after(5s);
        return c;
    }

    void carry_out() {
        detail::supervisor_actions actions;
        while (core_.has_actions()) {
            core_.take_actions(actions);
            for (auto& a : actions)
                std::visit([this](auto& x) { perform(x); }, a);
            actions.clear();
        }
    }
    void end(detail::supervised_child& c, detail::child_end::kind how) {
        detail::child_end end;
        end.what = how;
        core_.ended(c, c.incarnation, end, now_);
    }
    void perform(detail::action::spawn& a) {
        switch (rules_.start(a.child->id, starts.next(a.child->id))) {
        case start_result::ok:
            return core_.started(*a.child, a.child->incarnation, {}, now_);
        case start_result::fails:
            return end(*a.child, detail::child_end::kind::failed);
        case start_result::ignores:
            return end(*a.child, detail::child_end::kind::ignored);
        }
    }
    void perform(detail::action::request_stop& a) {
        end(*a.child, detail::child_end::kind::cancelled);
    }
    void perform(detail::action::force& a) { end(*a.child, detail::child_end::kind::cancelled); }
    void perform(detail::action::repeat_restart& a) { again_.emplace_back(a.child, a.incarnation); }
    void perform(detail::action::answer& a) {
        answer_ = a.code ? std::string(name_of(*a.code)) : std::string();
    }
    template <typename Other>
    void perform(Other&) {}

    const rules rules_;
    detail::supervisor_core core_;
    time_point now_;
    std::deque<std::pair<detail::child_ptr, unsigned>> again_;
    std::optional<std::string> answer_;
};

/// One random life, told to both.
struct life {
    explicit life(unsigned seed) : random(seed), r(draw(seed)), model(r), core(r) {}

    int up_to(int n) { return std::uniform_int_distribution<int>(0, n)(random); }

    rules draw(unsigned seed) {
        rules drawn;
        drawn.seed = seed;
        drawn.strategy = static_cast<strategy>(up_to(3));
        drawn.auto_shutdown = static_cast<auto_shutdown>(std::max(0, up_to(6) - 4));
        drawn.intensity = static_cast<unsigned>(up_to(8));
        return drawn;
    }
    bool is_simple() const { return r.strategy == strategy::simple_one_for_one; }
    spec some_spec(std::string id) {
        spec s{.id = std::move(id), .restart = static_cast<restart_type>(up_to(2))};
        s.significant = r.auto_shutdown != auto_shutdown::never &&
                        s.restart != restart_type::permanent && up_to(1) == 0;
        return s;
    }
    std::string some_id() {
        return (is_simple() ? "p/" : "c") + std::to_string(1 + up_to(is_simple() ? 20 : 6));
    }

    void play(int steps) {
        std::vector<spec> specs;
        for (int i = 1; i <= 4 && !is_simple(); ++i)
            specs.push_back(some_spec("c" + std::to_string(i)));
        model.start(specs);
        core.start(specs);
        compare("start");
        for (int i = 0; i < steps && !model.dead; ++i)
            step();
        model.stop();
        core.stop();
        compare("stop");
    }

    void step() {
        using kind = detail::child_request::kind;
        const std::string id = some_id();
        ++taken;
        switch (up_to(9)) {
        case 0:
        case 1: {
            const spec s = some_spec(is_simple() ? "p" : id);
            return compare("add " + s.id, model.add(s), core.add(s));
        }
        case 2:
            return compare("terminate " + id, model.terminate(id), core.ask(kind::terminate, id));
        case 3:
            return compare("restart " + id, model.restart_by_call(id), core.ask(kind::restart, id));
        case 4:
            return compare("remove " + id, model.remove(id), core.ask(kind::remove, id));
        case 5:
        case 6: {
            const auto how = static_cast<way>(up_to(3));
            return compare("end " + id, model.exit(id, how), core.exit(id, how));
        }
        case 7:
        case 8:
            model.try_again();
            core.try_again();
            return compare("again");
        case 9: {
            const auto by = std::chrono::milliseconds(up_to(500));
            model.pass(by);
            core.pass(by);
        }
        }
    }

    void compare(const std::string& what, const std::string& expected = {},
                 const std::string& answer = {}) {
        const auto same = [&](const std::string& otp, const std::string& ours) {
            if (otp != ours)
                BOOST_FAIL(what << ": " << ours << ", OTP: " << otp);
        };
        same(expected, answer);
        same(model.look(), core.look());
        same(std::exchange(model.starts.latest, {}), std::exchange(core.starts.latest, {}));
    }

    std::mt19937 random;
    rules r;
    otp_model model;
    timeless_core core;
    std::size_t taken = 0;
};

} // namespace

BOOST_AUTO_TEST_CASE(decides_as_otp_would) {
    const unsigned seed = test::first_seed();
    std::size_t steps = 0, restarts = 0;
    for (unsigned run = 0; steps < 500'000; ++run)
        BOOST_TEST_CONTEXT("seed " << seed + run) {
            life one(seed + run);
            one.play(200);
            steps += one.taken;
            restarts += one.model.restarts;
        }
    BOOST_TEST_MESSAGE(steps << " steps, " << restarts << " restarts");
    BOOST_TEST(restarts > 10'000U);
}

BOOST_AUTO_TEST_SUITE_END()
