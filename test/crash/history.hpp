#pragma once

#include <lifeguard/job.hpp>
#include <lifeguard/job_queue.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace lifeguard::test {

/// What a job is, as far as it is stored: "live 1 [boom]", "completed 2 [boom] 7", "none".
std::string portrait_of(const std::optional<job_info>& job);

/// All that was asked of a queue and what it answered, job by job; and what that allows to be found
/// after a power cut.
///
/// The changes of a job are made one after the other. Those that were answered have a place in the
/// order of answers; the last one may have had no answer, and then it may be found or not.
class history {
  public:
    /// A change has been asked for that makes the job look like `portrait`. Returns its number.
    std::uint64_t asked(const job_id& id, std::string portrait);
    /// It was answered: stored, or refused with nothing changed.
    void stored(const job_id& id, std::uint64_t change);
    void refused(const job_id& id, std::uint64_t change);
    /// The job was given out under this token; false when it is not a new one.
    bool taken(const job_id& id, std::uint32_t token);

    /// The job as it must look to somebody who has got it.
    const std::string& portrait(const job_id& id) const;

    struct verdict {
        std::vector<std::string> faults; ///< what must not be, in words
        std::size_t kept = 0;            ///< changes that had been answered and were found
        std::size_t lost = 0;            ///< changes that had been answered and are gone
        std::size_t recovered = 0;       ///< changes that were found though nobody had an answer
    };
    /// Compares with what a queue has after a power cut, and from then on goes by that. What was
    /// answered must be there; unless `may_lose`, when the last changes may be gone, which then are
    /// those after one moment, of all jobs.
    verdict check(const job_queue& found, bool may_lose);

    /// The highest token that the job was given out under; 0 when there was none.
    std::uint32_t last_token(const job_id& id) const;
    std::vector<job_id> ids() const;

  private:
    struct version {
        std::string portrait;
        std::uint64_t place = 0; ///< in the order of answers; 0: what was found after a cut
    };
    struct doubt {
        std::uint64_t number;
        std::string portrait;
    };
    struct job {
        std::vector<version> answered; ///< the first one: none, or what was found
        std::vector<doubt> in_doubt;   ///< asked for, and not answered yet
        std::uint32_t last_token = 0;
    };
    /// Between which places in the order of answers the power was cut, by what is found.
    struct bounds {
        std::uint64_t not_before = 0;
        std::uint64_t before = 0;
        job_id early; ///< the job that says so
        job_id late;
    };
    void find_version(const job_id& id, const job& j, const std::string& found, bounds& cut,
                      verdict& v) const;

    std::map<job_id, job> jobs_;
    std::uint64_t asked_ = 0;
    std::uint64_t answers_ = 0;
};

} // namespace lifeguard::test
