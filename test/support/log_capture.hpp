#pragma once

#include <lifeguard/log.hpp>

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lifeguard::test {

/// Keeps what is logged, as the lines that `stderr_log` would write. Thread-safe.
///
///     const auto log = std::make_shared<log_capture>();
///     options.log = log;
///     ...
///     BOOST_TEST(log->take() == expected, boost::test_tools::per_element());
class log_capture final : public log_sink {
  public:
    void write(const log_record& record) override {
        std::function<void()> told;
        {
            const std::lock_guard lock(mutex_);
            lines_.push_back(to_logfmt(record));
            if (record.event == event_)
                told = when_;
        }
        if (told)
            told();
    }

    /// Calls `f` each time the event is logged, where and while it happens.
    void when(std::string event, std::function<void()> f) {
        const std::lock_guard lock(mutex_);
        event_ = std::move(event);
        when_ = std::move(f);
    }

    /// The lines so far.
    std::vector<std::string> lines() const {
        const std::lock_guard lock(mutex_);
        return lines_;
    }

    /// The lines since the last call.
    std::vector<std::string> take() {
        const std::lock_guard lock(mutex_);
        return std::exchange(lines_, {});
    }

    /// How many lines hold `text`.
    std::size_t count(std::string_view text) const {
        std::size_t found = 0;
        for (const auto& line : lines())
            found += line.find(text) != std::string::npos ? 1 : 0;
        return found;
    }

  private:
    mutable std::mutex mutex_;
    std::vector<std::string> lines_;
    std::string event_;
    std::function<void()> when_;
};

} // namespace lifeguard::test
