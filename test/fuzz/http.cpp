// The routes of the HTTP server, on an engine with a memory store: whatever is asked, the answer is
// one that docs/http-api.md knows, and never 500.
//
// An input is a first line "METHOD TARGET", fields, an empty line and a body.
#include "check.hpp"
#include "http/api.hpp"
#include <lifeguard/json.hpp>
#include <lifeguard/log.hpp>
#include <lifeguard/manual_time_source.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <memory>

using namespace lifeguard;
using namespace std::chrono_literals;
using lifeguard::fuzz::must;
namespace web = lifeguard::detail::web;

namespace {

class no_log final : public log_sink {
    void write(const log_record&) override {}
};

engine_options quiet(const std::shared_ptr<manual_time_source>& time) {
    engine_options o;
    o.time = time;
    o.log = std::make_shared<no_log>();
    o.pools.emplace_back().size = 1;
    o.queue.jobs_max = 1'000;
    o.queue.kinds_max = 50;
    o.queue.queues_max = 50;
    return o;
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
        settle([this] { return io_.stopped(); });
    }
    served(const served&) = delete;
    served& operator=(const served&) = delete;

    web::answer ask(web::request& r) {
        web::answer got;
        bool answered = false;
        asio::co_spawn(io_, web::respond(api_, r), [&](const std::exception_ptr& e, auto a) {
            must(e == nullptr, "no exception leaves a route");
            got = std::move(a);
            answered = true;
        });
        settle([&] { return answered; });
        must(answered, "every request is answered");
        return got;
    }

  private:
    /// Runs what can run, and moves the clock on only when nothing can.
    template <typename F>
    void settle(F done) {
        for (int i = 0; i < 1'000; ++i) {
            io_.restart();
            io_.poll();
            if (done())
                return;
            if (const auto at = time_->next_alarm())
                time_->advance_to(*at);
        }
    }

    std::shared_ptr<manual_time_source> time_ = std::make_shared<manual_time_source>();
    asio::io_context io_{1};
    engine app_{io_.get_executor(), quiet(time_)};
    const web::api api_{app_, web::access_rules()};
};

std::string_view take_line(std::string_view& text) {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    return line;
}

web::request request_of(std::string_view text) {
    web::request r;
    std::string_view line = take_line(text);
    const std::size_t blank = std::min(line.find(' '), line.size());
    r.method = line.substr(0, blank);
    r.target = line.substr(std::min(blank + 1, line.size()));
    r.host = "localhost";
    r.content_type = "application/json";
    const std::pair<std::string_view, std::string_view&> fields[] = {
        {"Host: ", r.host},
        {"Origin: ", r.origin},
        {"Authorization: ", r.authorization},
        {"Content-Type: ", r.content_type},
        {"Idempotency-Key: ", r.idempotency_key},
        {"Last-Event-ID: ", r.last_event_id},
    };
    for (line = take_line(text); !line.empty(); line = take_line(text))
        for (const auto& [name, value] : fields)
            if (line.starts_with(name))
                value = line.substr(name.size());
    r.body = text;
    return r;
}

void check(const web::answer& a) {
    must(a.status >= 200 && a.status < 600 && a.status != 500, "the status is one we have");
    if (a.content_type == "application/json" && a.status != 204) {
        const json said = json::parse(a.body, nullptr, false);
        must(!said.is_discarded(), "the body is JSON");
        if (a.status >= 400 && !said.contains("ready"))
            must(said.at("code").is_string() && said.at("message").is_string() &&
                     said.contains("where"),
                 "an error has code, message and where");
    }
    if (a.undelivered)
        a.undelivered(); // as if the client had gone
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const char* data, std::size_t size) {
    constexpr int lifetime = 5'000; // of an engine: an input is not to depend on too many others
    static std::unique_ptr<served> s;
    static int asked = 0;
    if (s == nullptr || ++asked % lifetime == 0) {
        s.reset(); // before the next one is made
        s = std::make_unique<served>();
    }
    web::request r = request_of(std::string_view(data, size));
    check(s->ask(r));
    return 0;
}
