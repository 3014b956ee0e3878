// Jobs that this engine has not seen and is asked for.

#include "store/nats/broker.hpp"

namespace lifeguard::detail {
namespace {

/// Who follows a key hears of a state when it is being written. So much later it is there, unless
/// the server is slow or has refused it; then the usual look at jobs that are elsewhere finds it.
constexpr duration until_written[] = {std::chrono::milliseconds(5), std::chrono::milliseconds(50),
                                      std::chrono::milliseconds(500)};

} // namespace

void broker::locate(std::shared_ptr<locate_request> r) {
    link_.post([this, r = std::move(r)] {
        read_leader(r->id, [this, r](state_read how, std::uint64_t revision,
                                     std::optional<job_document> d) {
            broker_event e(broker_event::kind::located);
            e.id = r->id;
            e.sought = r;
            if (how == state_read::failed)
                e.error = std::make_exception_ptr(
                    error(errc::store_unavailable, "job " + r->id.to_string()));
            else if (d && !is_final(d->state))
                follow(r->id, revision);
            e.document = std::move(d);
            emit(std::move(e));
        });
    });
}

/// A plain subscription to the job's key: nothing is made on the server for it.
void broker::follow(const job_id& id, std::uint64_t revision) {
    entry& e = entries_[id];
    if (e.revision == 0)
        e.revision = revision;
    if (e.followed)
        return;
    e.followed = link_.follow(layout_.state_of(id), [this, id](const nats_message& m) {
        const auto d = read_document(id, m.data());
        if (d && !is_final(d->state))
            return;
        for (const duration wait : until_written)
            link_.after(wait, [this, id] { recheck(id); });
    });
    recheck(id); // it may have ended since it was read
}

} // namespace lifeguard::detail
