#include "cli/nats_location.hpp"

#include "cli/client.hpp"
#include "store/store_types.hpp"

#include <algorithm>
#include <charconv>

namespace lifeguard::cli {
namespace {

constexpr std::string_view plain_scheme = "nats://";
constexpr std::string_view tls_scheme = "tls://";
constexpr std::string_view port_usual = ":4222";
constexpr std::size_t prefix_max = 32;

[[noreturn]] void refuse(const std::string& location, const std::string& why) {
    throw failure(exit_status::usage,
                  "--store: " + why + "; must be nats://HOST:PORT[,HOST:PORT...][/PREFIX], is " +
                      location);
}

bool is_port(std::string_view text) {
    unsigned port = 0;
    const char* const end = text.data() + text.size();
    const auto read = std::from_chars(text.data(), end, port);
    return read.ec == std::errc() && read.ptr == end && port >= 1 && port <= 65535;
}

/// "HOST:PORT" of one of the servers.
std::string address_of(std::string_view server, const std::string& location) {
    // Everybody on the machine can read a command line. The message does not repeat it either.
    if (server.find('@') != std::string_view::npos)
        throw failure(exit_status::usage,
                      "--store: a user or token does not belong on the command line; give "
                      "--nats-credentials, or name the store in a file with --options");
    const std::size_t bracket = server.starts_with('[') ? server.find(']') : 0;
    if (bracket == std::string_view::npos)
        refuse(location, "an address has no ']'");
    const std::size_t colon = server.find(':', bracket);
    const std::string_view host = server.substr(0, colon);
    if (host.empty() || host == "[]")
        refuse(location, "a server has no host");
    if (host.find_first_of(" ?#\\") != std::string_view::npos)
        refuse(location, "'" + std::string(host) + "' is no host");
    if (bracket != 0 && host.size() != bracket + 1)
        refuse(location, "'" + std::string(host) + "' is no host");
    if (colon == std::string_view::npos)
        return std::string(server) += port_usual;
    if (!is_port(server.substr(colon + 1)))
        refuse(location, "'" + std::string(server.substr(colon + 1)) + "' is no port");
    return std::string(server);
}

std::string prefix_of(std::string_view text, const std::string& location) {
    const auto plain = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '_' || c == '-';
    };
    if (text.empty() || text.size() > prefix_max || !std::ranges::all_of(text, plain))
        refuse(location, "the prefix must be 1 to 32 letters, digits, '_' and '-'");
    return std::string(text);
}

} // namespace

void add_nats_flags(CLI::App& serve, nats_flags& flags) {
    const auto file = [&](const char* name, std::string& to, const char* meaning) {
        CLI::Option* const added = serve.add_option(name, to, meaning)->check(CLI::ExistingFile);
        flags.options.push_back(added);
        return added;
    };
    file("--nats-credentials", flags.credentials,
         "For a store at nats://: the file with our JWT and seed");
    flags.options.push_back(
        serve.add_flag("--nats-tls", flags.tls, "Speak TLS with it, as tls:// does"));
    file("--nats-ca", flags.authority, "The certificates to trust, PEM; asks for TLS");
    CLI::Option* const certificate =
        file("--nats-cert", flags.certificate, "Our certificate, PEM; asks for TLS");
    CLI::Option* const key = file("--nats-key", flags.key, "The file of its key");
    certificate->needs(key);
    key->needs(certificate);
    flags.options.push_back(
        serve.add_option("--replicas", flags.replicas, "How many servers keep what is made there")
            ->check(CLI::IsMember({1U, 3U, 5U}))
            ->option_text("1|3|5 [1]"));
}

bool is_nats_location(std::string_view store) noexcept {
    return store.starts_with(plain_scheme) || store.starts_with(tls_scheme);
}

json nats_document(const std::string& location, const nats_flags& flags) {
    const bool tls = flags.tls || location.starts_with(tls_scheme);
    std::string_view rest(location);
    rest.remove_prefix(rest.find("//") + 2);
    json document = json::object();
    const std::size_t slash = rest.find('/');
    if (slash != std::string_view::npos)
        document["prefix"] = prefix_of(rest.substr(slash + 1), location);
    rest = rest.substr(0, slash);
    std::string servers;
    for (std::size_t begin = 0; begin <= rest.size();) {
        const std::size_t end = std::min(rest.find(',', begin), rest.size());
        servers += servers.empty() ? "" : ",";
        servers += tls ? tls_scheme : plain_scheme;
        servers += address_of(rest.substr(begin, end - begin), location);
        begin = end + 1;
    }
    document["server"] = std::move(servers);
    document["replicas"] = flags.replicas;
    document["credentials_file"] = flags.credentials;
    document["tls_ca_file"] = flags.authority;
    document["tls_cert_file"] = flags.certificate;
    document["tls_key_file"] = flags.key;
    return document;
}

std::function<store()> nats_at(const std::string& location, const nats_flags& flags) {
    const json document = nats_document(location, flags);
    const detail::store_reader read = detail::find_store_type("nats");
    if (read == nullptr)
        throw failure(exit_status::usage, "--store: this program was built without NATS "
                                          "(LIFEGUARD_WITH_NATS): " +
                                              location);
    detail::option_members members(document, "--store");
    return read(members);
}

void refuse_nats_flags(const nats_flags& flags, const std::string& store) {
    for (const CLI::Option* const option : flags.options)
        if (option->count() != 0)
            throw failure(exit_status::usage,
                          option->get_name() + ": goes with --store nats://HOST:PORT, not with " +
                              store);
}

} // namespace lifeguard::cli
