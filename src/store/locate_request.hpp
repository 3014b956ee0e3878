#pragma once

#include "queue/timed_wait.hpp"
#include <lifeguard/job_id.hpp>

#include <exception>

namespace lifeguard::detail {

/// A coroutine that waits until a store that others share has looked for a job.
class locate_wait final : public timed_wait {
  public:
    std::exception_ptr error; ///< why it could not look
};

/// A job that this engine does not know and somebody here asks for. Only `waiter` changes after it
/// was made, under the engine's lock.
struct locate_request {
    job_id id;
    locate_wait* waiter = nullptr; ///< null when its frame is gone
};

} // namespace lifeguard::detail
