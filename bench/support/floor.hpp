#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>

namespace bench {

namespace asio = boost::asio;

/// The floor: coroutines that hand values to others through a deque behind a mutex and get them
/// back, each way by a post on `any_io_executor`. No jobs, no timeouts, no results to keep: what
/// Asio alone costs.
class floor_queue {
  public:
    explicit floor_queue(asio::any_io_executor executor) : executor_(std::move(executor)) {}

    asio::awaitable<int> call(int value) {
        request r{value, {}};
        co_await asio::async_initiate<const asio::use_awaitable_t<>, void()>(
            [this, &r](resumption resume) {
                std::optional<resumption> worker;
                {
                    const std::lock_guard lock(mutex_);
                    r.caller.emplace(std::move(resume));
                    requests_.push_back(&r);
                    if (!idle_.empty()) {
                        worker.emplace(std::move(idle_.front()));
                        idle_.pop_front();
                    }
                }
                if (worker)
                    asio::post(executor_, std::move(*worker));
            },
            asio::use_awaitable);
        co_return r.value;
    }

    asio::awaitable<void> work() {
        for (;;) {
            request* r = take();
            while (r == nullptr) {
                co_await asio::async_initiate<const asio::use_awaitable_t<>, void()>(
                    [this](resumption resume) {
                        {
                            const std::lock_guard lock(mutex_);
                            if (requests_.empty() && !closed_) {
                                idle_.push_back(std::move(resume));
                                return;
                            }
                        }
                        asio::post(executor_, std::move(resume));
                    },
                    asio::use_awaitable);
                if (closed_)
                    co_return;
                r = take();
            }
            r->value *= 2;
            asio::post(executor_, std::move(*r->caller));
        }
    }

    void close() {
        std::deque<resumption> idle;
        {
            const std::lock_guard lock(mutex_);
            closed_ = true;
            idle.swap(idle_);
        }
        for (resumption& worker : idle)
            asio::post(executor_, std::move(worker));
    }

  private:
    using resumption = asio::async_result<asio::use_awaitable_t<>, void()>::handler_type;
    struct request {
        int value;
        std::optional<resumption> caller;
    };

    request* take() {
        const std::lock_guard lock(mutex_);
        if (requests_.empty())
            return nullptr;
        request* first = requests_.front();
        requests_.pop_front();
        return first;
    }

    const asio::any_io_executor executor_;
    std::mutex mutex_;
    std::deque<request*> requests_;
    std::deque<resumption> idle_;
    bool closed_ = false;
};

} // namespace bench
