#pragma once

#include <lifeguard/store.hpp>
#include <lifeguard/time_source.hpp>

#include <cstddef>
#include <string>
#include <vector>

namespace lifeguard {

/// Validated by `nats_store`; the error names the field.
struct nats_store_options {
    /// Where the servers of one cluster are: "nats://HOST:PORT", or "tls://HOST:PORT". One at
    /// least.
    std::vector<std::string> servers;

    /// Names the streams, the bucket and the subjects, so that several installations can share a
    /// server: 1 to 32 letters, digits, '_' and '-'. Engines with the same prefix share their jobs.
    /// Defaults to "lifeguard".
    std::string prefix = "lifeguard";

    /// At most one kind of credentials: a user with a password, a token, or a file of credentials
    /// (a JWT and its seed).
    std::string user;
    std::string password;
    std::string token;
    std::string credentials_file;

    /// Certificates, as files in PEM. Any of them asks for TLS, as does a server "tls://...".
    std::string tls_ca_file;
    std::string tls_cert_file;
    std::string tls_key_file;

    /// What is missing on the server is made. Otherwise it is an error. Defaults to true.
    bool create_missing = true;
    /// How many servers keep each stream that is made: 1, 3 or 5. Defaults to 1.
    unsigned replicas = 1;

    /// How long the server waits before it gives a job of an engine that has gone silent to another
    /// one. Engines say that they live three times in it. 1 s to 1 h. Defaults to 30 s.
    duration ack_wait = std::chrono::seconds(30);
    /// A job that is to wait longer than this for its time is given back to the server, which
    /// keeps it until then; others wait in the engine that has them. Zero to 24 h. Defaults to 10
    /// s.
    duration hold_delayed = std::chrono::seconds(10);
    /// How long the server has to answer, in real time. More than zero. Defaults to 5 s.
    duration answer_wait = std::chrono::seconds(5);
    /// How long after a failure what must be recorded is tried again. More than zero. Defaults to
    /// 1 s.
    duration retry_wait = std::chrono::seconds(1);

    /// How many jobs of a queue and priority an engine fetches in advance, whatever its workers
    /// would take. 1 to 10,000. Defaults to 256.
    std::size_t prefetch_max = 256;
    /// How many jobs of a queue and priority may be with engines, or be waiting for their time on
    /// the server, at once. Defaults to 100,000.
    std::size_t ack_pending_max = 100'000;
    /// The window within which the server recognises a reference that it has got already. 1 s to
    /// 24 h. Defaults to 2 min.
    duration duplicate_window = std::chrono::minutes(2);

    /// How many completed and cancelled jobs that this engine has finished are kept, in it and in
    /// the bucket; and how many discarded ones. The oldest are forgotten. Default to 10,000.
    std::size_t finished_max = 10'000;
    std::size_t discarded_max = 10'000;
    /// For how long.
    job_ages keep_for = job_ages();
    /// Finished jobs that no engine has forgotten, perhaps because theirs died, go from the bucket
    /// when `keep_for` says so, and after this time when it does not. Any engine sees to it, by the
    /// server's time, so they should all say the same. At least 1 s; -1: never. Defaults to 24 h.
    duration keep_states_for = std::chrono::hours(24);
    /// A job that was executing so many times when its engine ended or went silent is discarded. 1
    /// to 1,000. Defaults to 3.
    unsigned max_process_crashes = 3;
    /// About how many bytes of memory completed and cancelled jobs may take, and discarded ones.
    /// Default to 256 MiB.
    std::size_t finished_bytes_max = std::size_t{256} << 20U;
    std::size_t discarded_bytes_max = std::size_t{256} << 20U;
};

/// Jobs in NATS JetStream: engines on many machines share them. docs/nats.md describes what is on
/// the server, and what such a store cannot do (`unsupported`).
///
/// Opening blocks, when the store is given to an engine or a queue.
/// Errors: `invalid_option`; then `store_unavailable` when no server can be reached;
/// `store_failed` when it refuses us or has no JetStream, and when a stream is there but is not as
/// it must be, or missing and not to be made: the error names it.
store nats_store(const nats_store_options& options);

} // namespace lifeguard
