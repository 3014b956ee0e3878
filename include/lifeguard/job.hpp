#pragma once

#include <lifeguard/error.hpp>
#include <lifeguard/job_id.hpp>
#include <lifeguard/json_fwd.hpp>
#include <lifeguard/time_source.hpp>

#include <boost/system/result.hpp>

#include <chrono>
#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lifeguard {

/// Where a job is in its life. docs/job-states.md draws who moves it where.
enum class job_state : std::uint8_t {
    scheduled, ///< waits for its `run_at`; the queue's upkeep moves it on
    available, ///< ready to be taken
    executing, ///< leased to a worker, which finishes it
    retryable, ///< failed, waits for its next attempt; the queue's upkeep moves it on
    completed, ///< final: a result is recorded
    cancelled, ///< final: withdrawn before it was done
    discarded, ///< final: out of attempts, or told not to try again; its errors are kept
};

/// "available" and so on; what JSON, logs and metrics say.
std::string_view name_of(job_state state) noexcept;
constexpr bool is_final(job_state s) noexcept { return s >= job_state::completed; }

/// A set of states.
class job_states {
  public:
    constexpr job_states() = default; ///< none
    template <std::same_as<job_state>... States>
    constexpr job_states(job_state first, States... others) noexcept
        : bits_(static_cast<std::uint8_t>((bit(first) | ... | bit(others)))) {}

    static constexpr job_states unfinished() noexcept {
        return {job_state::scheduled, job_state::available, job_state::executing,
                job_state::retryable};
    }

    constexpr void add(job_state s) noexcept { bits_ = static_cast<std::uint8_t>(bits_ | bit(s)); }
    constexpr bool contains(job_state s) const noexcept { return (bits_ & bit(s)) != 0; }
    constexpr bool empty() const noexcept { return bits_ == 0; }
    friend constexpr bool operator==(job_states, job_states) = default;

  private:
    static constexpr unsigned bit(job_state s) noexcept { return 1U << static_cast<unsigned>(s); }
    std::uint8_t bits_ = 0;
};

/// The most urgent and the least urgent priority, and the default.
inline constexpr int priority_first = 0;
inline constexpr int priority_last = 9;
inline constexpr int priority_default = 5;

/// What a job's text may look like at most.
struct job_limits {
    std::size_t payload_max = 1U << 20U; ///< bytes of payload text. Defaults to 1 MiB
    unsigned depth_max = 512;            ///< nesting of arrays and objects inside the payload
};

/// Makes a job unique: while another one like it is there, it is not stored, and its submitter gets
/// the id of that one. A key belongs to the job that was stored last with it.
class unique_options {
  public:
    unique_options() = default;
    explicit unique_options(std::string unique_key) : key(std::move(unique_key)) {}

    /// Jobs of one kind are alike when their keys are equal. At most 1,000 bytes. Empty, the
    /// default: when their payloads are, byte for byte.
    std::string key;

    /// The other one counts while it is younger than this, from its submission. Zero, the default:
    /// whatever its age.
    duration period = duration::zero();

    /// The other one counts while it is in one of these states; a finished one as long as it is
    /// kept. Defaults to those that are not final.
    job_states states = job_states::unfinished();
};

/// A job to be submitted. Members that are left alone get the queue's or the pool's defaults.
class new_job {
  public:
    /// The payload as a value. Errors: `too_deep`, `malformed_json` when a string in it is not
    /// UTF-8, or when it is what is left of a text that did not parse.
    new_job(std::string job_kind, const json& payload);
    /// Without payload: null.
    explicit new_job(std::string job_kind);
    /// The payload as JSON text made elsewhere: checked when the job is submitted, carried as it
    /// is.
    static new_job from_text(std::string job_kind, std::string payload);

    std::string kind;

    /// Empty: the first queue of the pool, or "default".
    std::string queue;

    /// 0, the most urgent, to 9. Defaults to 5.
    int priority = priority_default;

    /// Not before this wall time. In the past: now.
    std::optional<wall_time> run_at;

    /// Not before so long from submission. Must not be negative, nor be set together with `run_at`.
    duration delay = duration::zero();

    /// How often it may be tried. Zero: 20 when submitted, 1 when executed.
    unsigned max_attempts = 0;

    /// How long one attempt may take. Zero: the worker pool's `process_timeout`.
    duration timeout = duration::zero();

    /// An id of your own; the nil id: lifeguard makes one.
    job_id id;

    /// Not together with another one like it. Defaults to empty: it does not matter.
    std::optional<unique_options> unique;

    const std::string& payload_text() const noexcept { return payload_; }
    std::string take_payload() noexcept { return std::move(payload_); }

    /// Whether the payload is known to be one well-formed JSON value within `limits` already.
    bool payload_checked(const job_limits& limits) const noexcept {
        return checked_ && depth_max_ <= limits.depth_max && payload_.size() <= limits.payload_max;
    }

  private:
    friend class job_parser;

    std::string payload_;
    unsigned depth_max_ = 0; // it nests no deeper than that
    bool checked_ = false;
};

/// What is wrong with the text of a job.
struct job_parse_error {
    error_code code;
    std::string member;       ///< the member at fault; empty when the text as a whole is
    std::size_t position = 0; ///< byte offset in the text; of a member: where its value begins
    std::string message;      ///< "member 'priority' at byte 17: must be 0 to 9"
};

/// Throws `lifeguard::error`; found by boost::system::result::value().
[[noreturn]] void throw_exception_from_error(const job_parse_error& e,
                                             const boost::source_location&);

/// Reads a job from JSON: an object with `kind`, and optionally `payload`, `queue`, `priority`,
/// `run_at` (RFC 3339) or `delay_ms`, `max_attempts`, `timeout_ms`, `id`; and, of unique jobs,
/// `unique_key` or `unique` (true: by payload), `unique_period_ms`, `unique_states` (names of
/// states). The payload is kept byte for byte. Unknown and repeated members are errors. Memory use
/// is bounded by the text's length, whatever the text is.
boost::system::result<new_job, job_parse_error> parse_job(std::string_view text,
                                                          const job_limits& limits = job_limits());

/// How many jobs may be submitted at once.
inline constexpr std::size_t batch_max = 10'000;

/// Reads an array of such objects, one at least. Errors name the member as "jobs[3].kind" and its
/// place in the whole text; `limit_reached` for more than `batch_max` jobs.
boost::system::result<std::vector<new_job>, job_parse_error>
parse_jobs(std::string_view text, const job_limits& limits = job_limits());

/// Checks a payload's text: well-formed JSON, UTF-8, within the limits. Throws `error` naming the
/// position.
void check_payload(std::string_view text, const job_limits& limits);

/// The longest text of what a job says of its progress, in bytes.
inline constexpr std::size_t progress_max = 4096;

/// One failed attempt.
struct attempt_error {
    unsigned attempt = 0;
    wall_time at;
    std::string text;
};

/// A job as it was when asked for.
struct job_info {
    job_id id;
    std::string kind;
    std::string queue;
    job_state state = job_state::available;
    int priority = priority_default;
    unsigned attempt = 0; ///< attempts charged so far
    unsigned max_attempts = 0;
    std::uint32_t deliveries = 0; ///< how often it has been taken
    wall_time created_at;
    wall_time run_at;
    std::optional<wall_time> attempted_at;
    std::optional<wall_time> finished_at;
    std::string payload;                   ///< JSON text
    duration timeout = duration::zero();   ///< of an attempt; zero: the worker pool's
    std::optional<std::string> unique_key; ///< of a unique job; empty: its payload is the key
    std::string result;                    ///< JSON text; empty until completed
    std::vector<attempt_error> errors;
    bool waits_for_handler = false; ///< available, but nobody here can run its kind
    bool cancel_asked = false;      ///< executing, and asked to stop
    std::string progress;           ///< JSON text; empty unless it executes and has said so
};

} // namespace lifeguard
