#pragma once

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <string>

/// Milliseconds since the program began, and what happened then.
class timeline {
  public:
    void say(const std::string& what) const;

  private:
    const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

/// The flaky dependency. It is told how many of the calls that reach it fail: an outage is over
/// when as many have, so that every run of the example takes the same turns.
class mail_server {
  public:
    void fail_next(unsigned calls) { failing_ = calls; }
    void never_recover() { recovers_ = false; }

    /// Errors: std::runtime_error while it is down.
    boost::asio::awaitable<void> deliver();

    unsigned reached() const { return reached_; }

  private:
    unsigned failing_ = 0;
    bool recovers_ = true;
    unsigned reached_ = 0;
};
