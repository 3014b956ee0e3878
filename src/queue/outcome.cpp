#include "queue/queue_core.hpp"
#include <lifeguard/exit_reason.hpp>
#include <lifeguard/verdict.hpp>

namespace lifeguard::detail {
namespace {

/// Looks for a verdict in an exception and in those nested in it.
bool find_verdict(const std::exception_ptr& thrown, job_outcome& outcome) {
    try {
        std::rethrow_exception(thrown);
    } catch (const retry_job& v) {
        outcome.what = job_outcome::kind::retry_at;
        outcome.at = v.at;
        outcome.text = v.what();
    } catch (const snooze_job& v) {
        outcome.what = job_outcome::kind::snoozed;
        outcome.delay = v.delay;
    } catch (const discard_job& v) {
        outcome.what = job_outcome::kind::discarded;
        outcome.text = v.what();
    } catch (const revoke_job& v) {
        outcome.what = job_outcome::kind::revoked;
        outcome.text = v.what();
    } catch (const std::nested_exception& outer) {
        return outer.nested_ptr() && find_verdict(outer.nested_ptr(), outcome);
    } catch (...) {
        return false;
    }
    return true;
}

} // namespace

job_outcome outcome_of(std::exception_ptr thrown) {
    job_outcome outcome;
    if (!find_verdict(thrown, outcome)) {
        outcome.what = job_outcome::kind::failed;
        outcome.text = lifeguard::describe(thrown);
    }
    outcome.error = std::move(thrown);
    return outcome;
}

} // namespace lifeguard::detail
