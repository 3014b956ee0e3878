#pragma once

#include <lifeguard/job.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace lifeguard {

/// Which jobs to list.
struct list_options {
    explicit list_options(std::string queue_name = {}) : queue{std::move(queue_name)} {}

    std::string queue;              ///< empty: all
    std::optional<job_state> state; ///< empty: all
    std::string kind;               ///< empty: all
    std::string id_prefix;          ///< how the id begins: "0190a6f2-8c5e"; empty: all
    /// At most so many, 1 to 1,000. Defaults to 100.
    std::size_t limit = 100;
    /// Those submitted last come first.
    bool newest_first = false;
    /// Only those behind this place: `job_page::next` of the page before, in the same direction.
    /// Zero: from the first.
    std::int64_t after = 0;
};

/// A part of a list.
struct job_page {
    /// In the order of submission, or backwards. Without payloads, results and errors:
    /// `job_queue::find` has those of one job.
    std::vector<job_info> jobs;
    /// Where the next page begins; zero: this was the last.
    std::int64_t next = 0;
};

/// Why a job does not run.
enum class wait_reason : std::uint8_t {
    finished,      ///< it has run, or never will
    executing,     ///< it does run, or is a worker's already: `holder`, `until`
    changing,      ///< what becomes of it is being stored
    scheduled,     ///< it waits for its `run_at`: `until`
    retryable,     ///< it has failed, and waits for its next attempt: `until`
    queue_paused,  ///< its queue is paused: `until`, when that ends by itself
    no_handler,    ///< nobody here can run its kind
    no_worker,     ///< nobody takes jobs like it from its queue
    breaker_open,  ///< the breakers that could admit it are open: `until`
    behind_others, ///< it waits for its turn: `ahead`
    next_in_line,  ///< it is the next, and waits for a free worker
};

/// "queue_paused" and so on.
std::string_view name_of(wait_reason reason) noexcept;

struct job_explanation {
    wait_reason why = wait_reason::next_in_line;
    /// One sentence for a human: "3 jobs are ahead of it".
    std::string text;
    std::optional<wall_time> until;
    std::string holder;    ///< the worker; empty when it was taken by its token
    std::size_t ahead = 0; ///< counted up to 10,000
};

} // namespace lifeguard
