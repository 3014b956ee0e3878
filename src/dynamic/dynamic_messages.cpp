// Messages to workers: calls, whose senders wait, and casts.
#include "base/one_line.hpp"
#include "dynamic/dynamic_turn.hpp"

namespace lifeguard::detail {

asio::awaitable<json> dynamic_core::call(std::shared_ptr<dynamic_core> self,
                                         std::optional<std::string> id, json message,
                                         duration timeout) {
    auto pending = std::make_shared<pending_call>();
    self->submit(id, std::make_shared<worker_message>(std::move(message), pending));
    std::string whom = self->whose() + ": " + (id ? "'" + one_line(*id) + "'" : "call_any");
    co_return co_await pending_call::wait(
        std::move(pending), self->runtime_->deadlines,
        timeout < duration::zero() ? self->options_.call_timeout : timeout, std::move(whom));
}

void dynamic_core::cast(const std::optional<std::string>& id, json message) {
    submit(id, std::make_shared<worker_message>(std::move(message), nullptr));
}

void dynamic_core::submit(const std::optional<std::string>& id, std::shared_ptr<worker_message> m) {
    turn t(*this);
    if (stopped_ || closed_ || !running_)
        throw not_running();
    const bool has_handler =
        m->call ? static_cast<bool>(behaviour_->call) : static_cast<bool>(behaviour_->cast);
    if (!has_handler)
        throw error(errc::unsupported,
                    whose() + ": the behaviour has no " + (m->call ? "call" : "cast"));
    auto* const w = static_cast<dynamic_worker*>(id ? registry_.find(*id) : registry_.least_busy());
    if (w == nullptr)
        throw error(errc::not_found,
                    whose() + (id ? ": '" + one_line(*id) + "'" : ": there are none"));
    if (w->mailbox.size() >= options_.mailbox_max) // those that nobody waits for any more go first
        std::erase_if(w->mailbox,
                      [](const auto& old) { return old->call && old->call->is_settled(); });
    if (w->mailbox.size() >= options_.mailbox_max) {
        w->waiting = w->mailbox.size();
        registry_.load_changed(*w);
        throw error(errc::limit_reached, whose() + ": '" + one_line(w->id) + "': mailbox_max: " +
                                             std::to_string(options_.mailbox_max) + " wait");
    }
    w->mailbox.push_back(std::move(m));
    w->waiting = w->mailbox.size();
    registry_.load_changed(*w);
    if (w->current != nullptr && w->current->life.is_parked())
        t.wakes.add(w->current->life);
}

} // namespace lifeguard::detail
