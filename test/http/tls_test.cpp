// TLS of a connection. The program's own test has real clients.
#include "rig.hpp"
#include <lifeguard/error.hpp>

#include <boost/test/unit_test.hpp>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

BOOST_AUTO_TEST_SUITE(http_tls)

namespace {

/// A certificate of its own authority, made once.
const http_options& encrypted() {
    static const http_options made = [] {
        const auto folder = std::filesystem::temp_directory_path() /
                            ("lifeguard-tls-" + std::to_string(::getpid()));
        std::filesystem::create_directories(folder);
        http_options o;
        o.tls_certificate = folder / "certificate.pem";
        o.tls_key = folder / "key.pem";
        const std::string make = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=test "
                                 "-addext subjectAltName=DNS:localhost -keyout " +
                                 o.tls_key + " -out " + o.tls_certificate + " 2>/dev/null";
        if (std::system(make.c_str()) != 0)
            throw std::runtime_error("openssl made no certificate");
        return o;
    }();
    return made;
}

} // namespace

LIFEGUARD_TEST(a_handshake_that_does_not_come_has_as_long_as_a_header) {
    http_rig rig(ctx, encrypted());
    client silent = rig.connect();
    ctx.settle();
    ctx.advance(9s);
    BOOST_TEST(!silent.closed());
    BOOST_TEST(rig.connections() == 1u);
    ctx.advance(2s);
    BOOST_TEST(silent.closed()); // and not a byte in clear
    BOOST_TEST(rig.connections() == 0u);
}

LIFEGUARD_TEST(who_does_not_speak_tls_is_not_answered) {
    http_rig rig(ctx, encrypted());
    client plain = rig.connect();
    plain.send(http_rig::request("GET", "/healthz"));
    ctx.settle();
    const std::string said = plain.text();
    BOOST_TEST(said.find("HTTP") == std::string::npos);
    BOOST_TEST(plain.closed());
    BOOST_TEST(rig.connections() == 0u);
}

BOOST_AUTO_TEST_CASE(files_that_cannot_be_used_are_named) {
    test_context ctx(1);
    const engine app(ctx.executor());
    const auto refuse = [&](http_options o, const char* field) {
        o.port = 0;
        BOOST_CHECK_EXCEPTION(http_server(ctx.executor(), app, o), error, [&](const error& e) {
            return e.code() == errc::invalid_option &&
                   e.detail().find(std::string("http_options.") + field) == 0;
        });
    };
    http_options o = encrypted();
    o.tls_key.clear();
    refuse(o, "tls_key");
    o = encrypted();
    o.tls_certificate.clear();
    refuse(o, "tls_certificate");
    o = encrypted();
    o.tls_certificate += ".none";
    refuse(o, "tls_certificate");
    o = encrypted();
    o.tls_key = o.tls_certificate; // not a key
    refuse(o, "tls_key");
    http_options right = encrypted();
    right.port = 0;
    BOOST_TEST(http_server(ctx.executor(), app, right).url().starts_with("https://127.0.0.1:"));
}

BOOST_AUTO_TEST_SUITE_END()
