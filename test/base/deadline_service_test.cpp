#include "base/deadline_service.hpp"
#include "support/test_context.hpp"

#include <boost/asio/executor_work_guard.hpp>

#include <atomic>
#include <functional>
#include <string>
#include <thread>
#include <vector>

using namespace lifeguard;
using namespace std::chrono_literals;
using detail::deadline;
using detail::deadline_service;

namespace {

/// Does `f` when it expires.
struct probe final : deadline {
    explicit probe(std::function<void(time_point)> g) : f(std::move(g)) {}
    void expired(time_point now) override { f(now); }
    std::function<void(time_point)> f;
};

/// Writes its name down when it expires.
struct names {
    std::shared_ptr<probe> make(const std::string& name) {
        return std::make_shared<probe>([this, name](time_point) { expired += name; });
    }
    std::string expired;
};

/// Counts how often alarms are set, which costs a system call in real life.
class counting_time final : public time_source {
  public:
    explicit counting_time(std::shared_ptr<time_source> t) : below_(std::move(t)) {}

    time_point now() const noexcept override { return below_->now(); }
    wall_time wall_now() const noexcept override { return below_->wall_now(); }
    std::unique_ptr<lifeguard::alarm> make_alarm(asio::any_io_executor executor,
                                                 std::function<void()> wake) override {
        return std::make_unique<counted>(*this, below_->make_alarm(executor, std::move(wake)));
    }

    int sets = 0;
    int alarms = 0;

  private:
    struct counted final : lifeguard::alarm {
        counted(counting_time& t, std::unique_ptr<lifeguard::alarm> a)
            : time(t), below(std::move(a)) {
            ++time.alarms;
        }
        void set(time_point at) override {
            ++time.sets;
            below->set(at);
        }
        void clear() override { below->clear(); }
        counting_time& time;
        std::unique_ptr<lifeguard::alarm> below;
    };
    std::shared_ptr<time_source> below_;
};

} // namespace

BOOST_AUTO_TEST_SUITE(deadlines)

LIFEGUARD_TEST(expire_in_order_at_their_time) {
    const auto service = deadline_service::of(ctx.executor(), ctx.time);
    names seen;
    const auto c = seen.make("c"), a = seen.make("a"), d = seen.make("d"), b = seen.make("b");
    const auto now = ctx.time->now();
    service->arm(*c, now + 2s);
    service->arm(*a, now + 1s);
    service->arm(*d, now + 3s);
    service->arm(*b, now + 1s); // as early as a, and armed later
    BOOST_TEST(service->armed() == 4u);
    ctx.advance(1s - 1ns);
    BOOST_TEST(seen.expired == "");
    ctx.advance(1ns);
    BOOST_TEST(seen.expired == "ab");
    ctx.advance(10s);
    BOOST_TEST(seen.expired == "abcd");
    BOOST_TEST(service->armed() == 0u);
}

LIFEGUARD_TEST(all_that_are_due_expire_together_in_order) {
    const auto service = deadline_service::of(ctx.executor(), ctx.time);
    names seen;
    const auto b = seen.make("b"), a = seen.make("a");
    service->arm(*b, ctx.time->now() + 2s);
    service->arm(*a, ctx.time->now() + 1s);
    ctx.time->advance(1h); // past both
    ctx.settle();
    BOOST_TEST(seen.expired == "ab");
}

LIFEGUARD_TEST(one_in_the_past_expires_at_once) {
    const auto service = deadline_service::of(ctx.executor(), ctx.time);
    time_point seen;
    const auto past = std::make_shared<probe>([&](time_point now) { seen = now; });
    service->arm(*past, ctx.time->now() - 1h);
    ctx.settle();
    BOOST_TEST((seen == ctx.time->now()));
}

LIFEGUARD_TEST(many_share_one_alarm_that_is_set_seldom) {
    const auto time = std::make_shared<counting_time>(ctx.time);
    const auto service = deadline_service::of(ctx.executor(), time);
    int expired = 0;
    std::vector<std::shared_ptr<probe>> all;
    const auto now = ctx.time->now();
    for (int i = 0; i < 100; ++i) {
        all.push_back(std::make_shared<probe>([&](time_point) { ++expired; }));
        service->arm(*all.back(), now + 1s + i * 1ms);
    }
    BOOST_TEST(time->alarms == 1);
    BOOST_TEST(ctx.time->alarms() == 1u);
    BOOST_TEST(time->sets == 1); // each was later than the one before
    // The usual life of a timeout: armed, not needed, disarmed.
    for (int i = 0; i < 99; ++i)
        service->disarm(*all[static_cast<std::size_t>(i)]);
    BOOST_TEST(time->sets == 1);
    names never;
    const auto late = never.make("l");
    service->arm(*late, now + 1h);
    service->disarm(*late);
    BOOST_TEST(time->sets == 1); // an alarm that is early only costs a look
    ctx.advance(1s);             // the alarm rings for what is gone, and is set for what is left
    BOOST_TEST(expired == 0);
    BOOST_TEST(time->sets == 2);
    ctx.advance(99ms);
    BOOST_TEST(expired == 1);
    BOOST_TEST(time->sets == 2);
}

LIFEGUARD_TEST(an_earlier_one_moves_the_alarm) {
    const auto service = deadline_service::of(ctx.executor(), ctx.time);
    names seen;
    const auto late = seen.make("l"), early = seen.make("e");
    service->arm(*late, ctx.time->now() + 1h);
    service->arm(*early, ctx.time->now() + 1s);
    BOOST_TEST((ctx.time->next_alarm() == ctx.time->now() + 1s));
    ctx.advance(1s);
    BOOST_TEST(seen.expired == "e");
    service->disarm(*late);
}

LIFEGUARD_TEST(the_last_to_be_disarmed_clears_the_alarm) {
    const auto service = deadline_service::of(ctx.executor(), ctx.time);
    names seen;
    const auto a = seen.make("a"), b = seen.make("b");
    service->arm(*a, ctx.time->now() + 1s);
    service->arm(*b, ctx.time->now() + 2s);
    service->disarm(*a);
    service->disarm(*a);
    BOOST_TEST(ctx.time->alarms() == 1u);
    service->disarm(*b);
    BOOST_TEST(ctx.time->alarms() == 0u);
    // And the next one sets it again.
    service->arm(*a, ctx.time->now() + 5s);
    BOOST_TEST(ctx.time->alarms() == 1u);
    ctx.advance(5s);
    BOOST_TEST(seen.expired == "a");
}

LIFEGUARD_TEST(arming_again_moves_it_either_way) {
    const auto service = deadline_service::of(ctx.executor(), ctx.time);
    names seen;
    const auto a = seen.make("a");
    service->arm(*a, ctx.time->now() + 1s);
    service->arm(*a, ctx.time->now() + 5s);
    BOOST_TEST(service->armed() == 1u);
    ctx.advance(4s);
    BOOST_TEST(seen.expired == "");
    service->arm(*a, ctx.time->now() + 500ms);
    ctx.advance(500ms);
    BOOST_TEST(seen.expired == "a");
    service->arm(*a, ctx.time->now() + 1s); // after it has expired
    ctx.advance(1h);
    BOOST_TEST(seen.expired == "aa");
}

LIFEGUARD_TEST(arming_earlier_never_postpones) {
    const auto service = deadline_service::of(ctx.executor(), ctx.time);
    names seen;
    const auto a = seen.make("a");
    const auto now = ctx.time->now();
    service->arm_earlier(*a, now + 5s);
    service->arm_earlier(*a, now + 9s);
    BOOST_TEST((ctx.time->next_alarm() == now + 5s));
    service->arm_earlier(*a, now + 2s);
    BOOST_TEST(service->armed() == 1u);
    ctx.advance(2s);
    BOOST_TEST(seen.expired == "a");
    service->arm_earlier(*a, now + 9s); // it is armed no more
    ctx.advance(1h);
    BOOST_TEST(seen.expired == "aa");
}

LIFEGUARD_TEST(expired_may_arm_and_disarm) {
    const auto service = deadline_service::of(ctx.executor(), ctx.time);
    int ticks = 0;
    names seen;
    const auto other = seen.make("o");
    std::shared_ptr<probe> tick;
    tick = std::make_shared<probe>([&](time_point now) {
        service->disarm(*other);
        if (++ticks < 5)
            service->arm(*tick, now + 1s);
    });
    service->arm(*tick, ctx.time->now() + 1s);
    service->arm(*other, ctx.time->now() + 1500ms);
    ctx.advance(1h);
    BOOST_TEST(ticks == 5);
    BOOST_TEST(seen.expired == "");
    tick->f = nullptr; // it holds itself
}

LIFEGUARD_TEST(a_destroyed_one_is_forgotten) {
    const auto service = deadline_service::of(ctx.executor(), ctx.time);
    names seen;
    auto a = seen.make("a");
    const auto b = seen.make("b");
    service->arm(*a, ctx.time->now() + 1s);
    service->arm(*b, ctx.time->now() + 1s);
    a.reset();
    BOOST_TEST(service->armed() == 1u);
    ctx.advance(1s);
    BOOST_TEST(seen.expired == "b");
    auto c = seen.make("c");
    service->arm(*c, ctx.time->now() + 1s);
    c.reset();
    BOOST_TEST(ctx.time->alarms() == 0u);
}

LIFEGUARD_TEST(a_due_one_is_kept_alive_while_it_expires) {
    const auto service = deadline_service::of(ctx.executor(), ctx.time);
    std::shared_ptr<probe> a, b;
    std::string seen;
    a = std::make_shared<probe>([&](time_point) {
        seen += "a";
        b.reset(); // due as well, and on its way
    });
    b = std::make_shared<probe>([&](time_point) { seen += "b"; });
    service->arm(*a, ctx.time->now() + 1s);
    service->arm(*b, ctx.time->now() + 1s);
    ctx.advance(1s);
    BOOST_TEST(seen == "ab");
}

LIFEGUARD_TEST(a_context_has_one_service_for_each_time_source) {
    const auto service = deadline_service::of(ctx.executor(), ctx.time);
    const asio::any_io_executor strand = asio::make_strand(ctx.io);
    BOOST_TEST(deadline_service::of(strand, ctx.time).get() == service.get());
    const auto other_time = std::make_shared<manual_time_source>();
    BOOST_TEST(deadline_service::of(strand, other_time).get() != service.get());
    asio::io_context other_context;
    BOOST_TEST(deadline_service::of(other_context.get_executor(), ctx.time).get() != service.get());
    BOOST_TEST(&service->time() == ctx.time.get());
}

LIFEGUARD_TEST(the_service_ends_with_its_last_user_and_is_made_anew) {
    names seen;
    const auto a = seen.make("a");
    std::weak_ptr<deadline_service> first = deadline_service::of(ctx.executor(), ctx.time);
    BOOST_TEST(first.expired());
    {
        const auto service = deadline_service::of(ctx.executor(), ctx.time);
        first = service;
        service->arm(*a, ctx.time->now() + 1s);
    }
    BOOST_TEST(!first.expired()); // an armed deadline keeps it
    ctx.advance(1s);
    BOOST_TEST(seen.expired == "a");
    BOOST_TEST(first.expired());
}

BOOST_AUTO_TEST_CASE(the_context_may_end_first) {
    names seen;
    const auto a = seen.make("a"), b = seen.make("b");
    for (const bool real : {false, true}) {
        const auto manual = std::make_shared<manual_time_source>();
        const std::shared_ptr<time_source> time =
            real ? real_time_source() : std::shared_ptr<time_source>(manual);
        auto io = std::make_unique<asio::io_context>();
        const auto service = deadline_service::of(io->get_executor(), time);
        service->arm(*a, time->now() + 1h);
        io.reset();
        BOOST_TEST(manual->alarms() == 0u);
        service->arm(*b, time->now() + 1h); // nobody is left to wake it
        service->disarm(*a);
        service->disarm(*b);
        BOOST_TEST(service->armed() == 0u);
    }
    BOOST_TEST(seen.expired == "");
}

BOOST_AUTO_TEST_CASE(a_deadline_may_end_after_context_and_service) {
    names seen;
    const auto a = seen.make("a");
    const auto time = std::make_shared<manual_time_source>();
    {
        asio::io_context io;
        deadline_service::of(io.get_executor(), time)->arm(*a, time->now() + 1h);
    }
    time->advance(2h);
    BOOST_TEST(seen.expired == "");
}

BOOST_AUTO_TEST_CASE(run_returns_when_nothing_is_armed) {
    asio::io_context io;
    const auto time = real_time_source();
    const auto service = deadline_service::of(io.get_executor(), time);
    names seen;
    const auto a = seen.make("a"), b = seen.make("b");
    service->arm(*a, time->now() + 1h);
    service->arm(*b, time->now() + 5ms);
    asio::post(io, [&] { service->disarm(*a); });
    io.run();
    BOOST_TEST(seen.expired == "b");
}

// Two threads run the context while two others arm, move, disarm and destroy, and time goes by.
BOOST_AUTO_TEST_CASE(threads_may_do_everything_at_once) {
    const auto time = std::make_shared<manual_time_source>();
    asio::io_context io(2);
    auto work = asio::make_work_guard(io);
    const auto service = deadline_service::of(io.get_executor(), time);
    std::atomic<int> expired = 0;
    std::atomic<bool> stop = false;

    const auto user = [&](unsigned seed) {
        std::vector<std::shared_ptr<probe>> mine(16);
        for (int i = 0; i < 4000 || expired < 100; ++i) {
            seed = seed * 1664525 + 1013904223;
            auto& d = mine[(seed >> 16) % mine.size()];
            const auto at = time->now() + std::chrono::milliseconds((seed >> 8) % 64);
            switch ((seed >> 24) % 4) {
            case 0:
                d = std::make_shared<probe>([&](time_point) { ++expired; });
                service->arm(*d, at);
                break;
            case 1:
                d.reset();
                break;
            case 2:
                if (d)
                    service->disarm(*d);
                break;
            default:
                if (d)
                    service->arm(*d, at);
                break;
            }
        }
    };
    std::vector<std::thread> threads;
    threads.emplace_back([&] { io.run(); });
    threads.emplace_back([&] { io.run(); });
    std::thread clock([&] {
        while (!stop)
            time->advance(1ms);
    });
    std::thread other([&] { user(1); });
    user(2);
    other.join();
    stop = true;
    clock.join();
    work.reset();
    for (auto& thread : threads)
        thread.join();
    BOOST_TEST(service->armed() == 0u);
    BOOST_TEST(time->alarms() == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
