#include "crash/power_load.hpp"

#include <lifeguard/error.hpp>
#include <lifeguard/json.hpp>

#include <utility>

namespace lifeguard::test {
namespace {

using namespace std::chrono_literals;

constexpr unsigned attempts_max = 3;

asio::awaitable<void> pushed(job_queue queue, new_job job) { co_await queue.push(std::move(job)); }

} // namespace

power_load::power_load(job_queue queue, history& past, std::mt19937& random, options how,
                       std::function<disk()> state)
    : queue_(std::move(queue)),
      past_(past),
      random_(random),
      options_(how),
      disk_(std::move(state)),
      known_(past.ids()) {}

std::size_t power_load::below(std::size_t n) {
    return std::uniform_int_distribution<std::size_t>(0, n - 1)(random_);
}

asio::awaitable<void> power_load::client(int calls) {
    for (int i = 0; i < calls && disk_() != disk::cut; ++i) {
        const std::size_t dice = below(100);
        if (dice < 35) {
            co_await push();
        } else if (dice < 60 || (leases_.empty() && dice < 90)) {
            co_await take();
        } else if (dice < 90) {
            const std::size_t which = below(leases_.size());
            taken_job t = std::move(leases_[which]);
            leases_.erase(leases_.begin() + static_cast<std::ptrdiff_t>(which));
            co_await finish(std::move(t));
        } else if (!known_.empty()) {
            co_await remove();
        }
    }
}

asio::awaitable<void> power_load::push() {
    new_job job =
        new_job::from_text("k", "\"" + std::string(below(options_.payload_max), 'x') + "\"");
    job.id = job_id(random_() | 1U, random_());
    job.max_attempts = attempts_max;
    job.priority = static_cast<int>(below(10));
    if (below(10) == 0)
        job.delay = 2s;
    if (below(20) == 0)
        job.queue = "q" + std::to_string(below(20)); // new names are rows too
    const job_id id = job.id;
    if (co_await ask(id, "live 0 []", pushed(queue_, std::move(job))))
        known_.push_back(id);
}

asio::awaitable<void> power_load::take() {
    take_options some;
    some.jobs_max = 1 + below(3);
    some.lease = 1h;
    const auto taken = co_await queue_.take(std::move(some));
    for (const taken_job& t : taken) {
        if (!past_.taken(t.id, t.token) && options_.tokens_are_new)
            faults_.push_back("job " + t.id.to_string() + " is given out under token " +
                              std::to_string(t.token) + " again");
        if (!removing_.contains(t.id))
            leases_.push_back(t);
    }
}

std::string power_load::errors_of(const job_id& id, const std::string& more) const {
    const std::string& portrait = past_.portrait(id);
    const auto begin = portrait.find('[') + 1;
    std::string all = portrait.substr(begin, portrait.find(']') - begin);
    if (!more.empty())
        all += (all.empty() ? "" : ",") + more;
    return "[" + all + "]";
}

asio::awaitable<void> power_load::finish(taken_job t) {
    const std::string what = std::to_string(++serial_);
    const std::string attempt = " " + std::to_string(t.attempt) + " ";
    const std::size_t dice = below(10);
    if (dice < 4) {
        std::string then = "completed" + attempt + errors_of(t.id) + " " + what;
        if (co_await ask(t.id, std::move(then), queue_.complete(t.id, t.token, json(serial_))))
            ++completed_;
    } else if (dice < 6) {
        const char* state = t.attempt < attempts_max ? "live" : "discarded";
        std::string then = state + attempt + errors_of(t.id, what);
        co_await ask(t.id, std::move(then), queue_.fail(t.id, t.token, what));
    } else if (dice < 7) {
        std::string then = "discarded" + attempt + errors_of(t.id, what);
        co_await ask(t.id, std::move(then), queue_.discard(t.id, t.token, what));
    } else if (dice < 8) {
        // No attempt, so it looks as it did.
        co_await ask(t.id, past_.portrait(t.id), queue_.snooze(t.id, t.token, 2s));
    } else if (dice < 9) {
        co_await ask(t.id, past_.portrait(t.id), queue_.release(t.id, t.token));
    } else {
        co_await queue_.extend(t.id, t.token, 2h); // in memory
        leases_.push_back(std::move(t));
    }
}

asio::awaitable<void> power_load::remove() {
    const std::size_t which = below(known_.size());
    const job_id id = known_[which];
    const auto job = queue_.find(id);
    if (!job || job->state == job_state::executing || removing_.contains(id))
        co_return;
    known_.erase(known_.begin() + static_cast<std::ptrdiff_t>(which));
    removing_.insert(id);
    co_await ask(id, "none", queue_.remove(id));
    removing_.erase(id);
}

asio::awaitable<bool> power_load::ask(job_id id, std::string portrait,
                                      asio::awaitable<void> change) {
    const std::uint64_t number = past_.asked(id, std::move(portrait));
    error_code why;
    try {
        co_await std::move(change);
    } catch (const error& e) {
        why = e.code();
    }
    ++answers_;
    if (!why.failed()) {
        past_.stored(id, number);
        co_return true;
    }
    const disk now = disk_();
    const bool refused = why == errc::executing; // somebody was faster than the removal
    if (!refused && now == disk::sound)
        faults_.push_back("job " + id.to_string() + ": " + why.message());
    ++failures_;
    if (refused || now != disk::cut)
        past_.refused(id, number);
    co_return false;
}

asio::awaitable<void> power_load::try_old_tokens(std::size_t count) {
    for (std::size_t i = 0; i < count && !known_.empty(); ++i) {
        const job_id id = known_[below(known_.size())];
        bool good = false;
        try {
            co_await queue_.complete(id, past_.last_token(id), json("late"));
            good = true;
        } catch (const error&) { // whichever reason applies
        }
        if (good)
            faults_.push_back("job " + id.to_string() + " was completed under an old token");
    }
}

} // namespace lifeguard::test
