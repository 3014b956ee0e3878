#include "store/nats/nats_store.hpp"

namespace lifeguard::detail {
namespace {

void require(bool ok, const char* field, const char* rule) {
    if (!ok)
        throw error(errc::invalid_option,
                    std::string("nats_store_options::") + field + ": " + rule);
}

bool is_prefix(const std::string& text) {
    return !text.empty() && text.size() <= 32 && subject_token(text) == text;
}

bool is_between(duration d, duration least, duration most) { return d >= least && d <= most; }

} // namespace

nats_store_options checked(nats_store_options o) {
    using std::chrono::hours;
    using std::chrono::seconds;
    require(!o.servers.empty(), "servers", "must name one at least");
    for (const std::string& server : o.servers)
        require(server.starts_with("nats://") || server.starts_with("tls://"), "servers",
                "must begin with nats:// or tls://");
    require(is_prefix(o.prefix), "prefix", "must be 1 to 32 letters, digits, '_' and '-'");
    const int ways =
        int{!o.user.empty()} + int{!o.token.empty()} + int{!o.credentials_file.empty()};
    require(ways <= 1, "user", "only one of user, token and credentials_file");
    require(o.tls_cert_file.empty() == o.tls_key_file.empty(), "tls_cert_file",
            "goes together with tls_key_file");
    require(o.replicas == 1 || o.replicas == 3 || o.replicas == 5, "replicas", "must be 1, 3 or 5");
    require(is_between(o.ack_wait, seconds(1), hours(1)), "ack_wait", "must be 1 s to 1 h");
    require(is_between(o.hold_delayed, seconds(0), hours(24)), "hold_delayed", "must be 0 to 24 h");
    require(o.answer_wait > duration::zero(), "answer_wait", "must be more than 0");
    require(o.retry_wait > duration::zero(), "retry_wait", "must be more than 0");
    require(o.keep_states_for == duration(-1) || o.keep_states_for >= seconds(1), "keep_states_for",
            "must be 1 s at least, or -1");
    require(o.max_process_crashes >= 1 && o.max_process_crashes <= 1000, "max_process_crashes",
            "must be 1 to 1,000");
    require(o.prefetch_max >= 1 && o.prefetch_max <= 10'000, "prefetch_max", "must be 1 to 10,000");
    require(o.ack_pending_max >= 1, "ack_pending_max", "must be 1 at least");
    require(is_between(o.duplicate_window, seconds(1), hours(24)), "duplicate_window",
            "must be 1 s to 24 h");
    return o;
}

} // namespace lifeguard::detail
