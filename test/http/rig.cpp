#include "rig.hpp"

#include "support/errors.hpp"

#include <boost/asio/local/connect_pair.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/test/unit_test.hpp>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <stdexcept>

namespace lifeguard::test {

using namespace std::chrono_literals;
namespace web = detail::web;

namespace {

std::string lower(std::string text) {
    for (char& c : text)
        c = c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
    return text;
}

/// Takes one answer off the front of `text`; empty when it is not all there.
std::optional<reply> take_reply(std::string& text) {
    const std::size_t head = text.find("\r\n\r\n");
    if (head == std::string::npos)
        return std::nullopt;
    reply r;
    std::size_t at = text.find("\r\n");
    r.status = static_cast<unsigned>(std::stoul(text.substr(text.find(' ') + 1, 3)));
    while (at < head) {
        const std::size_t end = text.find("\r\n", at + 2);
        const std::string line = text.substr(at + 2, end - at - 2);
        const std::size_t colon = line.find(": ");
        r.fields[lower(line.substr(0, colon))] = line.substr(colon + 2);
        at = end;
    }
    const std::size_t size =
        r.fields.contains("content-length") ? std::stoul(r.fields["content-length"]) : 0;
    if (text.size() < head + 4 + size)
        return std::nullopt;
    r.body = text.substr(head + 4, size);
    text.erase(0, head + 4 + size);
    return r;
}

web::hub_limits limits_of(const http_options& o) {
    web::hub_limits l;
    l.events_max = o.events_max;
    l.streams_max = o.streams_max;
    return l;
}

std::vector<child_spec> template_of(std::shared_ptr<const web::connection_context> context,
                                    const asio::any_io_executor& on) {
    child_spec one("connection", [context](const child_context& child, const std::any& socket) {
        auto s = std::any_cast<std::shared_ptr<web::stream>>(socket);
        return web::serve_connection(context, std::move(*s), child);
    });
    one.restart = restart_type::temporary;
    one.executor = on;
    std::vector<child_spec> all;
    all.push_back(std::move(one));
    return all;
}

supervisor_options options_of(const test_context& ctx) {
    supervisor_options o;
    o.strategy = strategy::simple_one_for_one;
    o.time = ctx.time;
    return o;
}

engine_options with_time(engine_options o, const test_context& ctx) {
    o.time = ctx.time;
    return o;
}

} // namespace

client::client(client&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), ended_(other.ended_), seen_(std::move(other.seen_)) {}

void client::send(std::string_view text) const {
    while (!text.empty()) {
        const ssize_t n = ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
        if (n < 0)
            throw std::runtime_error("client: send: " + std::to_string(errno));
        text.remove_prefix(static_cast<std::size_t>(n));
    }
}

void client::read() {
    for (;;) {
        std::array<char, 65536> piece{};
        const ssize_t n = ::recv(fd_, piece.data(), piece.size(), MSG_DONTWAIT);
        if (n > 0) {
            seen_.append(piece.data(), static_cast<std::size_t>(n));
            continue;
        }
        ended_ = ended_ || n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
        return;
    }
}

std::vector<reply> client::receive() {
    read();
    std::vector<reply> all;
    while (auto one = take_reply(seen_))
        all.push_back(std::move(*one));
    if (!seen_.empty())
        throw std::runtime_error("client: half an answer: " + seen_);
    return all;
}

std::string client::text() {
    read();
    return std::exchange(seen_, std::string());
}

bool client::closed() {
    read();
    return ended_ && seen_.empty();
}

void client::finish() const noexcept { ::shutdown(fd_, SHUT_WR); }

void client::close() noexcept {
    if (fd_ >= 0)
        ::close(std::exchange(fd_, -1));
}

http_rig::http_rig(test_context& context, http_options options, engine_options of)
    : ctx(context),
      app(ctx.executor(), with_time(std::move(of), ctx)),
      running_(ctx.spawn(app.run())),
      context_(std::make_shared<web::connection_context>(
          web::api(app, web::access_rules{options.token, options.hosts, options.dashboard},
                   limits_of(options)),
          options)),
      connections_(ctx.executor(), options_of(ctx), template_of(context_, ctx.executor())),
      serving_(ctx.spawn(connections_.run())) {
    ctx.settle();
}

http_rig::~http_rig() noexcept(false) {
    if (ctx.is_cut())
        return;
    if (sampling_)
        sampling_->cancel(asio::cancellation_type::total);
    connections_.request_stop();
    app.request_stop();
    ctx.settle();
    ctx.advance(10s);
    BOOST_TEST(running_.ready());
    BOOST_TEST(serving_.ready());
}

void http_rig::start_samples() {
    sampling_ = ctx.spawn(web::sampler::run(watch().samples));
    ctx.settle();
}

client http_rig::connect() {
    using asio::local::stream_protocol;
    stream_protocol::socket ours(ctx.executor());
    stream_protocol::socket theirs(ctx.executor());
    asio::local::connect_pair(ours, theirs);
    const int room = 4 << 20; // so that a client can send what it has to, and then look
    ::setsockopt(ours.native_handle(), SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    ours.native_non_blocking(false);
    auto socket = std::make_shared<web::stream>(std::move(theirs));
    ctx.await(connections_.start_child(std::any(std::move(socket))));
    return client(ours.release());
}

std::string http_rig::request(std::string_view method, std::string_view target,
                              std::string_view body, std::string_view more_fields) {
    std::string text;
    text.append(method).append(" ").append(target).append(" HTTP/1.1\r\nHost: localhost\r\n");
    text.append(more_fields);
    if (!body.empty())
        text.append("Content-Type: application/json\r\nContent-Length: ")
            .append(std::to_string(body.size()))
            .append("\r\n");
    return text.append("\r\n").append(body);
}

reply http_rig::ask(std::string_view method, std::string_view target, std::string_view body,
                    std::string_view more_fields) {
    client c = connect();
    c.send(request(method, target, body, more_fields));
    ctx.settle();
    auto answers = c.receive();
    if (answers.size() != 1)
        throw std::runtime_error(std::to_string(answers.size()) + " answers to one request");
    c.close();
    ctx.settle();
    return std::move(answers.front());
}

std::size_t http_rig::connections() const {
    return ctx.await(connections_.count_children()).active;
}

} // namespace lifeguard::test
