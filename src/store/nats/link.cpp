#include "store/nats/link.hpp"

#include "base/saturate.hpp"

#include <charconv>

namespace lifeguard::detail {
namespace {

int milliseconds(duration d) {
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(d).count();
    return static_cast<int>(std::clamp<std::int64_t>(ms, 1, 3'600'000));
}

/// The connection is found to be dead after three of them.
constexpr duration ping_interval = std::chrono::seconds(5);
constexpr duration reconnect_wait = std::chrono::milliseconds(200);
/// A socket that takes nothing for so long is dead: the thread must not hang on it.
constexpr duration write_deadline = std::chrono::seconds(2);

nats_settings make_settings(const nats_store_options& o) {
    natsOptions* made = nullptr;
    const auto check = [](natsStatus s, const char* field) {
        check_nats(s, errc::invalid_option, std::string("nats_store_options::") + field);
    };
    check(natsOptions_Create(&made), "servers");
    nats_settings settings(made);
    std::vector<const char*> servers;
    for (const std::string& server : o.servers)
        servers.push_back(server.c_str());
    check(natsOptions_SetServers(made, servers.data(), static_cast<int>(servers.size())),
          "servers");
    check(natsOptions_SetName(made, "lifeguard"), "prefix");
    check(natsOptions_SetTimeout(made, milliseconds(o.answer_wait)), "answer_wait");
    check(natsOptions_SetMaxReconnect(made, -1), "servers");
    check(natsOptions_SetReconnectWait(made, milliseconds(reconnect_wait)), "servers");
    check(natsOptions_SetPingInterval(made, milliseconds(ping_interval)), "servers");
    check(natsOptions_SetMaxPingsOut(made, 2), "servers");
    check(natsOptions_SetWriteDeadline(made, milliseconds(write_deadline)), "servers");
    // One thread of the client's brings all messages, however many subscriptions there are.
    check(natsOptions_UseGlobalMessageDelivery(made, true), "servers");
    check(natsOptions_SetSendAsap(made, true), "servers");
    if (!o.user.empty())
        check(natsOptions_SetUserInfo(made, o.user.c_str(), o.password.c_str()), "user");
    if (!o.token.empty())
        check(natsOptions_SetToken(made, o.token.c_str()), "token");
    if (!o.credentials_file.empty())
        check(natsOptions_SetUserCredentialsFromFiles(made, o.credentials_file.c_str(), nullptr),
              "credentials_file");
    if (!o.tls_ca_file.empty() || !o.tls_cert_file.empty())
        check(natsOptions_SetSecure(made, true), "tls_ca_file");
    if (!o.tls_ca_file.empty())
        check(natsOptions_LoadCATrustedCertificates(made, o.tls_ca_file.c_str()), "tls_ca_file");
    if (!o.tls_cert_file.empty())
        check(natsOptions_LoadCertificatesChain(made, o.tls_cert_file.c_str(),
                                                o.tls_key_file.c_str()),
              "tls_cert_file");
    return settings;
}

std::string first_of(const std::vector<std::string>& servers) {
    return servers.size() == 1 ? servers.front() : servers.front() + " and others";
}

} // namespace

void check_nats(natsStatus status, errc code, const std::string& doing) {
    if (status == NATS_OK)
        return;
    natsStatus last = NATS_OK;
    const char* const detail = nats_GetLastError(&last);
    std::string text = doing + ": " + natsStatus_GetText(status);
    if (last == status && detail != nullptr && *detail != '\0')
        text += std::string(" (") + detail + ")";
    throw error(code, text);
}

nats_link::nats_link(const nats_store_options& options) : options_(options) {}

nats_link::~nats_link() { stop(); }

void nats_link::connect() {
    const nats_settings settings = make_settings(options_);
    const auto check = [](natsStatus s, const char* what) {
        check_nats(s, errc::invalid_option, what);
    };
    check(natsOptions_SetDisconnectedCB(settings.get(), &on_disconnected, this), "disconnected");
    check(natsOptions_SetReconnectedCB(settings.get(), &on_reconnected, this), "reconnected");
    check(natsOptions_SetClosedCB(settings.get(), &on_closed, this), "closed");
    check(natsOptions_SetErrorHandler(settings.get(), &on_error, this), "error");
    natsConnection* made = nullptr;
    const natsStatus status = natsConnection_Connect(&made, settings.get());
    // Anything else is about us or our files, and trying again does not help.
    const bool unreached = status == NATS_NO_SERVER || status == NATS_TIMEOUT ||
                           status == NATS_IO_ERROR || status == NATS_CONNECTION_CLOSED;
    check_nats(status, unreached ? errc::store_unavailable : errc::store_failed,
               "server " + first_of(options_.servers));
    connection_.reset(made);
    natsInbox* inbox = nullptr;
    check_nats(natsInbox_Create(&inbox), errc::store_failed, "inbox");
    inbox_ = inbox;
    natsInbox_Destroy(inbox);
    connected_ = true;
}

void nats_link::start(std::function<void(bool)> changed, std::function<void()> rested) {
    changed_ = std::move(changed);
    rested_ = std::move(rested);
    listen(inbox_ + ".a.*", [this](const nats_message& m) { answer_came(m); });
    thread_ = std::thread([this] { run(); });
}

void nats_link::stop() noexcept {
    if (thread_.joinable()) {
        {
            const std::lock_guard lock(mutex_);
            stopping_ = true;
        }
        work_come_.notify_one();
        thread_.join();
    }
    if (!connection_)
        return;
    // The last acks; the server may be gone, and then others learn it by themselves.
    natsConnection_FlushTimeout(connection_.get(), milliseconds(write_deadline));
    natsConnection_Close(connection_.get());
    {
        std::unique_lock lock(mutex_);
        work_come_.wait(lock, [this] { return closed_ && subscriptions_ == 0; });
    }
    listeners_.clear();
    connection_.reset();
}

void nats_link::post(std::function<void()> f) {
    {
        const std::lock_guard lock(mutex_);
        if (stopping_)
            return;
        work_.push_back(std::move(f));
        if (work_.size() > 1)
            return; // it has been told
    }
    work_come_.notify_one();
}

bool nats_link::is_idle() {
    const std::lock_guard lock(mutex_);
    return work_.empty() && !busy_ && unanswered_ == 0;
}

// --- the thread

void nats_link::run() {
    std::deque<std::function<void()>> work;
    while (wait_for_work(work)) {
        for (auto& f : work)
            f();
        work.clear();
        expire();
        rested_();
    }
    nats_ReleaseThreadMemory();
}

/// False when it is time to end, and everything has been done.
bool nats_link::wait_for_work(std::deque<std::function<void()>>& work) {
    std::unique_lock lock(mutex_);
    busy_ = false;
    const auto awake = [this] { return stopping_ || !work_.empty(); };
    const time_point until = next_deadline();
    if (until == time_point::max())
        work_come_.wait(lock, awake);
    else
        work_come_.wait_for(lock, until - time_->now(), awake);
    busy_ = true;
    work.swap(work_);
    return !(stopping_ && work.empty());
}

time_point nats_link::next_deadline() const {
    time_point next = later_.empty() ? time_point::max() : later_.begin()->first;
    if (!waiting_.empty())
        next = std::min(next, waiting_.begin()->second.until);
    return next;
}

void nats_link::expire() {
    const time_point now = time_->now();
    while (!waiting_.empty() && waiting_.begin()->second.until <= now) {
        auto node = waiting_.extract(waiting_.begin());
        node.mapped().answered(nullptr);
        --unanswered_;
    }
    while (!later_.empty() && later_.begin()->first <= now)
        later_.extract(later_.begin()).mapped()();
}

void nats_link::answer_came(const nats_message& m) {
    const std::string_view number = m.subject().substr(inbox_.size() + 3);
    std::uint64_t which = 0;
    std::from_chars(number.data(), number.data() + number.size(), which);
    auto node = waiting_.extract(which);
    if (node.empty())
        return; // too late
    // No JetStream there, or nobody who answers for this stream at the moment.
    node.mapped().answered(m.status() == "503" ? nullptr : &m);
    --unanswered_;
}

void nats_link::connection_changed(bool connected) {
    connected_ = connected;
    if (!connected) {
        for (auto& [_, w] : std::exchange(waiting_, {})) {
            w.answered(nullptr);
            --unanswered_;
        }
    }
    changed_(connected);
}

bool nats_link::publish(const std::string& subject, std::string_view data,
                        const std::vector<nats_header>& headers, const char* reply) {
    if (!connected_)
        return false;
    if (headers.empty() && reply == nullptr)
        return natsConnection_Publish(connection_.get(), subject.c_str(), data.data(),
                                      static_cast<int>(data.size())) == NATS_OK;
    if (headers.empty())
        return natsConnection_PublishRequest(connection_.get(), subject.c_str(), reply, data.data(),
                                             static_cast<int>(data.size())) == NATS_OK;
    natsMsg* made = nullptr;
    if (natsMsg_Create(&made, subject.c_str(), reply, data.data(), static_cast<int>(data.size())) !=
        NATS_OK)
        return false;
    const std::unique_ptr<natsMsg, nats_free<natsMsg_Destroy>> msg(made);
    for (const auto& [name, value] : headers)
        if (natsMsgHeader_Set(made, name, value.c_str()) != NATS_OK)
            return false;
    return natsConnection_PublishMsg(connection_.get(), made) == NATS_OK;
}

void nats_link::request(const std::string& subject, std::string_view data,
                        const std::vector<nats_header>& headers, on_answer answered) {
    const std::uint64_t number = ++last_request_;
    const std::string reply = inbox_ + ".a." + std::to_string(number);
    const bool sent = publish(subject, data, headers, reply.c_str());
    ++unanswered_;
    if (!sent)
        return post([this, f = std::move(answered)] {
            f(nullptr);
            --unanswered_;
        });
    waiting_.emplace(number,
                     waiting{std::move(answered), later(time_->now(), options_.answer_wait)});
}

std::uint64_t nats_link::listen(const std::string& subject,
                                std::function<void(const nats_message&)> heard) {
    auto l = std::make_unique<listener>();
    l->link = this;
    l->number = ++last_listener_;
    l->heard = std::move(heard);
    natsSubscription* made = nullptr;
    check_nats(
        natsConnection_Subscribe(&made, connection_.get(), subject.c_str(), &on_message, l.get()),
        errc::store_failed, "subscription to " + subject);
    l->subscription.reset(made);
    // What comes is what we have asked for, and that is bounded.
    natsSubscription_SetPendingLimits(made, -1, -1);
    {
        const std::lock_guard lock(mutex_);
        ++subscriptions_;
    }
    check_nats(natsSubscription_SetOnCompleteCB(made, &on_complete, l.get()), errc::store_failed,
               "subscription to " + subject);
    const std::uint64_t number = l->number;
    listeners_.emplace(number, std::move(l));
    return number;
}

std::shared_ptr<void> nats_link::follow(const std::string& subject,
                                        std::function<void(const nats_message&)> heard) {
    try {
        const std::uint64_t number = listen(subject, std::move(heard));
        return {this, [number](nats_link* link) { link->unlisten(number); }};
    } catch (const error&) {
        return nullptr;
    }
}

/// The client may be calling the listener at this moment: it goes when the client says so.
void nats_link::unlisten(std::uint64_t number) {
    if (const auto found = listeners_.find(number); found != listeners_.end())
        natsSubscription_Unsubscribe(found->second->subscription.get());
}

void nats_link::drain(std::uint64_t number, std::function<void()> over) {
    const auto found = listeners_.find(number);
    const bool begun = connected_ && found != listeners_.end() &&
                       natsSubscription_DrainTimeout(found->second->subscription.get(),
                                                     milliseconds(write_deadline)) == NATS_OK;
    if (begun)
        found->second->over = std::move(over);
    else
        over();
}

void nats_link::forget(std::uint64_t number) {
    const auto gone = listeners_.extract(number);
    if (gone && gone.mapped()->over)
        gone.mapped()->over();
}

void nats_link::after(duration wait, std::function<void()> f) {
    later_.emplace(later(time_->now(), wait), std::move(f));
}

// --- on the client's threads

void nats_link::on_message(natsConnection*, natsSubscription*, natsMsg* msg, void* closure) {
    auto* const l = static_cast<listener*>(closure);
    const auto m = std::make_shared<nats_message>(msg);
    l->link->post([l, m] { l->heard(*m); });
}

void nats_link::on_disconnected(natsConnection*, void* closure) {
    auto* const self = static_cast<nats_link*>(closure);
    self->post([self] { self->connection_changed(false); });
}

void nats_link::on_reconnected(natsConnection*, void* closure) {
    auto* const self = static_cast<nats_link*>(closure);
    self->post([self] { self->connection_changed(true); });
}

void nats_link::on_closed(natsConnection*, void* closure) {
    auto* const self = static_cast<nats_link*>(closure);
    const std::lock_guard lock(self->mutex_); // whoever waits may destroy us when it is released
    self->closed_ = true;
    self->work_come_.notify_all();
}

void nats_link::on_complete(void* closure) {
    const auto* const l = static_cast<listener*>(closure);
    nats_link* const self = l->link;
    const std::lock_guard lock(self->mutex_);
    if (!self->stopping_) // otherwise they go together
        self->work_.emplace_back([self, number = l->number] { self->forget(number); });
    --self->subscriptions_;
    self->work_come_.notify_all();
}

} // namespace lifeguard::detail
