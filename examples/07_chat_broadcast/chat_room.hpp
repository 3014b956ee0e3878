#pragma once

#include <lifeguard/events.hpp>
#include <lifeguard/history.hpp>

#include <string>
#include <vector>

/// Everybody hears what is said. Nobody is waited for: each has a queue of his own, and who is too
/// slow to empty it loses lines, the oldest first.
class chat_room {
  public:
    chat_room(std::size_t history_max, std::size_t queue_max)
        : history_(history_max), queue_max_(queue_max) {}

    struct seat {
        std::vector<std::string> recent; ///< what was said lately, the oldest first
        lifeguard::subscription<std::string> lines;
    };

    /// Nothing is missing between what was said lately and the first of the lines.
    seat enter() {
        std::vector<std::string> recent(history_.begin(), history_.end());
        return {{recent.rbegin(), recent.rend()}, lines_.subscribe({.queue_max = queue_max_})};
    }

    void say(const std::string& line) {
        history_.append(line);
        lines_.publish(line);
    }

  private:
    lifeguard::broadcast<std::string> lines_;
    lifeguard::capped_history<std::string> history_;
    const std::size_t queue_max_;
};
