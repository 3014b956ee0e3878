// The part of supervisor_core that answers calls.
#include "supervision/supervisor_core.hpp"

#include <charconv>

namespace lifeguard::detail {

void supervisor_core::submit(child_request request, time_point now) {
    switch (mode_) {
    case mode::idle:
    case mode::starting:
    case mode::regrouping:
        waiting_.push_back(std::move(request));
        return;
    case mode::running:
        return handle(std::move(request), now);
    case mode::stopping:
        if (request.what == child_request::kind::read)
            return answer(request.from);
        return answer(request.from, errc::no_such_supervisor);
    case mode::ended:
        return answer(request.from, errc::no_such_supervisor);
    }
}

void supervisor_core::resubmit(std::vector<child_request> requests, time_point now) {
    for (child_request& request : requests)
        submit(std::move(request), now);
}

void supervisor_core::handle(child_request request, time_point now) {
    switch (request.what) {
    case child_request::kind::start:
        return handle_start(request, now);
    case child_request::kind::terminate:
        return handle_terminate(request, now);
    case child_request::kind::restart:
        return handle_restart(request, now);
    case child_request::kind::remove:
        return handle_remove(request);
    case child_request::kind::kill:
        return handle_kill(request, now);
    case child_request::kind::reconfigure:
        return handle_reconfigure(request, now);
    case child_request::kind::read:
        return answer(request.from);
    case child_request::kind::repeat:
        return handle_repeat(request, now);
    }
}

void supervisor_core::handle_start(child_request& request, time_point now) {
    supervised_child& child = *request.child;
    if (is_simple()) {
        child.id = template_->id + "/" + std::to_string(++issued_);
    } else if (supervised_child* known = find(child.id)) {
        if (waits_for_stop(*known, request))
            return;
        return answer(request.from,
                      known->now == phase::down ? errc::already_present : errc::already_started);
    }
    add(std::move(request.child));
    work_of(child).starter = request.from;
    spawn(child, start_cause::start_call, now);
}

void supervisor_core::handle_restart(child_request& request, time_point now) {
    if (is_simple())
        return answer(request.from, errc::simple_one_for_one);
    supervised_child* child = find(request.id);
    if (child == nullptr)
        return answer(request.from, errc::not_found);
    if (waits_for_stop(*child, request))
        return;
    if (child->now != phase::down)
        return answer(request.from, errc::running);
    work_of(*child).starter = request.from;
    spawn(*child, start_cause::restart_call, now);
}

void supervisor_core::handle_terminate(child_request& request, time_point now) {
    if (is_simple() && request.id == template_->id)
        return answer(request.from, errc::simple_one_for_one);
    supervised_child* child = find(request.id);
    if (child == nullptr) {
        if (has_ended_before(request.id))
            return answer(request.from);
        return answer(request.from, errc::not_found);
    }
    if (child->is_alive()) {
        work_of(*child).terminators.push_back(request.from);
        return ask(*child, stop_purpose::terminate, now);
    }
    put_down(*child); // no further attempt to restart it
    if (is_simple())
        remove(*child);
    answer(request.from);
}

void supervisor_core::handle_remove(child_request& request) {
    if (is_simple())
        return answer(request.from, errc::simple_one_for_one);
    supervised_child* child = find(request.id);
    if (child == nullptr)
        return answer(request.from, errc::not_found);
    if (waits_for_stop(*child, request))
        return;
    if (child->now != phase::down)
        return answer(request.from, errc::running);
    remove(*child);
    answer(request.from);
}

void supervisor_core::handle_kill(child_request& request, time_point now) {
    supervised_child* child = find(request.id);
    if (child == nullptr || !child->is_alive())
        return answer(request.from, errc::not_found);
    cancel(*child, stop_purpose::kill, now);
    answer(request.from);
}

/// OTP would not look at the request before the child has stopped.
bool supervisor_core::waits_for_stop(supervised_child& child, child_request& request) {
    if (child.purpose != stop_purpose::terminate)
        return false;
    child.work->waiting.push_back(std::move(request));
    return true;
}

/// Whether this was the id of a dynamic child.
bool supervisor_core::has_ended_before(std::string_view id) const {
    if (!is_simple() || !id.starts_with(template_->id + "/"))
        return false;
    id.remove_prefix(template_->id.size() + 1);
    std::uint64_t number = 0;
    const auto [end, code] = std::from_chars(id.data(), id.data() + id.size(), number);
    return code == std::errc() && end == id.data() + id.size() && number != 0 && number <= issued_;
}

} // namespace lifeguard::detail
