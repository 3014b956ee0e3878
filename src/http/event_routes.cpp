// What happens, as it happens, and how it was.

#include "base/executors.hpp"
#include "base/saturate.hpp"
#include "http/answers.hpp"
#include "http/api.hpp"
#include "http/json_writer.hpp"

#include <boost/asio/this_coro.hpp>

namespace lifeguard::detail::web {
namespace {

/// Something is sent at least so often, so that both ends notice when the other has gone.
constexpr duration heartbeat = std::chrono::seconds(15);

/// The body of `GET /v1/events`.
class event_stream final : public body_stream {
  public:
    event_stream(const api& a, std::shared_ptr<event_hub::listener> l)
        : watch_(a.watch),
          counted_(watch_->metrics.streams),
          hub_(a.watch->events),
          deadlines_(a.deadlines),
          time_(a.time),
          listener_(std::move(l)) {}

    asio::awaitable<void> next(std::vector<event_text>& pieces) override {
        static const auto alive = std::make_shared<const std::string>(": alive\n\n");
        const time_point until = later(time_->now(), heartbeat);
        for (;;) {
            if (hub_->read(*listener_, pieces))
                co_return;
            if (time_->now() >= until) {
                pieces.push_back(alive);
                co_return;
            }
            co_await wakeup::wait(listener_->waits, deadlines_, until);
            const auto state = co_await asio::this_coro::cancellation_state;
            if (state.cancelled() != asio::cancellation_type::none)
                co_return;
        }
    }

  private:
    const std::shared_ptr<telemetry> watch_;
    const gauge_share counted_;
    const std::shared_ptr<event_hub> hub_;
    const std::shared_ptr<deadline_service> deadlines_;
    const std::shared_ptr<time_source> time_;
    const std::shared_ptr<event_hub::listener> listener_;
};

event_hub::topics topics_of(const target& at) {
    event_hub::topics all;
    const std::string text = at.parameter("topics").value_or("");
    for (std::size_t begin = 0; begin < text.size();) {
        const std::size_t end = std::min(text.find(',', begin), text.size());
        if (end != begin)
            all.insert(text.substr(begin, end - begin));
        begin = end + 1;
    }
    constexpr std::size_t topics_max = 100;
    if (all.size() > topics_max)
        throw refusal{422, name_of(errc::invalid_option), "at most 100", "topics"};
    return all;
}

} // namespace

asio::awaitable<answer> get_events(call& c) {
    c.at.allow({"topics", "after"});
    // What a browser that comes back says counts for more than what its first request said.
    const std::string after = c.asked.last_event_id.empty() ? c.at.parameter("after").value_or("")
                                                            : std::string(c.asked.last_event_id);
    answer a = make_answer("retry: 1000\n\n");
    a.content_type = "text/event-stream; charset=utf-8";
    const asio::any_io_executor strand = strand_of(co_await asio::this_coro::executor);
    auto listener = c.of.watch->events->join(strand, topics_of(c.at), after);
    if (!listener)
        throw refusal{503, name_of(errc::limit_reached), "there are too many streams"};
    a.stream = std::make_shared<event_stream>(c.of, std::move(listener));
    co_return a;
}

asio::awaitable<answer> get_history(call& c) {
    c.at.allow({"seconds"});
    const std::uint64_t seconds = c.at.number("seconds", 1, 3600).value_or(3600);
    // In this order: what comes in between is in both, and nothing is in neither.
    const std::string last = c.of.watch->events->last_id();
    const std::string samples = c.of.watch->samples->history(seconds);
    json_writer w;
    w.begin_object().key("samples").text(samples).member("last_event", last).end_object();
    co_return make_answer(w.take());
}

} // namespace lifeguard::detail::web
