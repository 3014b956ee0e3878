// Random operations against a model: a multiset of counts that obeys poolboy's rules.
#include "pool/pool_accounting.hpp"
#include "support/seed.hpp"

#include <boost/test/unit_test.hpp>

#include <deque>
#include <list>
#include <random>
#include <vector>

using namespace lifeguard;
using namespace lifeguard::detail;

namespace {

struct asker : pool_waiter {
    pooled* got = nullptr;
};

/// poolboy as a list of rules about numbers; who waits, in order, and nothing else.
struct model {
    unsigned size, max, overflow = 0;
    std::size_t idle = 0, leased = 0, starting = 0, waiting = 0;

    void open() { starting = size; }
    bool checkout() { return idle != 0 && (--idle, ++leased, true); }
    void wait() {
        ++waiting;
        if (starting < waiting && overflow < max)
            ++overflow, ++starting;
    }
    void free() {
        if (waiting != 0)
            --waiting, ++leased;
        else if (overflow != 0)
            --overflow;
        else
            ++idle;
    }
    void lost() {
        if (overflow != 0 && waiting == 0)
            --overflow;
        else
            ++starting;
    }
};

class run final : public pool_actions {
  public:
    run(unsigned seed, unsigned size, unsigned max)
        : random_(seed), model_{size, max}, accounting_(size, max, reuse_order::lifo) {
        accounting_.open(*this);
        model_.open();
    }

    void step() {
        switch (random_() % 8) {
        case 0:
        case 1:
            ask();
            break;
        case 2:
            if (!leased_.empty())
                model_.leased--, model_.free(), give(take_any(leased_));
            break;
        case 3:
            if (pending_ != 0)
                --pending_, --model_.starting, model_.free(), arrive();
            break;
        case 4:
            if (!leased_.empty())
                --model_.leased, model_.lost(), accounting_.died(*take_any(leased_), *this);
            break;
        case 5:
            die_idle();
            break;
        case 6:
            if (!waiting_.empty())
                give_up();
            break;
        case 7:
            if (pending_ != 0)
                fail();
            break;
        }
        check();
    }

    void start() override { ++pending_; }
    void end(pooled&) override {}
    void grant(pool_waiter& w, pooled& p) override {
        BOOST_REQUIRE(&w == &waiting_.front()); // the longest wait first
        leased_.push_back(&p);
        waiting_.pop_front();
    }

  private:
    template <typename T>
    T take_any(std::vector<T>& from) {
        std::swap(from[random_() % from.size()], from.back());
        const T one = from.back();
        from.pop_back();
        return one;
    }
    void ask() {
        pooled* const p = accounting_.checkout();
        BOOST_REQUIRE((p != nullptr) == model_.checkout());
        if (p != nullptr)
            return leased_.push_back(p);
        model_.wait();
        accounting_.wait(waiting_.emplace_back(), *this);
    }
    void give(pooled* p) { accounting_.checkin(*p, *this); }
    void arrive() { accounting_.started(all_.emplace_back(), *this); }
    void die_idle() {
        for (pooled& p : all_) {
            if (p.at != pooled::place::idle)
                continue;
            --model_.idle;
            model_.lost();
            return accounting_.died(p, *this);
        }
    }
    void give_up() {
        auto one = std::next(waiting_.begin(), static_cast<long>(random_() % waiting_.size()));
        accounting_.give_up(*one);
        waiting_.erase(one);
        --model_.waiting;
    }
    void fail() {
        const bool needed = model_.overflow == 0 || model_.starting <= model_.waiting;
        BOOST_REQUIRE(accounting_.start_failed() == needed);
        if (!needed)
            --pending_, --model_.starting, --model_.overflow;
    }
    void check() const {
        BOOST_REQUIRE(accounting_.idle() == model_.idle);
        BOOST_REQUIRE(accounting_.leased() == model_.leased);
        BOOST_REQUIRE(accounting_.leased() == leased_.size());
        BOOST_REQUIRE(accounting_.waiting() == model_.waiting);
        BOOST_REQUIRE(accounting_.starting() == model_.starting);
        BOOST_REQUIRE(accounting_.starting() == pending_);
        BOOST_REQUIRE(accounting_.overflow() == model_.overflow);
        // All that exist are the configured ones and the overflow, and nobody waits beside an idle
        // one.
        BOOST_REQUIRE(model_.idle + model_.leased + model_.starting ==
                      model_.size + model_.overflow);
        BOOST_REQUIRE(model_.overflow <= model_.max);
        BOOST_REQUIRE((model_.idle == 0 || model_.waiting == 0));
    }

    std::mt19937 random_;
    model model_;
    pool_accounting accounting_;
    std::deque<pooled> all_;
    std::list<asker> waiting_;
    std::vector<pooled*> leased_;
    std::size_t pending_ = 0;
};

} // namespace

BOOST_AUTO_TEST_CASE(accounting_against_a_model_in_100_000_random_steps) {
    const unsigned seed = test::first_seed();
    BOOST_TEST_MESSAGE("LIFEGUARD_SEED=" << seed);
    std::mt19937 random(seed);
    for (int round = 0; round < 100; ++round) {
        const unsigned own = static_cast<unsigned>(random());
        BOOST_TEST_INFO_SCOPE("LIFEGUARD_SEED=" << seed << " round " << round);
        run one(own, static_cast<unsigned>(random() % 5), static_cast<unsigned>(random() % 5));
        for (int i = 0; i < 1000; ++i)
            one.step();
    }
}
