#pragma once

#include "conformance/queue_fixture.hpp"
#include "nats/nats_server.hpp"
#include "nats/tcp_proxy.hpp"
#include <lifeguard/nats_store.hpp>

#include <chrono>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace lifeguard::test {

/// A store on the tests' server, with little patience.
inline nats_store_options nats_options(std::string prefix, std::string url = shared_nats_url()) {
    nats_store_options o;
    o.servers.push_back(std::move(url));
    o.prefix = std::move(prefix);
    return o;
}

inline store_under_test kept_in(const nats_store_options& o) {
    return {"nats", [o] { return nats_store(o); }, {}};
}

/// The server is another process with a clock of its own: waits until `is_so`, in real time.
template <typename F>
bool eventually(test_context& ctx, F is_so) {
    for (int i = 0; i < 5000; ++i) {
        ctx.settle();
        if (is_so())
            return true;
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return false;
}

/// What an operation that needs the server's time returns, or throws.
template <typename T>
T await_really(test_context& ctx, asio::awaitable<T> what) {
    test_future<T> f = ctx.spawn(std::move(what));
    BOOST_TEST_REQUIRE(eventually(ctx, [&] { return f.ready(); }));
    return f.get();
}

inline std::string url_of(const tcp_proxy& proxy) {
    return "nats://127.0.0.1:" + std::to_string(proxy.port());
}

inline unsigned short shared_port() {
    const std::string& url = shared_nats_url();
    return static_cast<unsigned short>(std::stoi(url.substr(url.rfind(':') + 1)));
}

/// Waits for a job that comes when the server gives it.
inline taken_job take_really(test_context& ctx, queue_fixture& q) {
    std::vector<taken_job> taken;
    BOOST_TEST_REQUIRE(eventually(ctx, [&] {
        if (taken.empty())
            taken = q.take(1);
        return !taken.empty();
    }));
    return taken.front();
}

} // namespace lifeguard::test
