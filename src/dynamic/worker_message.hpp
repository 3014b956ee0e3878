#pragma once

#include "base/deadline_service.hpp"
#include "supervision/reply.hpp"
#include <lifeguard/json.hpp>

#include <exception>
#include <memory>
#include <mutex>

namespace lifeguard::detail {

/// A caller that waits for a worker's reply. The first answer counts. Thread-safe.
class pending_call final : public deadline {
  public:
    /// Waits for the answer, until `timeout` has passed; `whom` is for the error's text.
    static asio::awaitable<json> wait(std::shared_ptr<pending_call> self,
                                      std::shared_ptr<deadline_service> deadlines, duration timeout,
                                      std::string whom);

    void answer(json reply);
    void fail(std::exception_ptr why);
    /// Nobody waits any more.
    bool is_settled() const;

    void expired(time_point now) override;

  private:
    class caller;
    bool settle(json reply, std::exception_ptr why);

    const std::shared_ptr<reply> done_ = std::make_shared<reply>();
    std::string timed_out_; ///< what to say then; before anybody else knows of the call

    mutable std::mutex mutex_;
    bool settled_ = false;
    json reply_;
    std::exception_ptr failed_;
};

/// What waits in a worker's mailbox. One that is never handled, whatever the reason, answers its
/// caller when it is destroyed.
struct worker_message {
    worker_message(json text, std::shared_ptr<pending_call> from)
        : body(std::move(text)), call(std::move(from)) {}
    worker_message(const worker_message&) = delete;
    worker_message& operator=(const worker_message&) = delete;
    ~worker_message();

    const json body;
    const std::shared_ptr<pending_call> call; ///< empty: nobody waits for an answer
};

} // namespace lifeguard::detail
