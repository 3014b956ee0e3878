#include "callables.hpp"

asio::awaitable<int> user(lifeguard::shared_breaker breaker, std::string id) {
    co_return co_await breaker.call([]() -> asio::awaitable<int> { co_return 1; },
                                    [id](int n) { return n == 0; });
}
