#include "callables.hpp"

asio::awaitable<void> user(lifeguard::resource_pool<int> pool, std::string id) {
    co_await pool.transaction([id](int&) -> asio::awaitable<void> { co_return; });
}
