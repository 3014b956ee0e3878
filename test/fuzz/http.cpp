// The routes of the HTTP server, on an engine with a memory store: whatever is asked, the answer is
// one that docs/openapi.json knows, and never 500.
//
// An input is requests, with a line "---" between them: each a first line "METHOD TARGET", fields,
// an empty line and a body. One with a field "Authorization" goes to a server that wants a token;
// with a field "Gone" its client is not there any more when it is answered.
#include "check.hpp"
#include "http/answers.hpp"
#include "http/api.hpp"
#include "http/embedded_file.hpp"
#include <lifeguard/json.hpp>
#include <lifeguard/log.hpp>
#include <lifeguard/manual_time_source.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <algorithm>
#include <map>
#include <memory>
#include <set>

using namespace lifeguard;
using namespace std::chrono_literals;
using lifeguard::fuzz::must;
namespace web = lifeguard::detail::web;

namespace lifeguard::embedded {
std::span<const detail::web::embedded_file> openapi() noexcept;
} // namespace lifeguard::embedded

namespace {

constexpr std::string_view token = "secret";
constexpr std::size_t requests_max = 16;

/// Replayed, each input has an engine of its own.
unsigned inputs_per_engine = 1;

class no_log final : public log_sink {
    void write(const log_record&) override {}
};

engine_options quiet(const std::shared_ptr<manual_time_source>& time) {
    engine_options o;
    o.time = time;
    o.log = std::make_shared<no_log>();
    o.pools.emplace_back().size = 1;
    o.queue.jobs_max = 100;
    o.queue.kinds_max = 50;
    o.queue.queues_max = 50;
    return o;
}

web::access_rules guarded() {
    web::access_rules rules;
    rules.token = token;
    return rules;
}

/// An engine on a clock that stands still.
class served {
  public:
    served() {
        app_.handle("echo",
                    [](job_context& job) -> asio::awaitable<json> { co_return job.payload(); });
        asio::co_spawn(io_, app_.run(), rethrow);
        io_.poll();
    }
    ~served() {
        app_.request_stop();
        must(settle([this] { return io_.stopped(); }), "an engine stops");
    }
    served(const served&) = delete;
    served& operator=(const served&) = delete;

    web::answer ask(web::request& r) {
        web::answer got;
        bool answered = false;
        const web::api& to = r.authorization.empty() ? api_ : guarded_;
        asio::co_spawn(io_, web::respond(to, r), [&](const std::exception_ptr& e, auto a) {
            must(e == nullptr, "no exception leaves a route");
            got = std::move(a);
            answered = true;
        });
        must(settle([&] { return answered; }), "every request is answered");
        return got;
    }

    /// What a stream sends first.
    void listen(const std::shared_ptr<web::body_stream>& stream) {
        std::vector<std::shared_ptr<const std::string>> pieces;
        bool sent = false;
        asio::co_spawn(io_, stream->next(pieces), [&](const std::exception_ptr& e) {
            must(e == nullptr, "no exception leaves a stream");
            sent = true;
        });
        must(settle([&] { return sent; }), "a stream sends something");
        must(!pieces.empty(), "a stream does not end by itself");
    }

  private:
    /// Runs what can run, and moves the clock on only when nothing can. False: it does not come.
    template <typename F>
    bool settle(F done) {
        for (int i = 0; i < 1'000; ++i) {
            io_.restart();
            io_.poll();
            if (done())
                return true;
            if (const auto at = time_->next_alarm())
                time_->advance_to(*at);
        }
        return false;
    }

    std::shared_ptr<manual_time_source> time_ = std::make_shared<manual_time_source>();
    asio::io_context io_{1};
    engine app_{io_.get_executor(), quiet(time_)};
    const web::api api_{app_, web::access_rules()};
    const web::api guarded_{app_, guarded()};
};

/// Takes what comes before `end` off the text, and `end`.
std::string_view take_until(std::string_view& text, std::string_view end) {
    const std::size_t at = text.find(end);
    const std::string_view taken = text.substr(0, at);
    text.remove_prefix(at == std::string_view::npos ? text.size() : at + end.size());
    return taken;
}

struct asked {
    web::request request;
    bool gone = false;
};

asked request_of(std::string_view text) {
    asked a;
    web::request& r = a.request;
    std::string_view line = take_until(text, "\n");
    r.method = take_until(line, " ");
    r.target = line;
    r.host = "localhost";
    r.content_type = "application/json";
    const std::pair<std::string_view, std::string_view&> fields[] = {
        {"Host: ", r.host},
        {"Origin: ", r.origin},
        {"Authorization: ", r.authorization},
        {"Content-Type: ", r.content_type},
        {"Idempotency-Key: ", r.idempotency_key},
        {"If-None-Match: ", r.if_none_match},
        {"Last-Event-ID: ", r.last_event_id},
    };
    for (line = take_until(text, "\n"); !line.empty(); line = take_until(text, "\n")) {
        for (const auto& [name, value] : fields)
            if (line.starts_with(name))
                value = line.substr(name.size());
        a.gone = a.gone || line == "Gone";
    }
    r.body = text;
    return a;
}

/// What docs/openapi.json says of an operation: its content types by status.
using described = std::map<unsigned, std::set<std::string>>;

std::map<std::string, described> read_descriptions() {
    std::map<std::string, described> all;
    const json file = json::parse(embedded::openapi().front().bytes);
    for (const auto& [path, operations] : file.at("paths").items())
        for (const auto& [method, operation] : operations.items())
            for (const auto& [status, response] : operation.at("responses").items()) {
                auto& types = all[method + " " + path][static_cast<unsigned>(std::stoi(status))];
                if (response.contains("content"))
                    for (const auto& [type, of] : response.at("content").items())
                        types.insert(type);
            }
    return all;
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

bool begins_alike(std::string_view text, std::string_view with) {
    return std::ranges::equal(text.substr(0, with.size()), with, {}, lower, lower);
}

bool is_local(std::string_view host) {
    for (const std::string_view name : {"localhost", "127.0.0.1", "[::1]"})
        if (begins_alike(host, name) &&
            (host.size() == name.size() || host[name.size()] == ':' || host.front() == '['))
            return true;
    return false;
}

void check_access(const web::request& r, const web::answer& a, bool open) {
    if (a.status == 401 || a.status == 403)
        return;
    must(!r.authorization.empty() || is_local(r.host), "nobody asks by another name");
    must(r.origin.empty() ||
             (r.origin.size() >= r.host.size() &&
              begins_alike(r.origin.substr(r.origin.size() - r.host.size()), r.host)),
         "no page of another site asks");
    must(open || r.authorization.empty() ||
             r.authorization.substr(r.authorization.find(' ') + 1) == token,
         "nobody asks without the token");
}

void check_route(const web::request& r, const web::answer& a) {
    static const std::map<std::string, described> descriptions = read_descriptions();
    const web::route* route = nullptr;
    try {
        std::vector<std::string> names;
        route = &web::find_route(r.method, web::target(r.target), names);
    } catch (const web::refusal& e) {
        must(a.status >= 400 && a.status <= 405, "what is not there is refused");
        if (e.status == 400) // what is no path is refused whoever asks
            return;
    }
    check_access(r, a, route != nullptr && route->open);
    if (route == nullptr)
        return;
    std::string operation(route->method);
    std::ranges::transform(operation, operation.begin(), lower);
    const described& known = descriptions.at(operation + " " + std::string(route->pattern));
    const auto found = known.find(a.status);
    // Any route refuses parameters and bodies that it does not know.
    must(found != known.end() || a.status == 400 || a.status == 422, "the status is described");
    if (found != known.end() && !found->second.empty())
        must(
            found->second.contains(std::string(a.content_type.substr(0, a.content_type.find(';')))),
            "the type of the body is described");
}

void check(const web::answer& a) {
    must(a.status >= 200 && a.status < 600 && a.status != 500, "the status is one we have");
    if (a.content_type != "application/json" || a.status == 204)
        return;
    const json said = json::parse(a.body, nullptr, false);
    must(!said.is_discarded(), "the body is JSON");
    if (a.status >= 400 && !said.contains("ready"))
        must(said.at("code").is_string() && said.at("message").is_string() &&
                 said.contains("where"),
             "an error has code, message and where");
}

/// A job that was taken in is there, and is the one that was sent.
void check_submitted(served& s, const web::request& r, const web::answer& a) {
    const json sent = json::parse(r.body, nullptr, false);
    if (a.status != 201 || r.target != "/v1/jobs" || !sent.is_object())
        return;
    const std::string where = "/v1/jobs/" + json::parse(a.body).at("id").get<std::string>();
    web::request again;
    again.method = "GET";
    again.target = where;
    again.host = "localhost";
    const web::answer found = s.ask(again);
    must(found.status == 200, "a job that was taken in is there");
    const json job = json::parse(found.body);
    must(job.at("kind") == sent.at("kind"), "its kind is the one that was sent");
    must(job.at("payload") == sent.value("payload", json()), "and so is its payload");
}

void run(served& s, std::string_view text) {
    asked one = request_of(text);
    const web::request sent = one.request;
    const web::answer a = s.ask(one.request);
    check(a);
    check_route(sent, a);
    if (a.stream != nullptr)
        s.listen(a.stream);
    if (a.undelivered && one.gone)
        a.undelivered();
    check_submitted(s, sent, a);
}

} // namespace

/// To make an engine takes ten times as long as to ask it something, so libFuzzer, which calls
/// this, gets one for many inputs. A finding that is none alone comes again when the run is
/// repeated with its -seed.
extern "C" int LLVMFuzzerInitialize(int*, char***) {
    inputs_per_engine = 32;
    return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const char* data, std::size_t size) {
    static std::unique_ptr<served> s;
    static unsigned inputs = 0;
    if (inputs++ % inputs_per_engine == 0) {
        s.reset();
        s = std::make_unique<served>();
    }
    std::string_view text(data, size);
    for (std::size_t i = 0; i < requests_max && (i == 0 || !text.empty()); ++i)
        run(*s, take_until(text, "\n---\n"));
    return 0;
}
