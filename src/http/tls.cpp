#include "http/tls.hpp"

#include <lifeguard/error.hpp>

#include <openssl/ssl.h>

namespace lifeguard::detail::web {
namespace {

[[noreturn]] void wrong(const char* field, const std::string& why) {
    throw error(errc::invalid_option, std::string("http_options.") + field + ": " + why);
}

} // namespace

std::shared_ptr<asio::ssl::context> make_tls(const http_options& o) {
    if (o.tls_certificate.empty() != o.tls_key.empty())
        wrong(o.tls_key.empty() ? "tls_key" : "tls_certificate", "certificate and key go together");
    if (o.tls_certificate.empty())
        return nullptr;
    auto tls = std::make_shared<asio::ssl::context>(asio::ssl::context::tls_server);
    SSL_CTX* const native = tls->native_handle();
    SSL_CTX_set_min_proto_version(native, TLS1_2_VERSION);
    SSL_CTX_set_options(native, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                    SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(native, SSL_MODE_RELEASE_BUFFERS); // of connections that are idle
    // Of TLS 1.2 only what is forward secret and authenticated; 1.3 has nothing else.
    SSL_CTX_set_cipher_list(native, "ECDHE+AESGCM:ECDHE+CHACHA20");
    error_code failed;
    tls->use_certificate_chain_file(o.tls_certificate, failed);
    if (failed)
        wrong("tls_certificate", "'" + o.tls_certificate + "': " + failed.message());
    tls->use_private_key_file(o.tls_key, asio::ssl::context::pem, failed);
    if (failed)
        wrong("tls_key", "'" + o.tls_key + "': " + failed.message());
    if (SSL_CTX_check_private_key(native) != 1)
        wrong("tls_key", "'" + o.tls_key + "' is not the key of the certificate");
    return tls;
}

} // namespace lifeguard::detail::web
