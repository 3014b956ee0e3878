// Finished jobs go from the bucket when they are too old, also those of engines that have died.

#include "queue/rfc3339.hpp"
#include "store/nats/base64.hpp"
#include "store/nats/broker.hpp"
#include <lifeguard/json.hpp>

#include <algorithm>

namespace lifeguard::detail {
namespace {

/// How many states are looked at in one go.
constexpr std::size_t looks_max = 1000;
constexpr duration least_wait = std::chrono::milliseconds(500);
constexpr duration longest_wait = std::chrono::minutes(10);

} // namespace

duration broker::age_of(job_state state) const noexcept {
    const job_ages& own = options_.keep_for;
    const duration age = state == job_state::completed   ? own.completed
                         : state == job_state::cancelled ? own.cancelled
                                                         : own.discarded;
    return age >= duration::zero() ? age : options_.keep_states_for;
}

/// Every engine does it, in its own time: what one has done is not there for the next.
void broker::plan_cleaning() {
    clean_age_ = duration::max();
    for (const job_state s : {job_state::completed, job_state::cancelled, job_state::discarded})
        if (age_of(s) >= duration::zero())
            clean_age_ = std::min(clean_age_, age_of(s));
    if (clean_age_ == duration::max())
        return;
    link_.after(std::clamp<duration>(clean_age_ / 4, least_wait, longest_wait), [this] {
        clean(looks_max);
        plan_cleaning();
    });
}

/// States lie in the order in which they were written: behind one that is young, all are.
void broker::clean(std::size_t most) {
    json which = json::object();
    which["seq"] = clean_from_;
    which["next_by_subj"] = layout_.job_states();
    link_.request(
        "$JS.API.STREAM.MSG.GET." + layout_.states, which.dump(), {},
        [this, most](const nats_message* m) {
            const json text = m == nullptr ? json() : json::parse(m->data(), nullptr, false);
            if (!text.is_object() || !text.contains("message") || !cleaned(text.at("message"))) {
                clean_from_ = 1;
            } else if (most > 1) {
                clean(most - 1);
            }
        });
}

/// Whether the next one may be old, too.
bool broker::cleaned(const json& found) {
    const auto written = parse_rfc3339(found.value("time", std::string()));
    if (!written)
        return false;
    const duration age = real_time_source()->wall_now() - *written;
    if (age < clean_age_)
        return false;
    const std::uint64_t revision = found.value("seq", std::uint64_t{0});
    clean_from_ = revision + 1;
    const std::string subject = found.value("subject", std::string());
    const auto id = layout_.job_of(subject);
    const auto d = id ? read_document(*id, decode64(found.value("data", std::string())))
                      : std::optional<job_document>();
    if (!d || !is_final(d->state) || age_of(d->state) < duration::zero() || age < age_of(d->state))
        return true;
    erase_state(subject, revision);
    return true;
}

/// This very revision: what has been written since is newer. If the request is lost, the state is
/// found again when it is old.
void broker::erase_state(const std::string& subject, std::uint64_t revision) {
    json which = json::object();
    which["seq"] = revision;
    which["no_erase"] = true;
    link_.request("$JS.API.STREAM.MSG.DELETE." + layout_.states, which.dump(), {},
                  [this, subject, revision](const nats_message* m) {
                      constexpr int not_deleted = 10057;
                      const json answer =
                          m == nullptr ? json() : json::parse(m->data(), nullptr, false);
                      // A bucket that was made with the client's tools denies it.
                      if (answer.is_object() && answer.contains("error") &&
                          answer["error"].value("err_code", 0) == not_deleted)
                          purge_state(subject, revision + 1);
                  });
}

/// All revisions before that one; zero: all. Much dearer for the server than to erase one.
void broker::purge_state(const std::string& subject, std::uint64_t before) {
    json which = json::object();
    which["filter"] = subject;
    if (before != 0)
        which["seq"] = before;
    link_.request("$JS.API.STREAM.PURGE." + layout_.states, which.dump(), {},
                  [](const nats_message*) {});
}

} // namespace lifeguard::detail
