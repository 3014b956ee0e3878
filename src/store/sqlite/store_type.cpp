// Lets options name this store: {"store": {"type": "sqlite", "path": "jobs.db"}}.

#include "store/store_types.hpp"
#include <lifeguard/sqlite_store.hpp>

namespace lifeguard::detail {
namespace {

std::function<store()> read_options(option_members& m) {
    sqlite_store_options o;
    m.text("path", o.path);
    if (o.path.empty())
        m.wrong("path", "must name a file");
    std::string durable = "power_loss";
    m.text("durability", durable);
    if (durable == "process_crash")
        o.durable = durability::process_crash;
    else if (durable != "power_loss")
        m.wrong("durability", "must be power_loss or process_crash, is " + durable);
    std::string check = "rows";
    m.text("check", check);
    if (check == "full")
        o.check = store_check::full;
    else if (check != "rows")
        m.wrong("check", "must be rows or full, is " + check);
    m.whole("finished_max", o.finished_max);
    m.whole("discarded_max", o.discarded_max);
    m.whole("finished_bytes_max", o.finished_bytes_max);
    m.whole("discarded_bytes_max", o.discarded_bytes_max);
    m.age("completed_age_ms", o.keep_for.completed);
    m.age("cancelled_age_ms", o.keep_for.cancelled);
    m.age("discarded_age_ms", o.keep_for.discarded);
    if (const json* v = m.get("max_process_crashes"))
        o.max_process_crashes = static_cast<unsigned>(m.number(*v, "max_process_crashes", 1, 1000));
    if (const json* v = m.get("busy_wait_ms"))
        o.busy_wait = std::chrono::milliseconds(m.number(*v, "busy_wait_ms", 0, 3'600'000));
    if (const json* v = m.get("retry_wait_ms"))
        o.retry_wait = std::chrono::milliseconds(m.number(*v, "retry_wait_ms", 1, 3'600'000));
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
