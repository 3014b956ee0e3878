#include "callables.hpp"

asio::awaitable<void> user(lifeguard::shared_breaker breaker, std::string id) {
    co_await breaker.call([id]() -> asio::awaitable<void> { co_return; });
}
