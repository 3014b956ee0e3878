// A web server of its own, on Boost.Beast, that shows lifeguard's HTTP API under /lifeguard.
//
//   10_embed_http [PORT | --self-test]
//
//   curl localhost:PORT/                              the program's own page
//   curl localhost:PORT/lifeguard/v1/jobs?wait=5s -H 'Content-Type: application/json'
//        -d '{"kind":"greet","payload":"Ada"}'        a job, and its result
#include <lifeguard/http_api.hpp>
#include <lifeguard/lifeguard.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>

#include <charconv>
#include <cstring>
#include <iostream>
#include <thread>

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
using request = http::request<http::string_body>;
using response = http::response<http::string_body>;

namespace {

constexpr const char* mount = "/lifeguard";

asio::awaitable<lifeguard::json> greet(lifeguard::job_context& job) {
    co_return "Hello " + job.payload().get<std::string>();
}

std::string text(beast::string_view view) { return {view.data(), view.size()}; }

lifeguard::http_request to_lifeguard(request& asked) {
    lifeguard::http_request r;
    r.method = text(asked.method_string());
    r.target = text(asked.target());
    r.host = text(asked[http::field::host]);
    r.origin = text(asked[http::field::origin]);
    r.authorization = text(asked[http::field::authorization]);
    r.content_type = text(asked[http::field::content_type]);
    r.idempotency_key = text(asked["Idempotency-Key"]);
    r.last_event_id = text(asked["Last-Event-ID"]);
    r.if_none_match = text(asked[http::field::if_none_match]);
    r.body = std::move(asked.body());
    return r;
}

response from_lifeguard(const lifeguard::http_answer& answer, unsigned version) {
    response out(static_cast<http::status>(answer.status), version);
    for (const auto& [name, value] : answer.fields)
        out.set(name, value);
    if (!answer.content_type.empty())
        out.set(http::field::content_type, answer.content_type);
    out.body() = answer.body;
    return out;
}

/// The program's own pages.
response own_page(const request& asked) {
    response out(asked.target() == "/" ? http::status::ok : http::status::not_found,
                 asked.version());
    out.set(http::field::content_type, "text/plain");
    out.body() = asked.target() == "/" ? "The engine is under /lifeguard.\n" : "Nothing here.\n";
    return out;
}

asio::awaitable<void> serve(beast::tcp_stream stream, lifeguard::http_api api) {
    beast::flat_buffer buffer;
    bool keep = true;
    while (keep) {
        request asked;
        stream.expires_after(std::chrono::seconds(30));
        co_await http::async_read(stream, buffer, asked, asio::use_awaitable);
        stream.expires_never(); // a request may wait for a job
        lifeguard::http_answer answer;
        response out;
        if (asked.target().starts_with(mount)) {
            lifeguard::http_request theirs = to_lifeguard(asked);
            answer = co_await api.respond(std::move(theirs));
            out = from_lifeguard(answer, asked.version());
        } else {
            out = own_page(asked);
        }
        // Events go on for ever: here their beginning is enough.
        keep = asked.keep_alive() && !answer.more;
        out.keep_alive(keep);
        out.prepare_payload();
        if (asked.method() == http::verb::head)
            out.body().clear(); // its length is told
        stream.expires_after(std::chrono::seconds(30));
        beast::error_code failed;
        auto token = asio::redirect_error(asio::use_awaitable, failed);
        co_await http::async_write(stream, out, token);
        if (failed && answer.undelivered)
            answer.undelivered(); // jobs that this client took and did not get
        if (failed)
            co_return;
    }
}

asio::awaitable<void> listen(tcp::acceptor& acceptor, lifeguard::http_api api) {
    for (;;) {
        tcp::socket socket = co_await acceptor.async_accept(asio::use_awaitable);
        // What ends a connection, a client that has gone for example, is nobody's concern.
        asio::co_spawn(acceptor.get_executor(), serve(beast::tcp_stream(std::move(socket)), api),
                       asio::detached);
    }
}

/// A client of its own, on a thread of its own: asks for both, and says whether it got them.
bool self_test(unsigned short port) {
    asio::io_context io;
    beast::tcp_stream stream(io);
    stream.connect(tcp::endpoint(asio::ip::address_v4::loopback(), port));
    beast::flat_buffer buffer;
    const auto ask = [&](http::verb method, const std::string& target, const std::string& body) {
        request r(method, target, 11);
        r.set(http::field::host, "localhost");
        r.set(http::field::content_type, "application/json");
        r.body() = body;
        r.prepare_payload();
        http::write(stream, r);
        response answer;
        http::read(stream, buffer, answer);
        std::cout << method << ' ' << target << ": " << answer.result_int() << ' '
                  << text(answer[http::field::location]) << '\n';
        return answer;
    };
    const std::string at = mount;
    bool good = ask(http::verb::get, "/", "").body().starts_with("The engine");
    const response job = ask(http::verb::post, at + "/v1/jobs", R"({"kind":"greet","payload":1})");
    good = good && job.result_int() == 201 && job[http::field::location].starts_with(at + "/v1/");
    good = good && ask(http::verb::get, text(job[http::field::location]), "").result_int() == 200;
    const response done =
        ask(http::verb::post, at + "/v1/jobs?wait=5s", R"({"kind":"greet","payload":"Ada"})");
    good = good && lifeguard::json::parse(done.body()).at("result") == "Hello Ada";
    good = good && ask(http::verb::get, "/v1/jobs", "").result_int() == 404; // not mounted here
    good = good && ask(http::verb::get, at + "x/v1/jobs", "").result_int() == 404;
    std::cout << (good ? "all as it should be\n" : "WRONG\n");
    return good;
}

} // namespace

int main(int argc, char** argv) {
    const bool test = argc == 2 && std::strcmp(argv[1], "--self-test") == 0;
    unsigned short port = test ? 0 : 8081;
    if (argc > 2 || (argc == 2 && !test &&
                     std::from_chars(argv[1], argv[1] + std::strlen(argv[1]), port).ptr !=
                         argv[1] + std::strlen(argv[1]))) {
        std::cerr << "usage: 10_embed_http [PORT | --self-test]\n";
        return 2;
    }
    asio::io_context io(1);
    lifeguard::engine engine(io.get_executor());
    engine.handle("greet", greet);
    asio::co_spawn(io, engine.run(), lifeguard::rethrow);

    lifeguard::http_api_options options;
    options.path = mount;
    lifeguard::http_api api(engine, options);

    tcp::acceptor acceptor(io, {asio::ip::address_v4::loopback(), port});
    std::cout << "http://127.0.0.1:" << acceptor.local_endpoint().port() << std::endl;
    asio::co_spawn(io, listen(acceptor, api), asio::detached);

    const auto stop = [&] {
        acceptor.close();
        engine.request_stop();
    };
    asio::signal_set signals(io, SIGINT, SIGTERM);
    signals.async_wait([&](const beast::error_code& none, int) {
        if (!none)
            stop();
    });
    bool good = true;
    std::jthread client;
    if (test)
        client = std::jthread([&, at = acceptor.local_endpoint().port()] {
            try {
                good = self_test(at);
            } catch (const std::exception& e) {
                std::cout << "WRONG: " << e.what() << '\n';
                good = false;
            }
            asio::post(io, [&] {
                signals.cancel();
                stop();
            });
        });
    io.run();
    client = std::jthread();
    std::cout << "stopped\n";
    return good ? 0 : 1;
}
