#include "mail_server.hpp"

#include "common/pause.hpp"

#include <iomanip>
#include <iostream>
#include <stdexcept>

void timeline::say(const std::string& what) const {
    const auto at = std::chrono::steady_clock::now() - start_;
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(at).count();
    std::cout << std::setw(5) << ms << " ms  " << what << std::endl;
}

boost::asio::awaitable<void> mail_server::deliver() {
    ++reached_;
    co_await pause_for(std::chrono::milliseconds(2));
    if (failing_ == 0)
        co_return;
    failing_ -= recovers_ ? 1 : 0;
    throw std::runtime_error("connection refused");
}
