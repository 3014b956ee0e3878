// Spellings of a co_await expression for which g++ 12 destroys a temporary twice (see
// docs/compiler-traps.md). Each case states what the running compiler does with it: the day a case
// fails, the compiler was mended and the rule may go.
#include "compiler/probe.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/append.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/this_coro.hpp>

#include <array>
#include <functional>
#include <utility>

namespace {

using namespace lifeguard::test;

/// `f` gives 7 with every compiler, and destroys more than it made with g++ 12.
void check(shape f) {
    probe::forget_all();
    BOOST_TEST(run(f, 100).value_or(0) == 7);
    BOOST_TEST_MESSAGE("made " << probe::born << ", destroyed " << probe::died);
#if defined(__clang__)
    BOOST_TEST(probe::died == probe::born);
#elif defined(__GNUC__) && __GNUC__ == 12
    BOOST_TEST(probe::died > probe::born, "this g++ 12 no longer destroys the temporary twice");
#else
    BOOST_WARN_MESSAGE(probe::died == probe::born, "this compiler destroys the temporary twice");
#endif
}

struct options {
    probe name = probe(5);
    int size = 2;
};

asio::awaitable<int> describe(options o) {
    co_await yield();
    co_return o.name.value() + o.size;
}

asio::awaitable<int> describe_in_place(const options& o) {
    co_await yield();
    co_return o.name.value() + o.size;
}

asio::awaitable<int> first_of(std::array<probe, 1> probes) {
    co_await yield();
    co_return probes.front().value();
}

asio::awaitable<int> describe_default(options o = {}) {
    co_await yield();
    co_return o.name.value() + o.size;
}

struct operation {
    probe name;
    asio::awaitable<int> run() {
        co_await yield();
        co_return name.value();
    }
};

asio::awaitable<int> two() {
    co_await yield();
    co_return 2;
}

asio::awaitable<options> fetch() { co_return options{probe(5), co_await two()}; }

asio::awaitable<int> value_of(probe p) {
    co_await yield();
    co_return p.value();
}

int total(const options& o) { return o.name.value() + o.size; }

template <typename F>
asio::awaitable<int> execute(F f) {
    co_await yield();
    co_return f();
}

template <typename F>
asio::awaitable<int> execute_forwarded(F&& f) {
    co_await yield();
    co_return f();
}

asio::awaitable<int> execute_erased(std::function<int()> f) {
    co_await yield();
    co_return f();
}

class callable {
  public:
    template <typename F>
    callable(F f) : f_(std::move(f)) {}
    int operator()() const { return f_(); }

  private:
    std::function<int()> f_;
};

asio::awaitable<int> execute_converted(callable f) {
    co_await yield();
    co_return f();
}

template <typename F>
class prepared {
  public:
    explicit prepared(F f) : f_(std::move(f)) {}
    asio::awaitable<int> go() {
        co_await yield();
        co_return f_();
    }

  private:
    F f_;
};

} // namespace

BOOST_AUTO_TEST_SUITE(unsafe_shapes)

BOOST_AUTO_TEST_CASE(aggregate_temporary) {
    check([]() -> asio::awaitable<int> { co_return co_await describe(options{probe(5), 2}); });
    check([]() -> asio::awaitable<int> { co_return co_await describe(options(probe(5), 2)); });
    check([]() -> asio::awaitable<int> { co_return co_await describe({probe(5), 2}); });
    check([]() -> asio::awaitable<int> {
        co_return co_await describe({.name = probe(5), .size = 2});
    });
}

BOOST_AUTO_TEST_CASE(array_temporary) {
    check([]() -> asio::awaitable<int> {
        co_return co_await first_of(std::array<probe, 1>{probe(7)});
    });
}

BOOST_AUTO_TEST_CASE(aggregate_temporary_by_reference) {
    check([]() -> asio::awaitable<int> {
        co_return co_await describe_in_place({.name = probe(5), .size = 2});
    });
}

BOOST_AUTO_TEST_CASE(aggregate_as_a_default_argument) {
    check([]() -> asio::awaitable<int> { co_return co_await describe_default(); });
    check([]() -> asio::awaitable<int> { co_return co_await describe_default({}); });
}

BOOST_AUTO_TEST_CASE(member_function_of_an_aggregate_temporary) {
    check([]() -> asio::awaitable<int> { co_return co_await operation{probe(7)}.run(); });
}

BOOST_AUTO_TEST_CASE(aggregate_temporary_beside_the_awaited_operation) {
    check([]() -> asio::awaitable<int> {
        co_return total({.name = probe(3), .size = 2}) + co_await two();
    });
}

BOOST_AUTO_TEST_CASE(await_inside_of_an_aggregate) {
    check([]() -> asio::awaitable<int> {
        const options named{.name = probe(5), .size = co_await two()};
        co_return total(named);
    });
    check([]() -> asio::awaitable<int> { co_return total(co_await fetch()); });
}

BOOST_AUTO_TEST_CASE(lambda_temporary_by_value) {
    check([]() -> asio::awaitable<int> {
        const probe value(7);
        co_return co_await execute([value] { return value.value(); });
    });
    check([]() -> asio::awaitable<int> {
        co_return co_await execute([value = probe(7)] { return value.value(); });
    });
}

BOOST_AUTO_TEST_CASE(lambda_temporary_by_forwarding_reference) {
    check([]() -> asio::awaitable<int> {
        co_return co_await execute_forwarded([value = probe(7)] { return value.value(); });
    });
}

BOOST_AUTO_TEST_CASE(lambda_temporary_in_a_std_function) {
    check([]() -> asio::awaitable<int> {
        co_return co_await execute_erased([value = probe(7)] { return value.value(); });
    });
    check([]() -> asio::awaitable<int> {
        co_return co_await execute_erased(
            std::function<int()>([value = probe(7)] { return value.value(); }));
    });
}

BOOST_AUTO_TEST_CASE(lambda_temporary_in_a_converting_class) {
    check([]() -> asio::awaitable<int> {
        co_return co_await execute_converted([value = probe(7)] { return value.value(); });
    });
}

BOOST_AUTO_TEST_CASE(lambda_temporary_in_an_object_whose_operation_is_awaited) {
    check([]() -> asio::awaitable<int> {
        co_return co_await prepared([value = probe(7)] { return value.value(); }).go();
    });
}

BOOST_AUTO_TEST_CASE(lambda_temporary_in_a_condition) {
    check([]() -> asio::awaitable<int> {
        if (co_await execute([value = probe(7)] { return value.value(); }) != 7)
            co_return 0;
        co_return 7;
    });
}

BOOST_AUTO_TEST_CASE(lambda_temporary_beside_the_awaited_operation) {
    check([]() -> asio::awaitable<int> {
        co_return [value = probe(5)] { return value.value(); }() + co_await two();
    });
}

BOOST_AUTO_TEST_CASE(coroutine_lambda_called_in_place) {
    check([]() -> asio::awaitable<int> {
        co_return co_await [value = probe(7)]() -> asio::awaitable<int> {
            co_await yield();
            co_return value.value();
        }();
    });
}

BOOST_AUTO_TEST_CASE(co_spawn_of_a_lambda_temporary_with_use_awaitable) {
    check([]() -> asio::awaitable<int> {
        const asio::any_io_executor executor = co_await asio::this_coro::executor;
        co_return co_await asio::co_spawn(
            executor,
            [value = probe(7)]() -> asio::awaitable<int> {
                co_await yield();
                co_return value.value();
            },
            asio::use_awaitable);
    });
}

BOOST_AUTO_TEST_CASE(async_initiate_of_a_lambda_temporary) {
    check([]() -> asio::awaitable<int> {
        co_return co_await asio::async_initiate<const asio::use_awaitable_t<>, void(int)>(
            [value = probe(7)](auto handler) {
                asio::post(asio::append(std::move(handler), value.value()));
            },
            asio::use_awaitable);
    });
}

BOOST_AUTO_TEST_CASE(conditional_argument) {
    check([]() -> asio::awaitable<int> {
        const bool seven = co_await two() == 2;
        co_return co_await value_of(seven ? probe(7) : probe(1));
    });
}

BOOST_AUTO_TEST_SUITE_END()
