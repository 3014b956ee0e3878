#include "cli/client.hpp"

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include <fstream>
#include <optional>

namespace lifeguard::cli {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;

namespace {

std::string read_token(const std::string& path) {
    std::ifstream file(path);
    std::string token;
    if (!std::getline(file, token) || token.empty())
        throw failure(exit_status::usage, "cannot read a token from '" + path + "'");
    return token;
}

} // namespace

/// A connection to a server, through TLS or not.
class channel {
  public:
    /// `tls`: null: not. The server must show a certificate of an authority that `tls` trusts, for
    /// `name`.
    channel(tcp::socket socket, asio::ssl::context* tls, const std::string& name)
        : socket_(std::move(socket)) {
        if (tls == nullptr)
            return;
        tls_ = std::make_unique<asio::ssl::stream<tcp::socket&>>(socket_, *tls);
        SSL_set_tlsext_host_name(tls_->native_handle(), name.c_str());
        tls_->set_verify_callback(asio::ssl::host_name_verification(name));
        tls_->handshake(asio::ssl::stream_base::client);
    }
    channel(const channel&) = delete;
    channel& operator=(const channel&) = delete;

    /// Calls `f` with what is read from and written to.
    template <typename F>
    void with_stream(F f) {
        if (tls_)
            f(*tls_);
        else
            f(socket_);
    }

  private:
    tcp::socket socket_;
    std::unique_ptr<asio::ssl::stream<tcp::socket&>> tls_;
};

class client::connection {
  public:
    explicit connection(const server_address& address) : url_(address.url) {
        std::string rest = url_;
        const bool encrypted = rest.starts_with("https://");
        if (!encrypted && !rest.starts_with("http://"))
            throw failure(exit_status::usage,
                          "the server's URL must begin with http:// or https://: " + url_);
        if (encrypted)
            trust(address.authority_file);
        rest.erase(0, rest.find("//") + 2);
        while (rest.ends_with('/'))
            rest.pop_back();
        host_ = rest;
        const std::size_t colon = rest.rfind(':');
        const bool with_port =
            colon != std::string::npos && rest.find(']', colon) == std::string::npos;
        name_ = rest.substr(0, with_port ? colon : std::string::npos);
        port_ = with_port ? rest.substr(colon + 1) : encrypted ? "443" : "80";
        if (name_.starts_with('[') && name_.ends_with(']'))
            name_ = name_.substr(1, name_.size() - 2);
        if (name_.empty() || port_.empty() || rest.find('/') != std::string::npos)
            throw failure(exit_status::usage, "not the URL of a server: " + url_);
        if (!address.token_file.empty())
            token_ = read_token(address.token_file);
    }

    server_answer ask(http::verb method, const std::string& target, std::string body,
                      const std::string& key) {
        http::request<http::string_body> request(method, target, 11);
        request.set(http::field::host, host_);
        if (!token_.empty())
            request.set(http::field::authorization, "Bearer " + token_);
        if (!body.empty())
            request.set(http::field::content_type, "application/json");
        if (!key.empty())
            request.set("Idempotency-Key", key);
        request.body() = std::move(body);
        request.prepare_payload();
        const bool reused = socket_.has_value();
        try {
            return exchange(request);
        } catch (const boost::system::system_error& e) {
            socket_.reset();
            // A server may close a connection while it is idle.
            const bool closed = e.code() == http::error::end_of_stream ||
                                e.code() == asio::ssl::error::stream_truncated;
            if (!reused || !closed)
                throw unreachable(e.code());
        }
        try {
            return exchange(request);
        } catch (const boost::system::system_error& e) {
            socket_.reset();
            throw unreachable(e.code());
        }
    }

  private:
    failure unreachable(const boost::system::error_code& why) const {
        return {exit_status::unreachable, "cannot reach lifeguard at " + url_ + ": " +
                                              why.message() + " (is `lifeguard serve` running?)"};
    }

    /// The authorities in a file, or those that this machine knows.
    void trust(const std::string& authority_file) {
        tls_.emplace(asio::ssl::context::tls_client);
        SSL_CTX_set_min_proto_version(tls_->native_handle(), TLS1_2_VERSION);
        tls_->set_verify_mode(asio::ssl::verify_peer);
        boost::system::error_code failed;
        if (authority_file.empty())
            tls_->set_default_verify_paths(failed);
        else
            tls_->load_verify_file(authority_file, failed);
        if (failed)
            throw failure(exit_status::usage, "cannot read certificates from '" + authority_file +
                                                  "': " + failed.message());
    }

    server_answer exchange(const http::request<http::string_body>& request) {
        if (!socket_) {
            tcp::resolver resolver(io_);
            tcp::socket fresh(io_);
            asio::connect(fresh, resolver.resolve(name_, port_));
            fresh.set_option(tcp::no_delay(true));
            socket_.emplace(std::move(fresh), tls_ ? &*tls_ : nullptr, name_);
            buffer_.clear();
        }
        http::response_parser<http::string_body> parser;
        parser.body_limit(boost::none);
        socket_->with_stream([&](auto& stream) {
            http::write(stream, request);
            http::read(stream, buffer_, parser);
        });
        auto response = parser.release();
        if (!response.keep_alive())
            socket_.reset();
        return {response.result_int(), std::move(response.body())};
    }

    asio::io_context io_;
    std::string url_;
    std::string host_; // as the Host field says it
    std::string name_;
    std::string port_;
    std::string token_;
    std::optional<asio::ssl::context> tls_; // empty: connections are not encrypted
    std::optional<channel> socket_;
    boost::beast::flat_buffer buffer_;
};

client::client(const server_address& address)
    : connection_(std::make_unique<connection>(address)) {}
client::~client() = default;

server_answer client::ask(std::string_view method, const std::string& target, std::string body,
                          const std::string& key) {
    return connection_->ask(http::string_to_verb({method.data(), method.size()}), target,
                            std::move(body), key);
}

namespace {

json value_of(const server_answer& a) {
    if (a.status >= 400) {
        std::string message = "the server answered " + std::to_string(a.status);
        const json error = json::parse(a.body, nullptr, false);
        if (error.is_object() && error.contains("message"))
            message = error.at("message").get<std::string>();
        if (error.is_object() && error.contains("code")) // "job 0190...": what about it?
            message += " (" + text_of(error.at("code")) + ")";
        throw failure(exit_status::refused, message);
    }
    return a.body.empty() ? json() : json::parse(a.body);
}

} // namespace

json client::get(const std::string& target) { return value_of(ask("GET", target)); }

json client::post(const std::string& target, const std::string& body, const std::string& key) {
    return value_of(ask("POST", target, body, key));
}

std::string text_of(const json& value) {
    return value.is_string() ? value.get<std::string>() : value.dump();
}

std::string escaped(std::string_view text) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (std::isalnum(byte) != 0 || c == '-' || c == '_' || c == '.' || c == '~')
            out += c;
        else
            out.append(1, '%').append(1, digits[byte >> 4U]).append(1, digits[byte & 15U]);
    }
    return out;
}

} // namespace lifeguard::cli
