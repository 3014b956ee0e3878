// Jobs that are cancelled while a worker has them.

#include "worker/pool_core.hpp"

namespace lifeguard::detail {

bool worker::cancel_job(job_record& job, wake_list&) {
    pool.let_go(*this, job);
    return true;
}

// From here on the steps are those of a job that has timed out; what its end means for the job is
// another matter (`job_record::cancel_asked`).
bool lane::cancel_job(job_record&, wake_list& wakes) {
    if (reached != step::running)
        return false; // it has been asked to stop already
    const time_point now = pool->jobs().clock().now;
    timeout = now - started_at;
    post_step(step::timed_out, wakes);
    due = later(now, pool->options().cancel_grace);
    if (due < armed_at)
        arm();
    return false;
}

} // namespace lifeguard::detail
