// Everything at once on one and on two threads: whatever is asked of a manager, an id has one
// worker at a time, every caller is answered, and what was asked last is what remains.
#include "dynamic/rig.hpp"
#include "support/seed.hpp"

#include <array>
#include <random>

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

BOOST_AUTO_TEST_SUITE(stress)

namespace {

constexpr std::array ids{"a", "b", "c", "d", "e"};

/// What runs now, and what has begun and ended, by id.
struct census {
    std::array<std::atomic<int>, ids.size()> inside{};
    std::atomic<int> begun = 0;
    std::atomic<int> ended = 0;

    std::atomic<int>& of(const std::string& id) {
        return inside.at(static_cast<std::size_t>(id[0] - 'a'));
    }
};

/// Counts itself in while a user's function runs.
struct visitor {
    visitor(test_context& ctx, std::atomic<int>& of) : inside(of) {
        ctx.check(++inside == 1, "one thing at a time");
    }
    visitor(const visitor&) = delete;
    visitor& operator=(const visitor&) = delete;
    ~visitor() { --inside; }
    std::atomic<int>& inside;
};

void misbehave(rig& r, census& all) {
    r.options.intensity = 1'000'000;
    r.options.mailbox_max = 20;
    r.behaviour.init = [&](json payload) {
        ++all.begun;
        return payload;
    };
    r.behaviour.terminate = [&](const exit_reason&, const std::string&, const json&) {
        ++all.ended;
    };
    r.behaviour.perform = [&](const std::string& id,
                              json payload) -> asio::awaitable<worker_outcome> {
        const visitor here(r.ctx, all.of(id));
        const int n = payload.get<int>();
        if (n % 3 == 0)
            co_await nap(r.ctx.time, std::chrono::milliseconds(n % 7));
        if (n % 11 == 0)
            throw std::runtime_error("boom");
        if (n % 13 == 0)
            co_return worker_outcome::halt();
        if (n % 17 == 0)
            co_return worker_outcome::replace(ids.at(static_cast<std::size_t>(n) % ids.size()),
                                              n + 1);
        co_return worker_outcome::replace(n + 1);
    };
    r.behaviour.call = [&](const std::string& id, json message,
                           const json&) -> asio::awaitable<json> {
        const visitor here(r.ctx, all.of(id));
        co_await nap(r.ctx.time, 1ms);
        if (message == 5)
            throw std::runtime_error("five");
        co_return message;
    };
    r.behaviour.cast = [&](const std::string& id, const json&, const json&) {
        const visitor here(r.ctx, all.of(id));
    };
}

asio::awaitable<void> one_request(rig& r, unsigned what, std::string id, int n) {
    auto& workers = *r.workers;
    switch (what % 8) {
    case 0:
    case 1: {
        const worker_rhythm rhythm{.interval = std::chrono::milliseconds(1 + n % 5)};
        co_await workers.put(std::move(id), n, rhythm);
        break;
    }
    case 2:
        co_await workers.put_new(std::move(id), n);
        break;
    case 3:
        co_await workers.del(std::move(id));
        break;
    case 4:
        workers.cast(id, n);
        break;
    case 5:
        co_await workers.call_any(n % 10);
        break;
    case 6:
        if (n % 50 == 0)
            co_await workers.restart();
        workers.state();
        break;
    default:
        co_await workers.call(std::move(id), n % 10, {.timeout = 20ms});
    }
}

} // namespace

LIFEGUARD_TEST(ids_have_one_worker_and_every_caller_is_answered) {
    const unsigned first = first_seed();
    BOOST_TEST_MESSAGE("LIFEGUARD_SEED=" << first);
    for (unsigned seed = first; seed < first + 5; ++seed) {
        BOOST_TEST_CONTEXT("LIFEGUARD_SEED=" << seed) {
            std::mt19937 random(seed);
            census all;
            rig r(ctx);
            misbehave(r, all);
            r.run();
            std::vector<test_future<void>> asked;
            for (int i = 0; i < 600; ++i) {
                std::string id = ids.at(random() % ids.size());
                asked.push_back(
                    ctx.spawn(one_request(r, static_cast<unsigned>(random()), std::move(id),
                                          static_cast<int>(random() % 500))));
                if (random() % 3 == 0)
                    ctx.advance(std::chrono::milliseconds(random() % 4));
            }
            ctx.advance(1s);
            for (auto& a : asked)
                BOOST_REQUIRE(a.ready());
            // What is asked last is what remains.
            for (const char* id : ids)
                r.put(id, 1, each(0ms));
            BOOST_TEST(r.payloads() == "a=1 b=1 c=1 d=1 e=1");
            r.del("c");
            BOOST_TEST(r.payloads() == "a=1 b=1 d=1 e=1");
            r.stop();
            BOOST_TEST(r.outcome() == "returned");
            BOOST_TEST(all.begun > 50);
            BOOST_TEST(all.begun == all.ended); // terminate: once per incarnation
            ctx.advance(1s);
        }
    }
}

BOOST_AUTO_TEST_SUITE_END()
