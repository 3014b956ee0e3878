#pragma once

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <utility>
#include <vector>

namespace lifeguard {

/// The last few of something, newest first. Appending to a full history forgets the oldest and
/// allocates nothing. Not thread-safe.
template <typename T>
class capped_history {
  public:
    class iterator;
    using value_type = T;
    using const_iterator = iterator;

    /// Keeps up to `limit`; 0 keeps nothing.
    explicit capped_history(std::size_t limit) : limit_(limit) {}

    /// Makes `item` the newest, and forgets the oldest that are more than the limit.
    void append(T item) {
        if (items_.size() > limit_)
            trim();
        if (limit_ == 0)
            return;
        if (items_.size() < limit_) {
            straighten();
            items_.push_back(std::move(item));
            return;
        }
        items_[oldest_] = std::move(item);
        oldest_ = (oldest_ + 1) % items_.size();
    }

    std::size_t limit() const noexcept { return limit_; }

    /// Takes effect at the next `append`: a lower limit forgets nothing before.
    void set_limit(std::size_t limit) noexcept { limit_ = limit; }

    std::size_t size() const noexcept { return items_.size(); }
    bool empty() const noexcept { return items_.empty(); }
    void clear() noexcept {
        items_.clear();
        oldest_ = 0;
    }

    /// The newest is 0. `index` must be below `size()`.
    const T& operator[](std::size_t index) const {
        return items_[(oldest_ + items_.size() - 1 - index) % items_.size()];
    }

    /// From the newest to the oldest. Any other call but to a const member ends the iterators.
    iterator begin() const noexcept { return iterator(*this, 0); }
    iterator end() const noexcept { return iterator(*this, size()); }

    class iterator {
      public:
        using iterator_category = std::forward_iterator_tag;
        using value_type = T;
        using difference_type = std::ptrdiff_t;
        using pointer = const T*;
        using reference = const T&;

        iterator() = default;
        reference operator*() const { return (*history_)[index_]; }
        pointer operator->() const { return &(*history_)[index_]; }
        iterator& operator++() {
            ++index_;
            return *this;
        }
        iterator operator++(int) {
            iterator before = *this;
            ++index_;
            return before;
        }
        friend bool operator==(const iterator&, const iterator&) = default;

      private:
        friend class capped_history;
        iterator(const capped_history& history, std::size_t index) noexcept
            : history_(&history), index_(index) {}

        const capped_history* history_ = nullptr;
        std::size_t index_ = 0;
    };

  private:
    // The oldest to the front, where push_back keeps the order.
    void straighten() {
        std::rotate(items_.begin(), items_.begin() + static_cast<std::ptrdiff_t>(oldest_),
                    items_.end());
        oldest_ = 0;
    }

    void trim() {
        straighten();
        items_.erase(items_.begin(), items_.end() - static_cast<std::ptrdiff_t>(limit_));
    }

    std::size_t limit_;
    std::vector<T> items_; // a ring once it is full
    std::size_t oldest_ = 0;
};

} // namespace lifeguard
