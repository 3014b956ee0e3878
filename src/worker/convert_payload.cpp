// Why a payload did not convert, in words that help who submitted it.

#include <lifeguard/exit_reason.hpp>
#include <lifeguard/handler.hpp>

#include <algorithm>
#include <vector>

namespace lifeguard::detail {
namespace {

using conversion = std::function<void(const json&)>;

/// With more members than that the search is not worth its time.
constexpr std::size_t members_max = 64;

/// What is wrong with `payload`; empty when it converts.
std::string complaint(const json& payload, const conversion& convert) {
    try {
        convert(payload);
        return {};
    } catch (...) {
        return describe(std::current_exception());
    }
}

/// nlohmann says which member is missing, but not which one has the wrong type. Without the member
/// that is at fault, or one that is read before it, the complaint is another one. Of these we take
/// all away and put back what is then missing, one by one, until the complaint is the old one
/// again.
std::string member_at_fault(const json& payload, const conversion& convert,
                            const std::string& original) {
    if (!payload.is_object() || payload.size() > members_max)
        return {};
    std::vector<std::string> suspects;
    json rest = payload;
    for (const auto& [name, value] : payload.items()) {
        json without = payload;
        without.erase(name);
        if (complaint(without, convert) != original) {
            suspects.push_back(name);
            rest.erase(name);
        }
    }
    if (suspects.size() == 1)
        return suspects.front();
    for (std::size_t n = suspects.size(); n != 0; --n) {
        const std::string missing = complaint(rest, convert);
        const auto named = std::ranges::find_if(suspects, [&](const std::string& name) {
            return missing.find("'" + name + "'") != std::string::npos && !rest.contains(name);
        });
        if (named == suspects.end())
            return {};
        rest[*named] = payload[*named];
        if (complaint(rest, convert) == original)
            return *named;
    }
    return {};
}

} // namespace

void refuse_payload(const json& payload, const conversion& convert) {
    const std::string why = complaint(payload, convert);
    const std::string member = member_at_fault(payload, convert, why);
    throw discard_job("payload does not convert: " +
                      (member.empty() ? why : "member '" + member + "': " + why));
}

} // namespace lifeguard::detail
