#include <lifeguard/error.hpp>

namespace lifeguard {
namespace {

struct text {
    std::string_view name;
    const char* message;
};

text text_of(errc e) noexcept {
    switch (e) {
    case errc::invalid_option:
        return {"invalid_option", "an option is out of range"};
    case errc::invalid_job:
        return {"invalid_job", "the job is not valid"};
    case errc::malformed_json:
        return {"malformed_json", "the text is not JSON"};
    case errc::too_deep:
        return {"too_deep", "the JSON is nested too deeply"};
    case errc::payload_too_large:
        return {"payload_too_large", "the payload is too large"};
    case errc::unknown_kind:
        return {"unknown_kind", "no handler is registered for this kind"};
    case errc::unsupported:
        return {"unsupported", "this is not supported here"};
    case errc::not_found:
        return {"not_found", "there is no such thing"};
    case errc::duplicate_id:
        return {"duplicate_id", "the id is taken"};
    case errc::already_started:
        return {"already_started", "a child with this id is running"};
    case errc::already_present:
        return {"already_present",
                "a child with this id exists and is not running: restart or delete it"};
    case errc::running:
        return {"running", "the child is running: terminate it first"};
    case errc::simple_one_for_one:
        return {
            "simple_one_for_one",
            "the children of this supervisor are made from a template, without ids of their own"};
    case errc::executing:
        return {"executing", "the job is being executed"};
    case errc::illegal_transition:
        return {"illegal_transition", "the circuit breaker is not in a state that allows this"};
    case errc::no_such_pool:
        return {"no_such_pool", "there is no such pool, or it has been stopped"};
    case errc::no_such_queue:
        return {"no_such_queue", "there is no such queue"};
    case errc::no_such_supervisor:
        return {"no_such_supervisor", "the supervisor has ended or was never run"};
    case errc::draining:
        return {"draining", "new jobs are refused: submit elsewhere, or later"};
    case errc::queue_full:
        return {"queue_full", "the queue is full: submit again later"};
    case errc::pool_exhausted:
        return {"pool_exhausted", "no worker was free in time"};
    case errc::no_available_workers:
        return {"no_available_workers", "all workers are busy"};
    case errc::breaker_open:
        return {"breaker_open", "the circuit breaker is open"};
    case errc::timeout:
        return {"timeout", "the time allowed has passed"};
    case errc::limit_reached:
        return {"limit_reached", "a limit does not allow one more"};
    case errc::store_busy:
        return {"store_busy", "the store's file is locked: try again later"};
    case errc::store_full:
        return {"store_full", "there is no space left for the store"};
    case errc::store_read_only:
        return {"store_read_only", "the store cannot be written"};
    case errc::store_corrupt:
        return {"store_corrupt", "the store is damaged"};
    case errc::store_owned:
        return {"store_owned", "the store belongs to another process, or to another engine here"};
    case errc::store_failed:
        return {"store_failed", "the store has failed"};
    case errc::store_unavailable:
        return {"store_unavailable", "the store's server cannot be reached: try again later"};
    case errc::outcome_unknown:
        return {"outcome_unknown", "the store has not answered in time: it may be done or not"};
    case errc::lease_lost:
        return {"lease_lost", "the lease is no longer held: the result was refused"};
    case errc::already_done:
        return {"already_done", "this delivery has been finished before"};
    case errc::job_failed:
        return {"job_failed", "the attempt failed"};
    case errc::job_discarded:
        return {"job_discarded", "the job was discarded"};
    case errc::job_cancelled:
        return {"job_cancelled", "the job was cancelled"};
    case errc::killed:
        return {"killed", "killed"};
    case errc::start_failed:
        return {"start_failed", "the child did not start"};
    case errc::intensity_exceeded:
        return {"intensity_exceeded", "too many restarts: the supervisor gave up"};
    case errc::stopped:
        return {"stopped", "it has been stopped"};
    }
    return {"unknown", "unknown lifeguard error"};
}

class category final : public boost::system::error_category {
  public:
    const char* name() const noexcept override { return "lifeguard"; }
    std::string message(int value) const override {
        return text_of(static_cast<errc>(value)).message;
    }
};

} // namespace

const boost::system::error_category& lifeguard_category() noexcept {
    static const category instance;
    return instance;
}

error_code make_error_code(errc e) noexcept { return {static_cast<int>(e), lifeguard_category()}; }

std::string_view name_of(errc e) noexcept { return text_of(e).name; }

} // namespace lifeguard
