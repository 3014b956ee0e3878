#pragma once

#include <lifeguard/job_id.hpp>
#include <lifeguard/nats_store.hpp>

#include <nats/nats.h>

#include <optional>
#include <string>
#include <string_view>

namespace lifeguard::detail {

/// What the streams, consumers and subjects of a prefix are called.
class nats_layout {
  public:
    explicit nats_layout(const std::string& prefix);

    const std::string states; ///< the stream of the bucket
    const std::string references;
    const std::string dead;

    std::string state_of(const job_id& id) const { return states_subject_ + id.to_string(); }
    std::string pause_of(std::string_view queue) const;
    std::string reference_in(std::string_view queue, int priority) const;
    std::string dead_in(std::string_view queue) const;
    /// Where the engine of this id hears of the ends of jobs that it has submitted.
    std::string ended_at(std::string_view engine) const {
        return prefix_ + ".ended." + std::string(engine);
    }
    /// The durable consumer of a queue and priority.
    std::string consumer_of(std::string_view queue, int priority) const;

    /// The states of all jobs, and whose one is.
    std::string job_states() const { return states_subject_ + "*"; }
    std::optional<job_id> job_of(std::string_view subject) const;

    std::string states_subjects() const { return states_subject_ + ">"; }
    std::string references_subjects() const { return prefix_ + ".work.>"; }
    std::string dead_subjects() const { return prefix_ + ".dead.>"; }
    std::string pause_subjects() const { return states_subject_ + "pause.>"; }
    /// The queue whose pause has this subject. Empty when it is none.
    std::string queue_paused_by(std::string_view subject) const;

  private:
    std::string prefix_;
    std::string states_subject_;
};

/// A queue's name as a token of a subject: bytes that may not be there are written "=XX".
std::string subject_token(std::string_view name);
std::string name_of_token(std::string_view token);

/// Makes the streams that are missing and checks those that are there. Blocks. Throws `error`
/// naming the stream and what is wrong with it.
void prepare_streams(jsCtx& js, const nats_layout& layout, const nats_store_options& options);

} // namespace lifeguard::detail
