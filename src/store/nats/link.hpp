#pragma once

#include <lifeguard/error.hpp>
#include <lifeguard/nats_store.hpp>

#include <nats/nats.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

namespace lifeguard::detail {

/// Frees what the client has made.
template <auto Free>
struct nats_free {
    template <typename T>
    void operator()(T* what) const noexcept {
        Free(what);
    }
};
using nats_connection = std::unique_ptr<natsConnection, nats_free<natsConnection_Destroy>>;
using nats_subscription = std::unique_ptr<natsSubscription, nats_free<natsSubscription_Destroy>>;
using nats_settings = std::unique_ptr<natsOptions, nats_free<natsOptions_Destroy>>;
using nats_js = std::unique_ptr<jsCtx, nats_free<jsCtx_Destroy>>;

/// A message that has come.
class nats_message {
  public:
    explicit nats_message(natsMsg* owned) noexcept : msg_(owned) {}

    std::string_view subject() const noexcept { return natsMsg_GetSubject(msg_.get()); }
    /// Empty when it asks for no answer.
    std::string_view reply() const noexcept {
        const char* const text = natsMsg_GetReply(msg_.get());
        return text == nullptr ? "" : text;
    }
    std::string_view data() const noexcept {
        return {natsMsg_GetData(msg_.get()),
                static_cast<std::size_t>(natsMsg_GetDataLength(msg_.get()))};
    }
    /// Empty when there is none of that name.
    std::string_view header(const char* name) const noexcept {
        const char* value = nullptr;
        return natsMsgHeader_Get(msg_.get(), name, &value) == NATS_OK && value != nullptr ? value
                                                                                          : "";
    }
    /// "404" and the like, of what is no message of anybody's but says how a request went.
    std::string_view status() const noexcept { return header("Status"); }

  private:
    std::unique_ptr<natsMsg, nats_free<natsMsg_Destroy>> msg_;
};

using nats_header = std::pair<const char*, std::string>;

/// One connection and the one thread that uses it. Requests do not wait: an answer, or that there
/// is none, is told later, on the thread. The client connects again by itself; what had been asked
/// before has no answer then.
class nats_link {
  public:
    explicit nats_link(const nats_store_options& options);
    ~nats_link();
    nats_link(const nats_link&) = delete;
    nats_link& operator=(const nats_link&) = delete;

    /// Blocks. Throws `error`.
    void connect();
    natsConnection* connection() noexcept { return connection_.get(); }

    /// `changed` hears, on the thread, when the connection is gone, and when it is back. `rested`
    /// is called there when what had come has been dealt with.
    void start(std::function<void(bool connected)> changed, std::function<void()> rested);
    /// Runs what has been posted, sends what has been published, ends the thread and the
    /// connection.
    void stop() noexcept;

    /// Any thread: runs `f` on the thread, in the order of the calls. Dropped after `stop`.
    void post(std::function<void()> f);

    /// Any thread: whether there is nothing to run and no answer to wait for.
    bool is_idle();

    // On the thread only.

    bool is_connected() const noexcept { return connected_; }
    /// Nothing is sent while there is no connection: false.
    bool publish(const std::string& subject, std::string_view data,
                 const std::vector<nats_header>& headers = {}, const char* reply = nullptr);
    /// `answered` gets null when there was no answer in time, and at once, but not before this call
    /// returns, while there is no connection.
    using on_answer = std::function<void(const nats_message*)>;
    void request(const std::string& subject, std::string_view data,
                 const std::vector<nats_header>& headers, on_answer answered);
    /// Every message to `subject` from now on. Returns the number of the subscription.
    std::uint64_t listen(const std::string& subject,
                         std::function<void(const nats_message&)> heard);
    /// The same until what is returned is destroyed, on the thread. Null when the client has closed
    /// the connection for good.
    std::shared_ptr<void> follow(const std::string& subject,
                                 std::function<void(const nats_message&)> heard);
    /// Nothing more is sent to this subscription of `listen`. `over` is called when what was on its
    /// way has been heard; at once while there is no connection, and after 2 s in any case.
    void drain(std::uint64_t number, std::function<void()> over);
    /// Something else than an answer is on its way, or has come: for `is_idle`.
    void expect() noexcept { ++unanswered_; }
    void expected() noexcept { --unanswered_; }
    time_point now() const noexcept { return time_->now(); }
    /// Runs `f` so much later.
    void after(duration wait, std::function<void()> f);

    /// Where answers to us are sent, and where else we may listen: begins subjects of ours alone.
    const std::string& inbox() const noexcept { return inbox_; }

  private:
    struct listener {
        nats_link* link = nullptr;
        std::uint64_t number = 0;
        std::function<void(const nats_message&)> heard;
        std::function<void()> over;
        nats_subscription subscription;
    };
    struct waiting {
        on_answer answered;
        time_point until;
    };

    static void on_message(natsConnection*, natsSubscription*, natsMsg* msg, void* closure);
    static void on_disconnected(natsConnection*, void* closure);
    static void on_reconnected(natsConnection*, void* closure);
    static void on_closed(natsConnection*, void* closure);
    static void on_complete(void* closure);
    static void on_error(natsConnection*, natsSubscription*, natsStatus, void*) {}
    void unlisten(std::uint64_t number);
    void forget(std::uint64_t number);
    void connection_changed(bool connected);
    void answer_came(const nats_message& m);
    void run();
    bool wait_for_work(std::deque<std::function<void()>>& work);
    void expire();
    time_point next_deadline() const;

    const nats_store_options options_;
    const std::shared_ptr<time_source> time_ = real_time_source(); // the server has no other
    nats_connection connection_;
    std::string inbox_;
    std::function<void(bool)> changed_;
    std::function<void()> rested_;

    std::mutex mutex_;
    std::condition_variable work_come_;
    std::deque<std::function<void()>> work_;
    bool busy_ = false;
    bool stopping_ = false;
    bool closed_ = false;           // the client will not call us any more
    std::size_t subscriptions_ = 0; // for which it may

    // Of the thread.
    bool connected_ = false;
    std::uint64_t last_request_ = 0;
    std::map<std::uint64_t, waiting> waiting_; // all wait equally long: in the order of their time
    std::multimap<time_point, std::function<void()>> later_;
    std::map<std::uint64_t, std::unique_ptr<listener>> listeners_;
    std::uint64_t last_listener_ = 0;
    std::atomic<std::size_t> unanswered_ = 0;

    std::thread thread_;
};

/// Throws `error` when the client says so; `doing` is what failed.
void check_nats(natsStatus status, errc code, const std::string& doing);

} // namespace lifeguard::detail
