#pragma once

#include "queue/timed_wait.hpp"

#include <cstdint>
#include <exception>

namespace lifeguard::detail {

/// A coroutine that waits until a pause, or its end, has been stored.
class pause_wait final : public timed_wait {
  public:
    std::exception_ptr error; ///< why it could not be
};

/// A pause of a queue, or its end, that is to be stored. Only `waiter` changes after it was made,
/// under the engine's lock: so the rest may be read without.
struct pause_request {
    queue_entry* queue = nullptr;
    bool paused = false;
    std::int64_t until = 0; ///< wall time in nanoseconds when it ends by itself; 0: it does not
    pause_wait* waiter = nullptr; ///< null when its frame is gone
};

} // namespace lifeguard::detail
