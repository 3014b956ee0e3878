// Jobs that nobody here can run are left to others, each time for longer.

#include "base/saturate.hpp"
#include "store/nats/broker.hpp"

#include <algorithm>

namespace lifeguard::detail {
namespace {

constexpr duration put_off_first = std::chrono::seconds(1);
constexpr duration put_off_most = std::chrono::minutes(1);
constexpr unsigned doublings_max = 6;

/// A reference is not asked for again when it is about to come by itself: somebody else might have
/// got it before the server hears us, and would lose it.
constexpr duration recall_margin = std::chrono::milliseconds(250);

} // namespace

void broker::put_off(const job_id& id) {
    link_.post([this, id] {
        entry* const e = find(id);
        if (e == nullptr || e->ack.empty())
            return;
        const duration wait = std::min<duration>(
            put_off_first * (1U << std::min(e->refusals, doublings_max)), put_off_most);
        ++e->refusals;
        e->put_off_in = e->from;
        e->recall_at = e->ack;
        e->back_at = later(link_.now(), wait);
        nak(*e, wait);
    });
}

void broker::recall(const job_id& id) {
    link_.post([this, id] {
        entry* const e = find(id);
        if (e == nullptr || e->put_off_in == nullptr)
            return;
        e->refusals = 0;
        pulls& q = *std::exchange(e->put_off_in, nullptr)->queue;
        if (later(link_.now(), recall_margin) >= e->back_at)
            return;
        ++q.returns;
        link_.request(e->recall_at, "-NAK", {}, [this, &q](const nats_message*) {
            ++q.returns_known;
            begin_look(q);
        });
    });
}

} // namespace lifeguard::detail
