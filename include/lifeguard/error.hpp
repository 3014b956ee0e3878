#pragma once

#include <boost/system/error_code.hpp>
#include <boost/system/system_error.hpp>

#include <string>
#include <string_view>
#include <utility>

namespace lifeguard {

using boost::system::error_code;

/// Everything that can go wrong while lifeguard operates. docs/errors.md has a paragraph on each.
enum class errc {
    // What was asked for cannot be done as asked.
    invalid_option = 1, ///< an option has a value outside its range; the message names it
    invalid_job,        ///< a job breaks a rule; the message names the member
    malformed_json,     ///< text is not JSON; the message names the position
    too_deep,           ///< JSON nested deeper than the limit
    payload_too_large,  ///< a payload is longer than the limit
    unknown_kind,       ///< no handler for the kind, and `strict_kinds` is on
    unsupported,        ///< this store or this version cannot do it

    // The thing named is not there, or not in a state that allows it.
    not_found,
    duplicate_id,
    already_started,    ///< a child with that id is running
    already_present,    ///< a child with that id is known, and not running
    running,            ///< the child runs; terminate it first
    simple_one_for_one, ///< children of such a supervisor cannot be restarted or deleted
    executing,          ///< the job runs; its lease is somebody else's
    illegal_transition, ///< a breaker does not change from this state to that one
    no_such_pool,
    no_such_queue,
    no_such_supervisor, ///< the supervisor has ended

    // Limits and refusals under load.
    queue_full,
    draining,             ///< new jobs are refused, those that are there go on
    pool_exhausted,       ///< no worker took the job within `checkout_wait`
    no_available_workers, ///< all workers are busy, and the caller would not wait
    breaker_open,         ///< the breaker, or every one that could admit the job, is open
    timeout,              ///< the time allowed has passed
    limit_reached,        ///< one more is more than the limit allows; the message names the limit

    // Where the jobs are stored. Nothing that was answered before is lost by any of them.
    store_busy,        ///< somebody else holds a lock on the file
    store_full,        ///< no space is left for the file
    store_read_only,   ///< the file cannot be written
    store_corrupt,     ///< the file does not hold what it must
    store_owned,       ///< another store, of this process or another one, has the file
    store_failed,      ///< another failure of the file or of the disk
    store_unavailable, ///< the server cannot be reached now; nothing was stored
    outcome_unknown,   ///< the server has not answered in time; it may have been stored or not

    // How a job or a child ended.
    lease_lost,   ///< the token is not the current one; nothing was changed
    already_done, ///< the same token has finished this job before
    job_failed,   ///< the attempt failed and will be retried
    job_discarded,
    job_cancelled,
    killed,
    start_failed,
    intensity_exceeded, ///< a supervisor saw more restarts than it allows
    stopped,            ///< the engine, pool or queue has been stopped
};

/// The category of `errc`. Thread-safe.
const boost::system::error_category& lifeguard_category() noexcept;

error_code make_error_code(errc e) noexcept;

/// The name of an error as it is written in JSON and logs ("pool_exhausted"). "unknown" for any
/// other value.
std::string_view name_of(errc e) noexcept;

/// What lifeguard throws when an operation fails: a code, and a text that names the thing that
/// failed.
class error : public boost::system::system_error {
  public:
    error(errc code, std::string what_failed)
        : system_error(make_error_code(code), what_failed), detail_(std::move(what_failed)) {}

    /// The text without the code's own message: "pool 'images': no worker within 5000 ms".
    const std::string& detail() const noexcept { return detail_; }

  private:
    std::string detail_;
};

} // namespace lifeguard

template <>
struct boost::system::is_error_code_enum<lifeguard::errc> : std::true_type {};
