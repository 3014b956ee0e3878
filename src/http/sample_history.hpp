#pragma once

#include "http/event_hub.hpp"

namespace lifeguard::detail::web {

/// Samples of the last minutes in small steps, and of the last hour in larger ones. Keeps texts,
/// and no more of them than `bytes_max`: the oldest go first. Not thread-safe.
class sample_history {
  public:
    /// One a second for five minutes, one in ten seconds for an hour.
    static constexpr std::size_t fine_max = 300;
    static constexpr std::size_t coarse_max = 360;
    static constexpr std::size_t bytes_max = 16U << 20U;

    /// `at`: in milliseconds, rising.
    void add(std::int64_t at, event_hub::published sample);
    /// The sample of a larger step.
    void add_coarse(std::int64_t at, std::string sample);

    /// "[...]" with those that are not older than `since`, the oldest first. Larger steps only from
    /// before the smaller ones begin.
    std::string since(std::int64_t since) const;

    std::size_t bytes() const noexcept { return bytes_; }

  private:
    struct entry {
        std::int64_t at;
        event_hub::published text;
    };
    void trim();
    void drop(std::deque<entry>& from);

    std::deque<entry> fine_;
    std::deque<entry> coarse_;
    std::size_t bytes_ = 0;
};

} // namespace lifeguard::detail::web
