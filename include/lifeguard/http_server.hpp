#pragma once

#include <lifeguard/child_spec.hpp>
#include <lifeguard/engine.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace lifeguard {

/// What the web page at / may do. Whatever it may, its data need the token when there is one.
enum class dashboard_mode {
    on,        ///< look and act
    read_only, ///< look: what any page asks for that would change something is refused with 403
    off,       ///< it is not there
};

/// Validated by the server's constructor; the error names the field.
struct http_options {
    /// Where it listens: an address of this machine, and a port; 0 takes any free one. Any other
    /// address than loopback needs a `token`. Default to 127.0.0.1 and 8080.
    std::string address = "127.0.0.1";
    std::uint16_t port = 8080;

    /// What `Authorization: Bearer` must carry. Empty: nothing is asked for.
    std::string token;

    /// Names, besides those of loopback, that clients without a token may call this server by (the
    /// Host header). Without them a page of another site could reach it under a name of its own.
    std::vector<std::string> hosts;

    /// Files in PEM: the certificate, with those that lead to its authority behind it, and its key.
    /// Given, clients must speak TLS, 1.2 at least, and the handshake has `header_wait`. Default to
    /// none: connections are not encrypted.
    std::string tls_certificate;
    std::string tls_key;

    /// The web page that shows the engine; docs/dashboard.md describes it. Programs are not
    /// concerned: they are told from pages by the header Origin. Defaults to on.
    dashboard_mode dashboard = dashboard_mode::on;

    /// Limits of requests: bytes of the first line, of all header fields, how many of those, and
    /// bytes of the body. Default to 8 KiB, 16 KiB, 100 and 1 MiB.
    std::size_t line_max = 8192;
    std::size_t header_max = 16384;
    std::size_t fields_max = 100;
    std::size_t body_max = 1U << 20U;

    /// How long a client may take for a header, between two pieces of a body or of an answer that
    /// it reads, and until its next request. Default to 10 s, 30 s and 60 s.
    duration header_wait = std::chrono::seconds(10);
    duration body_wait = std::chrono::seconds(30);
    duration idle_wait = std::chrono::seconds(60);

    /// How many requests a connection may send: so many a second in the long run, and `burst` at
    /// once, which is 1 at least. More are answered 429 with Retry-After, and not looked at.
    /// Default to 0, no limit, and 100.
    double rate = 0;
    double burst = 100;

    /// How many connections there may be; more wait to be accepted. Defaults to 10,000.
    std::size_t connections_max = 10'000;

    /// How many events are kept for clients that come back, and how many may listen at once; one
    /// more gets 503. Default to 1,000 and 256.
    std::size_t events_max = 1000;
    std::size_t streams_max = 256;

    /// A stop lets requests that are being answered finish for so long. Defaults to 5 s.
    duration stop_wait = std::chrono::seconds(5);
};

/// The engine's HTTP/JSON API; docs/http-api.md describes it.
///
/// A handle over a shared core. Thread safety: any thread may call any member. Lifetime: handles
/// and the executor's context may be destroyed in either order; the engine is kept alive.
class http_server {
  public:
    /// Listens from now on; connections are accepted while it runs.
    /// Errors: `invalid_option` naming the field; boost::system::system_error when the address
    /// cannot be listened on.
    http_server(asio::any_io_executor executor, engine served,
                http_options options = http_options());

    /// The server as a service: accepts connections and answers their requests until it is
    /// cancelled. Total cancellation closes what is idle and lets the others have their answer.
    asio::awaitable<void> run();

    /// The server as a child of a supervisor: its connections appear in the tree. Given to
    /// `engine::serve` it still answers while the engine stops; /readyz says so.
    child_spec spec() const;

    std::uint16_t port() const noexcept;
    /// "http://127.0.0.1:8080", or "https://..."
    std::string url() const;

    /// How many connections there are.
    std::size_t connections() const noexcept;

  private:
    class core;
    std::shared_ptr<core> core_;
};

} // namespace lifeguard
