#include "http/event_hub.hpp"

#include "base/saturate.hpp"
#include "http/json_writer.hpp"

#include <algorithm>
#include <charconv>
#include <random>

namespace lifeguard::detail::web {
namespace {

/// Streams are woken no more often than that, and get what has come together.
constexpr duration wake_pause = std::chrono::milliseconds(50);

/// What a stream is given at once.
constexpr std::size_t batch_events = 64;
constexpr std::size_t batch_bytes = 256U << 10U;

/// Longer texts of a record are cut: an error may say a megabyte.
constexpr std::size_t value_max = 2000;

constexpr duration rate_period = std::chrono::seconds(1);

std::string random_boot() {
    std::random_device source;
    std::array<char, 8> text{};
    for (char& c : text)
        c = "0123456789abcdefghijklmnopqrstuv"[source() % 32];
    return {text.data(), text.size()};
}

std::string_view cut(std::string_view text) noexcept { return text.substr(0, value_max); }

} // namespace

/// Comes when those may be woken who had to wait for it.
class event_hub::pause final : public deadline {
  public:
    explicit pause(std::weak_ptr<event_hub> of) : hub_(std::move(of)) {}
    void expired(time_point) override {
        if (const auto hub = hub_.lock())
            hub->on_pause_over();
    }

  private:
    const std::weak_ptr<event_hub> hub_;
};

event_hub::event_hub(std::shared_ptr<time_source> time, std::shared_ptr<deadline_service> deadlines,
                     hub_limits limits)
    : time_(std::move(time)),
      deadlines_(std::move(deadlines)),
      limits_(limits),
      boot_(random_boot()) {}

std::string event_hub::id_of(std::uint64_t number) const {
    return boot_ + "-" + std::to_string(number);
}

/// How many of the type were left out before this one; nothing: so is this.
std::optional<std::uint64_t> event_hub::admit(std::string_view type) {
    const time_point now = time_->now();
    rate& r = rates_[type];
    if (now - r.since >= rate_period || r.count == 0) {
        r.since = now;
        r.count = 0;
    }
    if (++r.count <= limits_.rate_max)
        return std::exchange(r.omitted, 0);
    ++r.omitted;
    ++omitted_;
    return std::nullopt;
}

event_hub::published event_hub::add(std::string_view type, std::string_view data,
                                    std::vector<std::shared_ptr<wakeup>>& woken) {
    published p;
    std::string text = "id: " + id_of(++last_) + "\nevent: ";
    text.append(type).append("\ndata: ");
    p.offset = text.size();
    p.length = data.size();
    text.append(data).append("\n\n");
    bytes_ += text.size();
    p.text = std::make_shared<const std::string>(std::move(text));
    kept_.push_back({type, p.text});
    while (kept_.size() > limits_.events_max || (bytes_ > limits_.bytes_max && kept_.size() > 1)) {
        bytes_ -= kept_.front().text->size();
        kept_.pop_front();
    }
    for (const auto& weak : listeners_)
        if (const auto l = weak.lock())
            l->pending = l->pending || l->wanted.empty() || l->wanted.contains(type);
    collect(woken);
    return p;
}

/// Takes those who have something to read, unless they were woken just now.
void event_hub::collect(std::vector<std::shared_ptr<wakeup>>& woken) {
    const time_point now = time_->now();
    bool any = false;
    const bool may = woken_at_ == time_point::min() || now - woken_at_ >= wake_pause;
    for (const auto& weak : listeners_) {
        const auto l = weak.lock();
        if (!l || !l->pending)
            continue;
        any = true;
        if (may) {
            l->pending = false;
            woken.push_back(l->waits);
        }
    }
    if (any && may) {
        woken_at_ = now;
    } else if (any) {
        if (!pause_)
            pause_ = std::make_shared<pause>(weak_from_this());
        deadlines_->arm_earlier(*pause_, later(woken_at_, wake_pause));
    }
}

void event_hub::on_pause_over() {
    std::vector<std::shared_ptr<wakeup>> woken;
    {
        const std::lock_guard lock(mutex_);
        collect(woken);
    }
    for (const auto& w : woken)
        w->wake();
}

event_hub::published event_hub::publish(std::string_view type, std::string_view data) {
    std::vector<std::shared_ptr<wakeup>> woken;
    published p;
    {
        const std::lock_guard lock(mutex_);
        p = add(type, data, woken);
    }
    for (const auto& w : woken)
        w->wake();
    return p;
}

void event_hub::publish(const log_record& record) {
    std::optional<std::uint64_t> omitted;
    {
        const std::lock_guard lock(mutex_);
        omitted = admit(record.event);
    }
    if (!omitted)
        return;
    json_writer w;
    w.begin_object()
        .member("at", milliseconds_of(time_->wall_now()))
        .member("level", name_of(record.level))
        .member("message", cut(record.message));
    for (const log_field& f : record.fields) {
        if (record.event == "job_progress" && f.key == "progress")
            w.key(f.key).text(f.value);
        else
            w.member(f.key, cut(f.value));
    }
    if (*omitted != 0)
        w.member("omitted", *omitted);
    publish(record.event, w.end_object().take());
}

std::string event_hub::last_id() const {
    const std::lock_guard lock(mutex_);
    return id_of(last_);
}

std::shared_ptr<event_hub::listener> event_hub::join(const asio::any_io_executor& strand,
                                                     topics wanted, std::string_view after) {
    auto l = std::make_shared<listener>(std::make_shared<wakeup>(strand), std::move(wanted));
    const std::lock_guard lock(mutex_);
    std::erase_if(listeners_, [](const auto& weak) { return weak.expired(); });
    if (listeners_.size() >= limits_.streams_max)
        return nullptr;
    l->next = last_ + 1;
    if (!after.empty()) {
        std::uint64_t number = 0;
        const std::size_t dash = std::min(after.find('-'), after.size() - 1);
        const char* const end = after.data() + after.size();
        const auto read = std::from_chars(after.data() + dash + 1, end, number);
        const bool ours = after.substr(0, dash) == boot_ && read.ec == std::errc() &&
                          read.ptr == end && number <= last_;
        l->stale = !ours || number + 1 < first_kept();
        if (!l->stale)
            l->next = number + 1;
    }
    listeners_.push_back(l);
    return l;
}

bool event_hub::read(listener& of, std::vector<event_text>& out) {
    const std::lock_guard lock(mutex_);
    if (of.stale || of.next < first_kept()) {
        of.stale = false;
        of.next = last_ + 1;
        const std::string id = id_of(last_);
        out.push_back(std::make_shared<const std::string>(
            "id: " + id + "\nevent: reset\ndata: {\"last_event\":\"" + id + "\"}\n\n"));
        return true;
    }
    std::size_t bytes = 0;
    while (of.next <= last_ && out.size() < batch_events && bytes < batch_bytes) {
        const kept& e = kept_[static_cast<std::size_t>(of.next++ - first_kept())];
        if (!of.wanted.empty() && !of.wanted.contains(e.type))
            continue;
        bytes += e.text->size();
        out.push_back(e.text);
    }
    return !out.empty();
}

std::size_t event_hub::streams() const {
    const std::lock_guard lock(mutex_);
    return static_cast<std::size_t>(
        std::ranges::count_if(listeners_, [](const auto& weak) { return !weak.expired(); }));
}

std::uint64_t event_hub::omitted() const {
    const std::lock_guard lock(mutex_);
    return omitted_;
}

} // namespace lifeguard::detail::web
