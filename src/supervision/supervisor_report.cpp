#include "supervision/supervisor_report.hpp"

#include "base/one_line.hpp"

namespace lifeguard {
namespace {

std::string_view name_of(supervisor_event::kind what) {
    switch (what) {
    case supervisor_event::kind::child_started:
        return "child_started";
    case supervisor_event::kind::child_exited:
        return "child_exited";
    case supervisor_event::kind::restart_scheduled:
        return "restart_scheduled";
    case supervisor_event::kind::start_failed:
        return "start_failed";
    case supervisor_event::kind::child_abandoned:
        return "child_abandoned";
    case supervisor_event::kind::gave_up:
        return "gave_up";
    case supervisor_event::kind::ended:
        return "ended";
    }
    return "unknown";
}

std::string_view name_of(supervisor_event::context when) {
    switch (when) {
    case supervisor_event::context::none:
        return "";
    case supervisor_event::context::start_error:
        return "start_error";
    case supervisor_event::context::child_terminated:
        return "child_terminated";
    case supervisor_event::context::shutdown:
        return "shutdown";
    case supervisor_event::context::shutdown_error:
        return "shutdown_error";
    }
    return "unknown";
}

bool has_reason(supervisor_event::kind what) {
    return what != supervisor_event::kind::child_started &&
           what != supervisor_event::kind::restart_scheduled;
}

constexpr std::size_t name_max = 200; // bytes of a name in a report

std::optional<log_level> level_of(const supervisor_event& event) {
    switch (event.what) {
    case supervisor_event::kind::child_exited:
        // A child that its supervisor cancelled by force as its spec says did not crash.
        if (event.reason.abnormal() && event.when != supervisor_event::context::shutdown)
            return log_level::error;
        return std::nullopt;
    case supervisor_event::kind::start_failed:
    case supervisor_event::kind::child_abandoned:
    case supervisor_event::kind::gave_up:
        return log_level::error;
    case supervisor_event::kind::restart_scheduled:
        return log_level::info;
    case supervisor_event::kind::child_started:
    case supervisor_event::kind::ended:
        return std::nullopt;
    }
    return std::nullopt;
}

} // namespace

std::string to_string(const supervisor_event& event) {
    std::string text = "supervisor '" + detail::one_line(event.supervisor, name_max) + "': ";
    if (!event.child.empty())
        text += "child '" + detail::one_line(event.child, name_max) + "' (incarnation " +
                std::to_string(event.incarnation) + ") ";
    text += name_of(event.what);
    if (has_reason(event.what))
        text += ": " + to_string(event.reason);
    if (event.when != supervisor_event::context::none)
        text.append(" [").append(name_of(event.when)).append("]");
    return text;
}

std::optional<log_record> detail::log_record_of(const supervisor_event& event) {
    const auto level = level_of(event);
    if (!level)
        return std::nullopt;
    log_record record{
        .level = *level, .event = name_of(event.what), .message = to_string(event), .fields = {}};
    record.fields.push_back({"supervisor", event.supervisor});
    if (!event.child.empty()) {
        record.fields.push_back({"child", event.child});
        record.fields.push_back({"incarnation", std::to_string(event.incarnation)});
    }
    if (has_reason(event.what))
        record.fields.push_back({"reason", to_string(event.reason)});
    if (event.when != supervisor_event::context::none)
        record.fields.push_back({"context", std::string(name_of(event.when))});
    return record;
}

} // namespace lifeguard
