#include "cli/client.hpp"

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
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

class client::connection {
  public:
    explicit connection(const server_address& address) : url_(address.url) {
        constexpr std::string_view scheme = "http://";
        std::string rest = url_;
        if (!rest.starts_with(scheme))
            throw failure(exit_status::usage, "the server's URL must begin with http://: " + url_);
        rest.erase(0, scheme.size());
        while (rest.ends_with('/'))
            rest.pop_back();
        host_ = rest;
        const std::size_t colon = rest.rfind(':');
        const bool with_port =
            colon != std::string::npos && rest.find(']', colon) == std::string::npos;
        name_ = rest.substr(0, with_port ? colon : std::string::npos);
        port_ = with_port ? rest.substr(colon + 1) : "80";
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
            if (!reused || e.code() != http::error::end_of_stream)
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

    server_answer exchange(const http::request<http::string_body>& request) {
        if (!socket_) {
            tcp::resolver resolver(io_);
            tcp::socket fresh(io_);
            asio::connect(fresh, resolver.resolve(name_, port_));
            fresh.set_option(tcp::no_delay(true));
            socket_.emplace(std::move(fresh));
            buffer_.clear();
        }
        http::write(*socket_, request);
        http::response_parser<http::string_body> parser;
        parser.body_limit(boost::none);
        http::read(*socket_, buffer_, parser);
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
    std::optional<tcp::socket> socket_;
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
