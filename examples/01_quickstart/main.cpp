#include <lifeguard/lifeguard.hpp>

#include <iostream>

namespace asio = boost::asio;

asio::awaitable<lifeguard::json> resize(lifeguard::job_context& job) {
    const int width = job.payload().at("width");
    co_return width * 2; // to throw is to fail this attempt; the worker lives on
}

asio::awaitable<void> submit(lifeguard::engine& engine) {
    lifeguard::new_job job("resize", {{"width", 640}});
    std::cout << co_await engine.pool("images").execute(std::move(job)) << '\n';
    co_await engine.stop();
}

int main() {
    asio::io_context io;
    lifeguard::engine_options options;
    options.pools.emplace_back().name = "images";

    lifeguard::engine engine(io.get_executor(), options);
    engine.handle("resize", resize);
    asio::co_spawn(io, engine.run(), lifeguard::rethrow); // the supervision tree
    asio::co_spawn(io, submit(engine), lifeguard::rethrow);
    io.run();
}
