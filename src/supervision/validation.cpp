#include "supervision/validation.hpp"

#include "base/one_line.hpp"
#include <lifeguard/error.hpp>

#include <climits>
#include <string>
#include <string_view>
#include <unordered_set>

namespace lifeguard::detail {
namespace {

template <typename Value>
std::string text_of(Value value) {
    if constexpr (std::is_enum_v<Value>)
        return std::to_string(static_cast<int>(value));
    else if constexpr (std::is_same_v<Value, duration>)
        return std::to_string(
                   std::chrono::duration_cast<std::chrono::milliseconds>(value).count()) +
               " ms";
    else
        return std::to_string(value);
}

/// The checks of one struct: each names the field, its value and the rule.
class checker {
  public:
    explicit checker(std::string whose) : whose_(std::move(whose)) {}

    template <typename Value>
    void require(bool ok, const char* field, Value value, const char* rule) const {
        if (!ok)
            fail(errc::invalid_option,
                 std::string(field) + " is " + text_of(value) + ", must be " + rule);
    }

    [[noreturn]] void fail(errc code, const std::string& what) const {
        throw error(code, whose_ + ": " + what);
    }

  private:
    std::string whose_;
};

std::string whose(const supervisor_options& options) {
    return "supervisor '" + one_line(options.name, 100) + "'";
}

std::string whose(const supervisor_options& options, const child_spec& spec) {
    return whose(options) + ", child '" + one_line(spec.id, 100) + "'";
}

template <typename Enum>
bool is_between(Enum value, Enum first, Enum last) {
    return value >= first && value <= last;
}

} // namespace

namespace {

void validate(const supervisor_options& o) {
    const checker check(whose(o));
    if (o.name.empty())
        check.fail(errc::invalid_option, "name is empty");
    check.require(is_between(o.strategy, strategy::one_for_one, strategy::simple_one_for_one),
                  "strategy", o.strategy, "a known strategy");
    check.require(o.intensity <= INT_MAX, "intensity", o.intensity, "at most 2147483647");
    check.require(o.period > duration::zero() && o.period != duration::max(), "period", o.period,
                  "positive and finite");
    check.require(is_between(o.auto_shutdown, auto_shutdown::never, auto_shutdown::all_significant),
                  "auto_shutdown", o.auto_shutdown, "a known value");
    check.require(o.kill_grace >= duration::zero() && o.kill_grace != duration::max(), "kill_grace",
                  o.kill_grace, "finite and not negative");
    if (o.restart_delay)
        o.restart_delay->validate();
}

} // namespace

void validate(const supervisor_options& options, const std::vector<child_spec>& children) {
    validate(options);
    if (options.strategy == strategy::simple_one_for_one && children.size() != 1)
        checker(whose(options))
            .fail(errc::invalid_option, "children are " + std::to_string(children.size()) +
                                            ", must be one template (simple_one_for_one)");
    std::unordered_set<std::string_view> ids;
    for (const child_spec& spec : children) {
        validate(spec, options);
        if (!ids.insert(spec.id).second)
            throw error(errc::duplicate_id, whose(options, spec));
    }
}

void validate(const child_spec& spec, const supervisor_options& options) {
    const checker check(whose(options, spec));
    if (spec.id.empty())
        check.fail(errc::invalid_option, "id is empty");
    if (!spec.start)
        check.fail(errc::invalid_option, "start is empty");
    check.require(is_between(spec.restart, restart_type::permanent, restart_type::temporary),
                  "restart", spec.restart, "permanent, transient or temporary");
    check.require(is_between(spec.type, child_type::worker, child_type::supervisor), "type",
                  spec.type, "worker or supervisor");
    if (spec.shutdown)
        check.require(spec.shutdown->is_valid(), "shutdown", spec.shutdown->grace(),
                      "not negative");
    check.require(spec.start_timeout >= duration::zero(), "start_timeout", spec.start_timeout,
                  "not negative");
    if (!spec.registered_name.empty() && !options.names)
        check.fail(errc::invalid_option, "registered_name is set, but the supervisor has no names");
    if (!spec.registered_name.empty() && options.strategy == strategy::simple_one_for_one)
        check.fail(errc::invalid_option, "registered_name is set, but there may be many of it");
    if (spec.significant && options.auto_shutdown == auto_shutdown::never)
        check.fail(errc::invalid_option, "significant is true, but auto_shutdown is never");
    if (spec.significant && spec.restart == restart_type::permanent)
        check.fail(errc::invalid_option, "significant is true, but restart is permanent");
}

} // namespace lifeguard::detail
