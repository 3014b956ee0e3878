#pragma once

#include "base/wakeup.hpp"
#include <lifeguard/log.hpp>

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace lifeguard::detail::web {

/// An event as it is sent, shared by all who get it.
using event_text = std::shared_ptr<const std::string>;

/// How much the hub keeps.
struct hub_limits {
    std::size_t events_max = 1000;
    std::size_t bytes_max = 8U << 20U; ///< of the events that are kept
    std::size_t streams_max = 256;
    /// Of one type within a second; more are counted and left out.
    unsigned rate_max = 50;
};

/// The events of a server, for those who listen: numbered, formatted once, kept for those who come
/// back. A stream has a place in what is kept and no queue of its own: one that is too slow finds
/// that its place is gone, and is told so.
///
/// Thread-safe. Wakes the streams at most every `wake_pause`.
class event_hub final : public std::enable_shared_from_this<event_hub> {
  public:
    /// Which events: all types when it is empty.
    using topics = std::set<std::string, std::less<>>;

    /// One who listens. Used by one coroutine at a time.
    struct listener {
        listener(std::shared_ptr<wakeup> w, topics t) : waits(std::move(w)), wanted(std::move(t)) {}
        const std::shared_ptr<wakeup> waits;
        const topics wanted;
        std::uint64_t next = 0; ///< the number of the first event that it has not been given
        bool stale = false;     ///< it missed some, and is to be told
        bool pending = false;   ///< there is something for it; guarded by the hub
    };

    event_hub(std::shared_ptr<time_source> time, std::shared_ptr<deadline_service> deadlines,
              hub_limits limits = hub_limits());

    /// `type` is a literal; `data` one line, JSON. Where `data` lies in the text is returned.
    struct published {
        event_text text;
        std::size_t offset = 0;
        std::size_t length = 0;

        std::string_view data() const noexcept {
            return std::string_view(*text).substr(offset, length);
        }
    };
    published publish(std::string_view type, std::string_view data);
    /// A record of the log: `{"at", "level", "message", its fields}` of the type `record.event`.
    void publish(const log_record& record);

    /// The id of the last event. Events are numbered from 1; `<boot>-0` is that of none.
    std::string last_id() const;

    /// Begins behind the event of that id; empty: with what comes next. Nothing when there are too
    /// many listeners. Leaves when it is destroyed.
    std::shared_ptr<listener> join(const asio::any_io_executor& strand, topics wanted,
                                   std::string_view after);

    /// Adds what is new to `out`, a batch at a time; false when there is nothing.
    bool read(listener& of, std::vector<event_text>& out);

    std::size_t streams() const;
    /// How many events were left out because there were too many of their type.
    std::uint64_t omitted() const;

  private:
    class pause;
    struct kept {
        std::string_view type;
        event_text text;
    };
    struct rate {
        time_point since;
        unsigned count = 0;
        std::uint64_t omitted = 0; ///< since the last one that was not
    };

    std::optional<std::uint64_t> admit(std::string_view type);
    published add(std::string_view type, std::string_view data,
                  std::vector<std::shared_ptr<wakeup>>& woken);
    void collect(std::vector<std::shared_ptr<wakeup>>& woken);
    void on_pause_over();
    std::string id_of(std::uint64_t number) const;
    std::uint64_t first_kept() const noexcept { return last_ + 1 - kept_.size(); }

    const std::shared_ptr<time_source> time_;
    const std::shared_ptr<deadline_service> deadlines_;
    const hub_limits limits_;
    const std::string boot_;

    mutable std::mutex mutex_;
    std::deque<kept> kept_;
    std::size_t bytes_ = 0;
    std::uint64_t last_ = 0;
    std::map<std::string_view, rate> rates_;
    std::uint64_t omitted_ = 0;
    std::vector<std::weak_ptr<listener>> listeners_;
    time_point woken_at_ = time_point::min();
    std::shared_ptr<pause> pause_; // armed while some have to wait to be woken
};

} // namespace lifeguard::detail::web
