#pragma once

#include "queue/queue_core.hpp"

namespace lifeguard::detail {

/// Sees to it that the index knows a job that is anywhere in a store that others share. Throws
/// `error` when the store cannot be asked, and `operation_aborted` when it is cancelled. Takes the
/// lock itself.
asio::awaitable<void> locate(std::shared_ptr<queue_core> core, job_id id);

} // namespace lifeguard::detail
