#include "base/option_members.hpp"

namespace lifeguard::detail {
namespace {

/// A mistake that knows its parts.
class option_error : public error {
  public:
    option_error(const std::string& path, const std::string& rule)
        : error(errc::invalid_option, path + ": " + rule), mistake{path, rule, "", 0} {}
    option_mistake mistake;
};

/// A hundred years: beyond it nanoseconds run over.
constexpr std::uint64_t longest_ms = std::uint64_t{100} * 365 * 24 * 3600 * 1000;

std::int64_t ms_of(duration d) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(d).count();
}

/// The known name that was probably meant: one letter changed, added, left out or swapped.
bool alike(std::string_view a, std::string_view b) {
    if (a.size() > b.size())
        std::swap(a, b);
    if (b.size() - a.size() > 1)
        return false;
    std::size_t i = 0;
    while (i < a.size() && a[i] == b[i])
        ++i;
    const std::string_view rest_a = a.substr(i);
    const std::string_view rest_b = b.substr(i);
    if (a.size() < b.size())
        return rest_a == rest_b.substr(1);
    const bool swapped = rest_a.size() > 1 && rest_a[0] == rest_b[1] && rest_a[1] == rest_b[0];
    return rest_a.empty() || rest_a.substr(1) == rest_b.substr(1) ||
           (swapped && rest_a.substr(2) == rest_b.substr(2));
}

} // namespace

option_members::option_members(const json& object, std::string path, option_report* report)
    : object_(object), path_(std::move(path)), report_(report) {
    if (!object_.is_object())
        throw option_error(path_.empty() ? "options" : path_,
                           std::string("must be an object, is ") + object_.type_name());
}

void option_members::attempt(const std::function<void()>& what) const {
    if (report_ == nullptr) {
        what();
        return;
    }
    try {
        what();
    } catch (const option_error& e) {
        report_->mistakes.push_back(e.mistake);
    } catch (const error& e) { // of another kind, which names the member just so
        const std::string& said = e.detail();
        const std::size_t colon = said.find(": ");
        const bool named = colon != std::string::npos;
        report_->mistakes.push_back(
            {named ? said.substr(0, colon) : path_, named ? said.substr(colon + 2) : said, "", 0});
    }
}

void option_members::milliseconds(const char* name, duration& out) {
    milliseconds_between(name, out, 0, longest_ms);
}

void option_members::milliseconds_between(const char* name, duration& out, std::uint64_t low,
                                          std::uint64_t high) {
    attempt([&] {
        if (const json* v = get(name))
            out = std::chrono::milliseconds(number(*v, name, low, high));
    });
    note(name, ms_of(out));
}

void option_members::age(const char* name, duration& out) {
    const json* v = get(name);
    if (v != nullptr && v->is_number_integer() && *v == -1)
        out = duration(-1);
    else
        milliseconds(name, out);
    note(name, out < duration::zero() ? -1 : ms_of(out));
}

void option_members::flag(const char* name, bool& out) {
    attempt([&] {
        if (const json* v = get(name)) {
            if (!v->is_boolean())
                wrong(name, std::string("must be true or false, is ") + v->type_name());
            out = v->get<bool>();
        }
    });
    note(name, out);
}

void option_members::real(const char* name, double& out) {
    attempt([&] {
        if (const json* v = get(name)) {
            if (!v->is_number())
                wrong(name, std::string("must be a number, is ") + v->type_name());
            out = v->get<double>();
        }
    });
    note(name, out);
}

void option_members::text(const char* name, std::string& out) {
    attempt([&] {
        if (const json* v = get(name))
            out = string_of(*v, name);
    });
    note(name, out);
}

void option_members::texts(const char* name, std::vector<std::string>& out) {
    attempt([&] {
        const json* v = get(name);
        if (v == nullptr)
            return;
        if (!v->is_array())
            wrong(name, std::string("must be a list of strings, is ") + v->type_name());
        out.clear();
        for (std::size_t i = 0; i < v->size(); ++i)
            attempt([&] {
                out.push_back(
                    string_of((*v)[i], std::string(name) + "[" + std::to_string(i) + "]"));
            });
    });
    note(name, out);
}

void option_members::named_texts(const char* name, std::map<std::string, std::string>& out) {
    attempt([&] {
        const json* v = get(name);
        if (v == nullptr)
            return;
        if (!v->is_object())
            wrong(name, std::string("must be an object, is ") + v->type_name());
        for (const auto& [key, value] : v->items())
            attempt([&] { out[key] = string_of(value, std::string(name) + "." + key); });
    });
    note(name, out);
}

json option_members::read_inner(const json& value, const std::string& path,
                                const reader& read) const {
    json values = json::object();
    attempt([&] {
        option_members inner(value, path, report_);
        read(inner);
        inner.done();
        values = inner.values();
    });
    return values;
}

void option_members::object(const char* name, const reader& read) {
    static const json nothing = json::object();
    const json* v = get(name);
    if (v == nullptr && report_ == nullptr)
        return;
    note(name, read_inner(v == nullptr ? nothing : *v, at(name), read));
}

void option_members::objects(const char* name, const reader& read) {
    note(name, json::array());
    attempt([&] {
        const json* v = get(name);
        if (v == nullptr)
            return;
        if (!v->is_array())
            wrong(name, std::string("must be a list of objects, is ") + v->type_name());
        json all = json::array();
        for (std::size_t i = 0; i < v->size(); ++i)
            all.push_back(read_inner((*v)[i], at(name) + "[" + std::to_string(i) + "]", read));
        note(name, std::move(all));
    });
}

void option_members::named_objects(
    const char* name, const std::function<void(const std::string&, option_members&)>& read) {
    note(name, json::object());
    attempt([&] {
        const json* v = get(name);
        if (v == nullptr)
            return;
        if (!v->is_object())
            wrong(name, std::string("must be an object, is ") + v->type_name());
        json all = json::object();
        for (const auto& item : v->items()) {
            const std::string& key = item.key();
            all[key] = read_inner(item.value(), at(name) + "." + key,
                                  [&](option_members& inner) { read(key, inner); });
        }
        note(name, std::move(all));
    });
}

const json* option_members::get(const char* name) {
    known_.insert(name);
    const auto found = object_.find(name);
    return found == object_.end() ? nullptr : &*found;
}

std::uint64_t option_members::number(const json& v, const std::string& name, std::uint64_t low,
                                     std::uint64_t high) const {
    if (!v.is_number_integer())
        wrong(name, std::string("must be a whole number, is ") + v.type_name());
    const bool fits =
        v.is_number_unsigned() && v.get<std::uint64_t>() >= low && v.get<std::uint64_t>() <= high;
    if (!fits)
        wrong(name, "must be " + std::to_string(low) + " to " + std::to_string(high) + ", is " +
                        v.dump());
    return v.get<std::uint64_t>();
}

void option_members::wrong(const std::string& name, const std::string& rule) const {
    throw option_error(at(name), rule);
}

void option_members::complain(const std::string& name, const std::string& rule) const {
    attempt([&] { wrong(name, rule); });
}

void option_members::done() const {
    for (const auto& [name, value] : object_.items())
        if (!known_.contains(name)) {
            std::string meant;
            for (const std::string& known : known_)
                if (meant.empty() && alike(name, known))
                    meant = "; did you mean " + known + "?";
            complain(name, "is not an option" + meant);
        }
}

std::string option_members::at(const std::string& name) const {
    return path_.empty() ? name : path_ + "." + name;
}

std::string option_members::string_of(const json& v, const std::string& name) const {
    if (!v.is_string())
        wrong(name, std::string("must be a string, is ") + v.type_name());
    return v.get<std::string>();
}

} // namespace lifeguard::detail
