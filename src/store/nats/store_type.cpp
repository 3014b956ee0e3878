// Lets options name this store: {"store": {"type": "nats", "server": "nats://127.0.0.1:4222"}}.

#include "store/store_types.hpp"
#include <lifeguard/nats_store.hpp>

#include <algorithm>

namespace lifeguard::detail {
namespace {

std::function<store()> read_options(option_members& m) {
    nats_store_options o;
    std::string server;
    m.text("server", server);
    if (server.empty())
        m.complain("server", "must name a server");
    // Those of a cluster, with commas between.
    for (std::size_t begin = 0; begin <= server.size();) {
        const std::size_t end = std::min(server.find(',', begin), server.size());
        o.servers.push_back(server.substr(begin, end - begin));
        begin = end + 1;
    }
    m.text("prefix", o.prefix);
    m.text("user", o.user);
    m.text("password", o.password);
    m.text("token", o.token);
    m.text("credentials_file", o.credentials_file);
    m.text("tls_ca_file", o.tls_ca_file);
    m.text("tls_cert_file", o.tls_cert_file);
    m.text("tls_key_file", o.tls_key_file);
    m.whole_between("replicas", o.replicas, 1, 5);
    m.milliseconds_between("ack_wait_ms", o.ack_wait, 1000, 3'600'000);
    m.milliseconds_between("answer_wait_ms", o.answer_wait, 1, 3'600'000);
    m.milliseconds_between("retry_wait_ms", o.retry_wait, 1, 3'600'000);
    m.whole("prefetch_max", o.prefetch_max);
    m.age("states_age_ms", o.keep_states_for);
    m.whole_between("max_process_crashes", o.max_process_crashes, 1, 1000);
    m.whole("finished_max", o.finished_max);
    m.whole("discarded_max", o.discarded_max);
    m.age("completed_age_ms", o.keep_for.completed);
    m.age("cancelled_age_ms", o.keep_for.cancelled);
    m.age("discarded_age_ms", o.keep_for.discarded);
    return [o] { return nats_store(o); };
}

} // namespace
} // namespace lifeguard::detail

extern "C" {
/// Nobody refers to this file, so the linker would leave it out: the library's CMake target tells
/// it to look for this name.
extern const bool lifeguard_nats_store_type;
const bool lifeguard_nats_store_type =
    lifeguard::detail::register_store_type("nats", &lifeguard::detail::read_options);
}
