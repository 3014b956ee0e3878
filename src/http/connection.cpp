#include "http/connection.hpp"

#include "base/executors.hpp"
#include "base/saturate.hpp"
#include "base/time_limit.hpp"
#include "http/answer_text.hpp"
#include "http/answers.hpp"
#include "http/bodies.hpp"
#include "http/rate_limit.hpp"
#include "http/transport.hpp"
#include <lifeguard/shielded.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <poll.h>

namespace lifeguard::detail::web {
namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;

using request_parser = http::request_parser<http::string_body>;
using head = request_parser::value_type;

/// What is read first, and kept while a connection is idle.
constexpr std::size_t small_buffer = 512;

std::string_view view(beast::string_view s) noexcept { return {s.data(), s.size()}; }

class connection {
  public:
    connection(const connection_context& context, stream& socket, const child_context& child,
               asio::any_io_executor strand)
        : context_(context),
          options_(context.options),
          raw_(socket),
          socket_(socket, context.tls.get()),
          child_(child),
          limit_(std::make_shared<time_limit>(std::move(strand))),
          buffer_(options_.header_max + options_.body_max),
          rate_(options_.rate, options_.burst) {}
    ~connection() { context_.served.deadlines->disarm(*limit_); }

    asio::awaitable<void> run() {
        co_await heed_requests_to_stop();
        raw_.non_blocking(true, ec_); // see send()
        bool first = true;
        const bool greeted = !socket_.is_encrypted() || co_await greet();
        while (greeted && !child_.stop_requested()) {
            if (buffer_.size() == 0 && !co_await await_bytes(first))
                break;
            first = false;
            if (!co_await serve_one())
                break;
        }
        if (greeted && socket_.is_encrypted())
            co_await say_goodbye();
        error_code ignored; // the other side may have gone
        raw_.shutdown(stream::shutdown_both, ignored);
    }

  private:
    /// Completes into `ec_`, and is cancelled when the time is over.
    auto token() {
        return asio::redirect_error(
            asio::bind_cancellation_slot(limit_->slot(), asio::use_awaitable), ec_);
    }

    asio::awaitable<void> heed_requests_to_stop() {
        co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
        co_await heed_stop(limit_);
    }

    void arm(duration wait) {
        limit_->begin();
        context_.served.deadlines->arm(*limit_, later(context_.served.time->now(), wait));
    }
    void disarm() { context_.served.deadlines->disarm(*limit_); }

    /// TLS, before the first request. Who does not get through it is told nothing.
    asio::awaitable<bool> greet() {
        arm(options_.header_wait);
        co_await socket_.async_handshake(token());
        disarm();
        co_return !ec_;
    }

    /// So that the other side can tell the end of an answer without a length from a cut.
    asio::awaitable<void> say_goodbye() {
        co_await shield();
        ec_ = {};
        arm(std::chrono::milliseconds(child_.stop_requested() ? 100 : 1000));
        co_await socket_.async_close(token());
        disarm();
    }

    /// The first bytes of a request. False: the connection ends.
    asio::awaitable<bool> await_bytes(bool first) {
        arm(first ? options_.header_wait : options_.idle_wait);
        if (buffer_.capacity() > small_buffer)
            buffer_.shrink_to_fit(); // ten thousand may be idle
        const auto into = buffer_.prepare(small_buffer);
        const std::size_t n = co_await socket_.async_read_some(into, token());
        disarm();
        buffer_.commit(n);
        if (n == 0 && limit_->passed() && first)
            co_await refuse(refusal{408, "timeout", "no request came in time"});
        co_return n != 0;
    }

    /// Reads a request and answers it. False: the connection ends.
    asio::awaitable<bool> serve_one() {
        request_parser parser;
        parser.header_limit(static_cast<std::uint32_t>(options_.header_max));
        parser.body_limit(options_.body_max);
        parse_buffered(parser);
        if (!parser.is_header_done() && !co_await read_head(parser))
            co_return false;
        const head& h = parser.get();
        if (const auto no = odd_head(h)) {
            co_await refuse(*no);
            co_return false;
        }
        request r = request_of(h);
        if (!parser.is_done())
            parse_buffered(parser);
        if (!parser.is_done() && !co_await read_body(parser, r))
            co_return false;
        r.body = std::move(parser.get().body());
        // Whoever stops the server waits for the answer.
        co_await shield();
        const duration wait = rate_.take(context_.served.time->now());
        answer a = wait == duration::zero() ? answer() : too_many(wait);
        if (wait == duration::zero())
            a = co_await respond(context_.served, r);
        // A socket takes an answer for a client that has gone, too, so ask before.
        const bool wanted = !a.undelivered || !client_has_gone();
        const bool sent = wanted && co_await send(a, h);
        if (sent && a.stream && h.method() != http::verb::head)
            co_await pump(*a.stream);
        if (!sent && a.undelivered)
            a.undelivered();
        co_await heed_requests_to_stop();
        co_return sent && !a.stream && h.keep_alive() && !child_.stop_requested();
    }

    /// Sends what comes until there is no more, the client is gone or too slow, or the server
    /// stops.
    asio::awaitable<void> pump(body_stream& from) {
        std::vector<std::shared_ptr<const std::string>> pieces;
        std::vector<asio::const_buffer> buffers;
        co_await heed_requests_to_stop();
        co_await asio::this_coro::throw_if_cancelled(false);
        while (!ec_ && !child_.stop_requested()) {
            pieces.clear();
            co_await from.next(pieces);
            if (pieces.empty() || child_.stop_requested())
                break;
            buffers.clear();
            for (const auto& piece : pieces)
                buffers.emplace_back(piece->data(), piece->size());
            co_await heed_stop(limit_);
            arm(options_.body_wait);
            co_await asio::async_write(socket_, buffers, token());
            disarm();
        }
        co_await asio::this_coro::throw_if_cancelled(true);
    }

    /// Parses what has been read already, mostly all there is: a small request costs one turn of
    /// the scheduler.
    void parse_buffered(request_parser& parser) {
        if (buffer_.size() == 0)
            return;
        buffer_.consume(parser.put(buffer_.data(), ec_));
        if (ec_ == http::error::need_more)
            ec_ = {};
    }

    asio::awaitable<bool> read_head(request_parser& parser) {
        if (!ec_) {
            arm(options_.header_wait);
            co_await http::async_read_header(socket_, buffer_, parser, token());
            disarm();
        }
        if (!ec_)
            co_return true;
        if (limit_->passed())
            co_await refuse(refusal{408, "timeout", "the header took too long"});
        else
            co_await refuse_bad(ec_, parser.get());
        co_return false;
    }

    asio::awaitable<bool> read_body(request_parser& parser, const request& r) {
        if (!ec_ && beast::iequals(parser.get()[http::field::expect], "100-continue")) {
            try {
                require_json(r);
            } catch (const refusal& no) {
                refused_ = no;
            }
            if (refused_) {
                co_await refuse(*refused_);
                co_return false;
            }
            static constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";
            const auto line = asio::buffer(go_on);
            arm(options_.body_wait);
            co_await asio::async_write(socket_, line, token());
        }
        while (!ec_ && !parser.is_done()) {
            arm(options_.body_wait);
            co_await http::async_read_some(socket_, buffer_, parser, token());
        }
        disarm();
        if (!ec_)
            co_return true;
        if (limit_->passed())
            co_await refuse(refusal{408, "timeout", "the body took too long"});
        else
            co_await refuse_bad(ec_, parser.get());
        co_return false;
    }

    /// Whether the client has closed its end.
    bool client_has_gone() {
        pollfd end{raw_.native_handle(), POLLRDHUP, 0};
        return ::poll(&end, 1, 0) > 0;
    }

    /// What Beast lets pass and we do not.
    std::optional<refusal> odd_head(const head& h) const {
        if (h.target().size() + h.method_string().size() > options_.line_max)
            return refusal{414, "uri_too_long", "the first line is too long"};
        if (static_cast<std::size_t>(std::distance(h.begin(), h.end())) > options_.fields_max)
            return refusal{431, "header_too_large", "there are too many header fields"};
        if (h.count(http::field::host) > 1 ||
            (h.version() >= 11 && h.count(http::field::host) == 0))
            return refusal{400, "bad_request", "there must be one Host field", "Host"};
        return std::nullopt;
    }

    static request request_of(const head& h) {
        request r;
        r.method = view(h.method_string());
        r.target = view(h.target());
        r.host = view(h[http::field::host]);
        r.origin = view(h[http::field::origin]);
        r.authorization = view(h[http::field::authorization]);
        r.content_type = view(h[http::field::content_type]);
        r.idempotency_key = view(h["Idempotency-Key"]);
        r.last_event_id = view(h["Last-Event-ID"]);
        r.if_none_match = view(h[http::field::if_none_match]);
        return r;
    }

    static answer too_many(duration wait) {
        answer a = to_answer(refusal{429, "too_many_requests", "too many on this connection"});
        const auto seconds = std::chrono::ceil<std::chrono::seconds>(wait);
        a.fields.back().second = std::to_string(seconds.count()); // Retry-After
        return a;
    }

    /// What Beast could not read. Nobody is told that has gone, or was asked to.
    asio::awaitable<void> refuse_bad(error_code why, const head& h) {
        if (why == http::error::header_limit || why == http::error::buffer_overflow) {
            refusal no(431, "header_too_large", "the header is too long");
            if (h.target().empty())
                no = refusal(414, "uri_too_long", "the first line is too long");
            co_await refuse(std::move(no));
        } else if (why == http::error::body_limit) {
            co_await refuse(refusal{
                413, "payload_too_large",
                "the body is longer than " + std::to_string(options_.body_max) + " bytes", ""});
        } else if (why.category() == http::make_error_code(http::error::bad_method).category() &&
                   why != http::error::end_of_stream && why != http::error::partial_message) {
            co_await refuse(refusal{400, "bad_request", why.message()});
        }
    }

    asio::awaitable<void> refuse(refusal why) {
        answer a = to_answer(why);
        head none;
        none.version(11);
        none.keep_alive(false);
        ec_ = {};
        co_await shield();
        if (co_await send(a, none))
            co_await discard_rest();
    }

    /// What the client still sends is read for a while: closing on it could take the answer away.
    asio::awaitable<void> discard_rest() {
        error_code ignored;
        if (!socket_.is_encrypted()) // otherwise the end will be said
            raw_.shutdown(stream::shutdown_send, ignored);
        constexpr std::size_t at_most = 256 * 1024;
        arm(std::chrono::seconds(1));
        buffer_.clear();
        for (std::size_t seen = 0; !ec_ && seen < at_most;) {
            const auto into = buffer_.prepare(small_buffer);
            seen += co_await socket_.async_read_some(into, token());
        }
        disarm();
    }

    asio::awaitable<bool> send(answer& a, const head& asked) {
        const bool keep = asked.keep_alive() && !a.stream && !child_.stop_requested();
        std::string text = head_text(a, asked.version(), keep);
        if (asked.method() != http::verb::head)
            text += a.body;
        std::string_view left = text;
        // Nearly always the system takes all of it at once: no turn of the scheduler, no deadline.
        left.remove_prefix(socket_.write_now(left, ec_));
        while (!ec_ && !left.empty()) {
            arm(options_.body_wait);
            const auto rest = asio::buffer(left);
            left.remove_prefix(co_await socket_.async_write_some(rest, token()));
        }
        disarm();
        co_return !ec_;
    }

    const connection_context& context_;
    const http_options& options_;
    stream& raw_;
    transport socket_;
    const child_context& child_;
    const std::shared_ptr<time_limit> limit_;
    beast::flat_buffer buffer_;
    rate_limit rate_;
    error_code ec_;
    std::optional<refusal> refused_;
};

} // namespace

asio::awaitable<void> serve_connection(std::shared_ptr<const connection_context> context,
                                       stream socket, child_context child) {
    const gauge_share one(context->served.watch->metrics.connections);
    connection c(*context, socket, child, strand_of(co_await asio::this_coro::executor));
    co_await c.run();
}

} // namespace lifeguard::detail::web
