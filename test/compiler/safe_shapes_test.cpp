// Every spelling of a co_await expression that the library's interface and its documentation rely
// on: the values in it arrive, and each is destroyed exactly once, however far the expression came.
#include "compiler/probe.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/error_code.hpp>
#include <nlohmann/json.hpp>

#include <chrono>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace {

using namespace lifeguard::test;

/// `f` gives 7 and destroys all it made, also when its context dies after any number of handlers.
void check(shape f) {
    for (int handlers = 0; handlers < 100; ++handlers) {
        probe::forget_all();
        const std::optional<int> result = run(f, handlers);
        BOOST_TEST(probe::died == probe::born, "after " << handlers << " handlers: " << probe::born
                                                        << " made, " << probe::died
                                                        << " destroyed");
        if (result) {
            BOOST_TEST(*result == 7);
            return;
        }
    }
    BOOST_ERROR("the shape did not finish");
}

class job {
  public:
    job(std::string kind, owner payload) : kind_(std::move(kind)), payload_(std::move(payload)) {}
    int value() const { return kind_ == "mail" ? payload_.value() : 0; }

  private:
    std::string kind_;
    owner payload_;
};

class rich_options {
  public:
    rich_options() = default; // enough: a class with a declared constructor is no aggregate
    owner name = owner(7);
};

struct plain_options {
    std::chrono::seconds wait = std::chrono::seconds(5);
    int jobs_max = 2;
};
static_assert(std::is_trivially_destructible_v<plain_options>);

struct status {
    owner name;
    int size;
};

class add_three {
  public:
    explicit add_three(owner value) : value_(std::move(value)) {}
    int operator()() const { return value_.value() + 3; }

  private:
    owner value_;
};

asio::awaitable<int> push(job j) {
    co_await yield();
    co_return j.value();
}

asio::awaitable<int> open(rich_options options = rich_options()) {
    co_await yield();
    co_return options.name.value();
}

asio::awaitable<int> take(plain_options options = {}) {
    co_await yield();
    co_return static_cast<int>(options.wait.count()) + options.jobs_max;
}

asio::awaitable<int> first_digit(std::string text) {
    co_await yield();
    co_return text.at(0) - '0';
}

template <typename F>
asio::awaitable<int> execute(F f) {
    co_await yield();
    co_return f();
}

template <typename F, typename Arg>
asio::awaitable<int> execute(F f, Arg arg) {
    co_await yield();
    co_return f(arg);
}

template <typename F>
asio::awaitable<int> execute_in_place(F& f) {
    co_await yield();
    co_return f();
}

asio::awaitable<int> execute_erased(std::function<int()> f) {
    co_await yield();
    co_return f();
}

asio::awaitable<int> describe(status s) {
    co_await yield();
    co_return s.name.value() + s.size;
}

status make_status(int value) { return status{owner(value), 2}; }

asio::awaitable<status> fetch_status() {
    co_await yield();
    co_return make_status(5);
}

asio::awaitable<owner> fetch_owner() {
    co_await yield();
    co_return owner(7);
}

asio::awaitable<int> count(std::vector<owner> owners) {
    co_await yield();
    co_return static_cast<int>(owners.size());
}

asio::awaitable<int> width(nlohmann::json payload) {
    co_await yield();
    co_return payload.at("width").get<int>();
}

asio::awaitable<int> fail(job j) {
    co_await yield();
    throw std::runtime_error(std::to_string(j.value()));
}

owner refuse() { throw std::runtime_error("7"); }

asio::awaitable<int> push_both(owner first, owner second) {
    co_await yield();
    co_return first.value() + second.value();
}

int number_in(const std::exception& e) { return std::stoi(e.what()); }

} // namespace

BOOST_AUTO_TEST_SUITE(safe_shapes)

BOOST_AUTO_TEST_CASE(class_with_a_constructor_as_a_temporary) {
    check([]() -> asio::awaitable<int> { co_return co_await push(job("mail", owner(7))); });
    check([]() -> asio::awaitable<int> { co_return co_await push(job{"mail", owner(7)}); });
    check([]() -> asio::awaitable<int> { co_return co_await push({"mail", owner(7)}); });
}

BOOST_AUTO_TEST_CASE(class_with_a_defaulted_constructor_as_a_temporary) {
    check([]() -> asio::awaitable<int> { co_return co_await open(rich_options()); });
    check([]() -> asio::awaitable<int> { co_return co_await open(rich_options{}); });
    check([]() -> asio::awaitable<int> { co_return co_await open({}); });
}

BOOST_AUTO_TEST_CASE(class_with_a_constructor_as_a_default_argument) {
    check([]() -> asio::awaitable<int> { co_return co_await open(); });
}

BOOST_AUTO_TEST_CASE(trivially_destructible_options_by_designated_initialisers) {
    using namespace std::chrono_literals;
    check([]() -> asio::awaitable<int> { co_return co_await take({.wait = 4s, .jobs_max = 3}); });
    check([]() -> asio::awaitable<int> { co_return co_await take(plain_options{.wait = 5s}); });
    check([]() -> asio::awaitable<int> { co_return co_await take(); });
}

BOOST_AUTO_TEST_CASE(string_temporaries) {
    check([]() -> asio::awaitable<int> { co_return co_await first_digit(std::string(50, '7')); });
    check([]() -> asio::awaitable<int> {
        co_return co_await first_digit("7 is longer than the buffer inside of a string");
    });
    check([]() -> asio::awaitable<int> {
        const std::string seven = "7";
        co_return co_await first_digit(seven + " is longer than the buffer inside of a string");
    });
}

BOOST_AUTO_TEST_CASE(lambda_named_first) {
    check([]() -> asio::awaitable<int> {
        auto f = [value = owner(7)] { return value.value(); };
        co_return co_await execute(std::move(f));
    });
    check([]() -> asio::awaitable<int> {
        auto f = [value = owner(7)] { return value.value(); };
        co_return co_await execute(f);
    });
    check([]() -> asio::awaitable<int> {
        auto f = [value = owner(7)] { return value.value(); };
        co_return co_await execute_in_place(f);
    });
    check([]() -> asio::awaitable<int> {
        auto f = [value = owner(7)] { return value.value(); };
        co_return co_await execute_erased(std::move(f));
    });
}

BOOST_AUTO_TEST_CASE(lambda_with_trivial_captures_or_references) {
    check([]() -> asio::awaitable<int> {
        int value = co_await take();
        co_return co_await execute([value] { return value; });
    });
    check([]() -> asio::awaitable<int> {
        const owner value(7);
        co_return co_await execute([&value] { return value.value(); });
    });
    check([]() -> asio::awaitable<int> {
        const owner value(7);
        co_return co_await execute_erased([&] { return value.value(); });
    });
}

BOOST_AUTO_TEST_CASE(lambda_without_captures_and_its_arguments) {
    check([]() -> asio::awaitable<int> {
        co_return co_await execute([](const owner& value) { return value.value(); }, owner(7));
    });
}

BOOST_AUTO_TEST_CASE(bound_arguments) {
    check([]() -> asio::awaitable<int> {
        const owner value(7);
        co_return co_await execute(
            std::bind_front([](const owner& bound) { return bound.value(); }, value));
    });
}

BOOST_AUTO_TEST_CASE(function_object_with_a_constructor) {
    check([]() -> asio::awaitable<int> { co_return co_await execute(add_three(owner(4))); });
    check([]() -> asio::awaitable<int> { co_return co_await execute_erased(add_three(owner(4))); });
}

BOOST_AUTO_TEST_CASE(operation_named_first) {
    check([]() -> asio::awaitable<int> {
        auto op = execute([value = owner(7)] { return value.value(); });
        co_return co_await std::move(op);
    });
    check([]() -> asio::awaitable<int> {
        auto op = describe({.name = owner(5), .size = 2});
        co_return co_await std::move(op);
    });
}

BOOST_AUTO_TEST_CASE(operation_made_in_a_lambda_of_its_own) {
    check([]() -> asio::awaitable<int> {
        const owner value(7);
        co_return co_await [&] { return execute([value] { return value.value(); }); }();
    });
}

BOOST_AUTO_TEST_CASE(owning_lambda_spawned_as_a_statement) {
    check([]() -> asio::awaitable<int> {
        int result = 0;
        const asio::any_io_executor executor = co_await asio::this_coro::executor;
        asio::co_spawn(
            executor,
            [value = owner(7)]() -> asio::awaitable<int> {
                co_await yield();
                co_return value.value();
            },
            [&result](std::exception_ptr, int value) { result = value; });
        while (result == 0)
            co_await yield();
        co_return result;
    });
}

BOOST_AUTO_TEST_CASE(owning_lambda_spawned_and_awaited_in_two_statements) {
    check([]() -> asio::awaitable<int> {
        const asio::any_io_executor executor = co_await asio::this_coro::executor;
        auto f = [value = owner(7)]() -> asio::awaitable<int> {
            co_await yield();
            co_return value.value();
        };
        co_return co_await asio::co_spawn(executor, std::move(f), asio::use_awaitable);
    });
}

BOOST_AUTO_TEST_CASE(ternaries) {
    check([]() -> asio::awaitable<int> {
        const bool left = co_await take() == 7;
        co_return left ? co_await push(job("mail", owner(7))) : co_await open();
    });
    check([]() -> asio::awaitable<int> {
        const bool left = co_await take() != 7;
        co_return left ? co_await push(job("mail", owner(1))) : co_await open(rich_options());
    });
}

BOOST_AUTO_TEST_CASE(conditions) {
    check([]() -> asio::awaitable<int> {
        if (co_await push(job("mail", owner(7))) != 7 || !(co_await open() == 7))
            co_return 0;
        int rounds = 0;
        while (rounds < 7 && co_await push(job("mail", owner(7))) == 7)
            ++rounds;
        co_return rounds;
    });
}

BOOST_AUTO_TEST_CASE(awaited_value_as_an_argument) {
    check([]() -> asio::awaitable<int> {
        co_return co_await push(job("mail", co_await fetch_owner()));
    });
}

BOOST_AUTO_TEST_CASE(exception_of_the_awaited_operation) {
    check([]() -> asio::awaitable<int> {
        try {
            co_return co_await fail(job("mail", owner(7)));
        } catch (const std::runtime_error& e) {
            co_return number_in(e);
        }
    });
}

BOOST_AUTO_TEST_CASE(exception_of_another_argument) {
    check([]() -> asio::awaitable<int> {
        try {
            co_return co_await push_both(owner(1), refuse());
        } catch (const std::runtime_error& e) {
            co_return number_in(e);
        }
    });
}

BOOST_AUTO_TEST_CASE(aggregate_made_by_a_function) {
    check([]() -> asio::awaitable<int> { co_return co_await describe(make_status(5)); });
}

BOOST_AUTO_TEST_CASE(aggregate_named_first) {
    check([]() -> asio::awaitable<int> {
        status s{.name = owner(5), .size = 2};
        co_return co_await describe(std::move(s));
    });
}

BOOST_AUTO_TEST_CASE(aggregate_made_of_parts_that_were_awaited_before) {
    check([]() -> asio::awaitable<int> {
        const int size = co_await take() - 5;
        const status s{.name = owner(5), .size = size};
        co_return s.name.value() + s.size;
    });
}

BOOST_AUTO_TEST_CASE(aggregate_as_the_awaited_result) {
    check([]() -> asio::awaitable<int> {
        const status s = co_await fetch_status();
        co_return s.name.value() + s.size;
    });
    check([]() -> asio::awaitable<int> { co_return (co_await fetch_status()).name.value() + 2; });
    check([]() -> asio::awaitable<int> { co_return co_await describe(co_await fetch_status()); });
}

BOOST_AUTO_TEST_CASE(brace_list_named_first) {
    check([]() -> asio::awaitable<int> {
        std::vector<owner> owners{owner(1), owner(2)};
        co_return co_await count(std::move(owners)) + 5;
    });
    check([]() -> asio::awaitable<int> {
        nlohmann::json payload = {{"width", 7}, {"name", "longer than the buffer in a string"}};
        co_return co_await width(std::move(payload));
    });
}

BOOST_AUTO_TEST_CASE(parsed_json_as_a_temporary) {
    check([]() -> asio::awaitable<int> {
        co_return co_await width(nlohmann::json::parse(R"({"width": 7, "list": [1, 2, 3]})"));
    });
}

BOOST_AUTO_TEST_CASE(result_tuple_named_first) {
    check([]() -> asio::awaitable<int> {
        const asio::any_io_executor executor = co_await asio::this_coro::executor;
        const auto result = co_await asio::co_spawn(executor, push(job("mail", owner(7))),
                                                    asio::as_tuple(asio::use_awaitable));
        co_return std::get<0>(result) ? 0 : std::get<1>(result);
    });
}

BOOST_AUTO_TEST_SUITE_END()
