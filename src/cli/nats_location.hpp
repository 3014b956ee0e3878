#pragma once

#include <lifeguard/json.hpp>
#include <lifeguard/store.hpp>

#include <CLI/CLI.hpp>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace lifeguard::cli {

/// What goes with `--store nats://...` on the command line.
struct nats_flags {
    std::string credentials;
    std::string authority;
    std::string certificate;
    std::string key;
    unsigned replicas = 1;
    bool tls = false;

    std::vector<const CLI::Option*> options; ///< all of these, as they were added
};

/// Adds `--nats-...` and `--replicas`. `flags` must outlive the program's parsing.
void add_nats_flags(CLI::App& serve, nats_flags& flags);

/// Whether `store` begins as the URL of a NATS server does.
bool is_nats_location(std::string_view store) noexcept;

/// "nats://HOST[:PORT][,HOST[:PORT]...][/PREFIX]", or the same with tls://, as the member `store`
/// of a document of options would say it. Errors: `failure` (usage) that says what is wrong.
json nats_document(const std::string& location, const nats_flags& flags);

/// What opens such a store. Errors: the same; and when the program was built without NATS.
std::function<store()> nats_at(const std::string& location, const nats_flags& flags);

/// Errors: `failure` (usage) that names the first of the options that was given: `store` is no
/// NATS server.
void refuse_nats_flags(const nats_flags& flags, const std::string& store);

} // namespace lifeguard::cli
