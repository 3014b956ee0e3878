#pragma once

#include "http/connection.hpp"

#include <boost/asio/ssl/stream.hpp>

#include <memory>

namespace lifeguard::detail::web {

/// A connection's bytes: as they are, or through TLS. One reads and one writes at a time.
class transport {
  public:
    using executor_type = stream::executor_type;

    /// `tls`: null: as they are. Both outlive this.
    transport(stream& socket, asio::ssl::context* tls)
        : socket_(socket),
          tls_(tls == nullptr ? nullptr : std::make_unique<tls_stream>(socket, *tls)) {}

    executor_type get_executor() { return socket_.get_executor(); }
    bool is_encrypted() const noexcept { return tls_ != nullptr; }

    template <typename Buffers, typename Token>
    auto async_read_some(const Buffers& into, Token&& token)
        -> decltype(std::declval<stream&>().async_read_some(into, std::forward<Token>(token))) {
        if (tls_)
            return tls_->async_read_some(into, std::forward<Token>(token));
        return socket_.async_read_some(into, std::forward<Token>(token));
    }

    template <typename Buffers, typename Token>
    auto async_write_some(const Buffers& from, Token&& token)
        -> decltype(std::declval<stream&>().async_write_some(from, std::forward<Token>(token))) {
        if (tls_)
            return tls_->async_write_some(from, std::forward<Token>(token));
        return socket_.async_write_some(from, std::forward<Token>(token));
    }

    /// What the system takes at once, which is not an error when it takes nothing; through TLS,
    /// which has to answer the other side now and then, always nothing.
    std::size_t write_now(std::string_view text, error_code& ec) {
        if (tls_)
            return 0;
        const std::size_t n = socket_.write_some(asio::buffer(text), ec);
        if (ec == asio::error::would_block || ec == asio::error::interrupted)
            ec = {};
        return n;
    }

    /// Before anything else, of a connection that is encrypted.
    template <typename Token>
    auto async_handshake(Token&& token) {
        return tls_->async_handshake(asio::ssl::stream_base::server, std::forward<Token>(token));
    }
    /// Tells the other side that no more follows, and waits for it to say the same.
    template <typename Token>
    auto async_close(Token&& token) {
        return tls_->async_shutdown(std::forward<Token>(token));
    }

  private:
    using tls_stream = asio::ssl::stream<stream&>;

    stream& socket_;
    const std::unique_ptr<tls_stream> tls_;
};

} // namespace lifeguard::detail::web
