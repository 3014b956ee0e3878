#include "base/option_members.hpp"

namespace lifeguard::detail {

option_members::option_members(const json& object, std::string path)
    : object_(object), path_(std::move(path)) {
    if (!object_.is_object())
        throw error(errc::invalid_option, (path_.empty() ? "options" : path_) +
                                              ": must be an object, is " + object_.type_name());
}

void option_members::milliseconds(const char* name, duration& out) {
    // A hundred years: beyond it nanoseconds run over.
    constexpr std::uint64_t longest = std::uint64_t{100} * 365 * 24 * 3600 * 1000;
    if (const json* v = get(name))
        out = std::chrono::milliseconds(number(*v, name, 0, longest));
}

void option_members::age(const char* name, duration& out) {
    const json* v = get(name);
    if (v != nullptr && v->is_number_integer() && *v == -1)
        out = duration(-1);
    else
        milliseconds(name, out);
}

void option_members::flag(const char* name, bool& out) {
    if (const json* v = get(name)) {
        if (!v->is_boolean())
            wrong(name, std::string("must be true or false, is ") + v->type_name());
        out = v->get<bool>();
    }
}

void option_members::real(const char* name, double& out) {
    if (const json* v = get(name)) {
        if (!v->is_number())
            wrong(name, std::string("must be a number, is ") + v->type_name());
        out = v->get<double>();
    }
}

void option_members::text(const char* name, std::string& out) {
    if (const json* v = get(name))
        out = string_of(*v, name);
}

void option_members::texts(const char* name, std::vector<std::string>& out) {
    const json* v = get(name);
    if (v == nullptr)
        return;
    if (!v->is_array())
        wrong(name, std::string("must be a list of strings, is ") + v->type_name());
    out.clear();
    for (std::size_t i = 0; i < v->size(); ++i)
        out.push_back(string_of((*v)[i], std::string(name) + "[" + std::to_string(i) + "]"));
}

void option_members::object(const char* name, const std::function<void(option_members&)>& read) {
    if (const json* v = get(name)) {
        option_members inner(*v, at(name));
        read(inner);
        inner.done();
    }
}

void option_members::objects(const char* name, const std::function<void(option_members&)>& read) {
    const json* v = get(name);
    if (v == nullptr)
        return;
    if (!v->is_array())
        wrong(name, std::string("must be a list of objects, is ") + v->type_name());
    for (std::size_t i = 0; i < v->size(); ++i) {
        option_members inner((*v)[i], at(name) + "[" + std::to_string(i) + "]");
        read(inner);
        inner.done();
    }
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
    throw error(errc::invalid_option, at(name) + ": " + rule);
}

void option_members::done() const {
    for (const auto& [name, value] : object_.items())
        if (!known_.contains(name))
            wrong(name, "is not an option");
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
