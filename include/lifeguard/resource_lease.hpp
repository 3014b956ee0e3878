#pragma once

#include <memory>
#include <string>
#include <utility>

namespace lifeguard {

namespace detail {

class resource_core;
class pooled_resource;

/// A lease without its type. Owning; ends with its destruction.
class leased_resource {
  public:
    leased_resource() = default;
    leased_resource(std::shared_ptr<pooled_resource> what, void* object) noexcept
        : what_(std::move(what)), object_(object) {}
    leased_resource(leased_resource&& other) noexcept
        : what_(std::move(other.what_)), object_(std::exchange(other.object_, nullptr)) {}
    leased_resource& operator=(leased_resource&& other) noexcept {
        leased_resource(std::move(other)).swap(*this);
        return *this;
    }
    ~leased_resource() { checkin(); }

    explicit operator bool() const noexcept { return object_ != nullptr; }
    void* object() const noexcept { return object_; }
    void swap(leased_resource& other) noexcept {
        what_.swap(other.what_);
        std::swap(object_, other.object_);
    }

    void checkin() noexcept;
    void replace(std::string why) noexcept;
    bool is_alive() const noexcept;
    const std::string& id() const noexcept;
    const std::shared_ptr<resource_core>& core() const noexcept;
    /// Keeps the resource's memory.
    std::shared_ptr<void> share() const noexcept;

  private:
    std::shared_ptr<pooled_resource> what_;
    void* object_ = nullptr;
};

} // namespace detail

/// The right to use a resource of a pool, alone. Gives it back when it is destroyed; move-only. It
/// keeps the resource's memory, also when the resource has died or the pool is gone.
/// Thread safety: may be moved to and destroyed on any thread.
template <typename T>
class lease {
  public:
    /// None.
    lease() = default;
    explicit lease(detail::leased_resource&& what) noexcept : what_(std::move(what)) {}

    T& operator*() const noexcept { return *get(); }
    T* operator->() const noexcept { return get(); }
    T* get() const noexcept { return static_cast<T*>(what_.object()); }
    explicit operator bool() const noexcept { return bool(what_); }

    /// Gives the resource back, before this returns. No effect when that has been done.
    void checkin() noexcept { what_.checkin(); }

    /// Gives it back as broken: it is stopped, and another one is started in its place. `why` is
    /// its exit reason.
    void replace(std::string why = "replaced by its user") noexcept {
        what_.replace(std::move(why));
    }

    /// False when it has died, or has been taken away, while it was leased.
    bool is_alive() const noexcept { return what_.is_alive(); }

    /// "connections/3".
    const std::string& id() const noexcept { return what_.id(); }

  private:
    detail::leased_resource what_;
};

} // namespace lifeguard
