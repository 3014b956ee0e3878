#include "callables.hpp"

asio::awaitable<int> user(lifeguard::shared_breaker breaker, lifeguard::resource_pool<int> pool,
                          std::string id) {
    const auto named = [id](int& n) -> asio::awaitable<int> { co_return n; };
    const auto called = [id]() -> asio::awaitable<int> { co_return 1; };
    const auto failed = [id](int n) { return n == 0; };
    int sum = co_await pool.transaction(named);
    sum += co_await pool.transaction([&id](int& n) -> asio::awaitable<int> { co_return n; });
    sum += co_await breaker.call(called);
    sum += co_await breaker.call(called, failed);
    sum += co_await breaker.call([&id]() -> asio::awaitable<int> { co_return 1; });
    co_return sum;
}
