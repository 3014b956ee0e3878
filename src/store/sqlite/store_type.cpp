// Lets options name this store: {"store": {"type": "sqlite", "path": "jobs.db"}}.

#include "store/store_types.hpp"
#include <lifeguard/sqlite_store.hpp>

namespace lifeguard::detail {
namespace {

std::function<store()> read_options(option_members& m) {
    sqlite_store_options o;
    m.text("path", o.path);
    if (o.path.empty())
        m.complain("path", "must name a file");
    m.choice(
        "durability", o.durable,
        {{"power_loss", durability::power_loss}, {"process_crash", durability::process_crash}});
    m.choice("check", o.check, {{"rows", store_check::rows}, {"full", store_check::full}});
    m.whole("finished_max", o.finished_max);
    m.whole("discarded_max", o.discarded_max);
    m.whole("finished_bytes_max", o.finished_bytes_max);
    m.whole("discarded_bytes_max", o.discarded_bytes_max);
    m.age("completed_age_ms", o.keep_for.completed);
    m.age("cancelled_age_ms", o.keep_for.cancelled);
    m.age("discarded_age_ms", o.keep_for.discarded);
    m.whole_between("max_process_crashes", o.max_process_crashes, 1, 1000);
    m.milliseconds_between("busy_wait_ms", o.busy_wait, 0, 3'600'000);
    m.milliseconds_between("retry_wait_ms", o.retry_wait, 1, 3'600'000);
    return [o] { return sqlite_store(o); };
}

} // namespace
} // namespace lifeguard::detail

extern "C" {
/// Nobody refers to this file, so the linker would leave it out: the library's CMake target tells
/// it to look for this name.
extern const bool lifeguard_sqlite_store_type;
const bool lifeguard_sqlite_store_type =
    lifeguard::detail::register_store_type("sqlite", &lifeguard::detail::read_options);
}
