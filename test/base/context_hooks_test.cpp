#include "base/context_hooks.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <boost/test/unit_test.hpp>

#include <functional>
#include <memory>

namespace asio = boost::asio;
using lifeguard::detail::context_bound;
using lifeguard::detail::context_hooks;

namespace {

struct bound final : context_bound {
    void context_shutdown() noexcept override {
        ++told;
        if (then)
            then();
    }
    int told = 0;
    std::function<void()> then;
};

/// Does `f` when it is destroyed.
struct at_end {
    explicit at_end(std::function<void()> g) : f(std::move(g)) {}
    ~at_end() { f(); }
    std::function<void()> f;
};

} // namespace

BOOST_AUTO_TEST_SUITE(context_hook)

BOOST_AUTO_TEST_CASE(each_is_told_once_when_the_context_ends) {
    const auto a = std::make_shared<bound>(), b = std::make_shared<bound>();
    {
        asio::io_context io;
        context_hooks::of(io.get_executor()).add(a);
        context_hooks::of(asio::make_strand(io)).add(b);
        io.run();
        BOOST_TEST(a->told == 0);
    }
    BOOST_TEST(a->told == 1);
    BOOST_TEST(b->told == 1);
}

BOOST_AUTO_TEST_CASE(contexts_have_their_own) {
    const auto a = std::make_shared<bound>(), b = std::make_shared<bound>();
    asio::io_context long_lived;
    context_hooks::of(long_lived.get_executor()).add(b);
    {
        asio::io_context io;
        context_hooks::of(io.get_executor()).add(a);
    }
    BOOST_TEST(a->told == 1);
    BOOST_TEST(b->told == 0);
}

BOOST_AUTO_TEST_CASE(one_that_has_ended_is_not_missed) {
    const auto a = std::make_shared<bound>();
    auto b = std::make_shared<bound>();
    asio::io_context io;
    auto& hooks = context_hooks::of(io.get_executor());
    hooks.add(b);
    b.reset();
    for (int i = 0; i < 1000; ++i) // makes it forget those that are gone, and only those
        hooks.add(i == 100 ? a : std::make_shared<bound>());
}

BOOST_AUTO_TEST_CASE(the_living_survive_the_forgetting_of_the_dead) {
    std::vector<std::shared_ptr<bound>> all;
    {
        asio::io_context io;
        auto& hooks = context_hooks::of(io.get_executor());
        for (int i = 0; i < 1000; ++i) {
            all.push_back(std::make_shared<bound>());
            hooks.add(all.back());
            hooks.add(std::make_shared<bound>());
        }
    }
    for (const auto& one : all)
        BOOST_TEST(one->told == 1);
}

BOOST_AUTO_TEST_CASE(one_that_comes_while_others_are_told_is_told_too) {
    const auto a = std::make_shared<bound>(), b = std::make_shared<bound>();
    {
        asio::io_context io;
        auto& hooks = context_hooks::of(io.get_executor());
        a->then = [&] { hooks.add(b); };
        hooks.add(a);
    }
    BOOST_TEST(a->told == 1);
    BOOST_TEST(b->told == 1);
}

BOOST_AUTO_TEST_CASE(one_that_may_end_while_it_is_told) {
    auto a = std::make_shared<bound>();
    std::weak_ptr<bound> weak = a;
    {
        asio::io_context io;
        a->then = [&] { a.reset(); };
        context_hooks::of(io.get_executor()).add(a);
    }
    BOOST_TEST(weak.expired());
}

// The context destroys its handlers after the hooks have been told.
BOOST_AUTO_TEST_CASE(one_that_comes_after_the_others_is_told_at_once) {
    const auto first = std::make_shared<bound>(), late = std::make_shared<bound>();
    int told_when_added = -1;
    {
        asio::io_context io;
        const auto executor = io.get_executor();
        context_hooks::of(executor).add(first);
        const auto last_words = std::make_shared<at_end>([&, executor] {
            context_hooks::of(executor).add(late);
            told_when_added = late->told;
        });
        asio::post(io, [last_words] {});
    }
    BOOST_TEST(first->told == 1);
    BOOST_TEST(told_when_added == 1);
    BOOST_TEST(late->told == 1);
}

BOOST_AUTO_TEST_SUITE_END()
