#pragma once

#include "support/test_context.hpp"
#include <lifeguard/store.hpp>

#include <functional>
#include <string>

namespace lifeguard::test {

struct keeping {
    job_ages ages;
    std::size_t number_max = 10'000;
    std::size_t bytes_max = std::size_t{256} << 20U;
};

/// A kind of store that must behave as the cases say.
struct store_under_test {
    std::string name;
    std::function<store()> make;
    /// One that keeps finished jobs like this.
    std::function<store(const keeping& how)> make_keeping = {};
};

/// Runs `body` with each store, on one thread and on two, or cut: see `with_one_and_two_threads`.
void on_every_store(void (*body)(test_context& ctx, const store_under_test& kept));

} // namespace lifeguard::test

/// One Boost.Test case, `name`, whose body runs with every store: `kept` makes it.
#define LIFEGUARD_STORE_TEST(name)                                                                 \
    static void lifeguard_store_test_##name(::lifeguard::test::test_context& ctx,                  \
                                            const ::lifeguard::test::store_under_test& kept);      \
    BOOST_AUTO_TEST_CASE(name, *boost::unit_test::label("coroutine")) {                            \
        ::lifeguard::test::on_every_store(&lifeguard_store_test_##name);                           \
    }                                                                                              \
    static void lifeguard_store_test_##name(                                                       \
        [[maybe_unused]] ::lifeguard::test::test_context& ctx,                                     \
        [[maybe_unused]] const ::lifeguard::test::store_under_test& kept)
