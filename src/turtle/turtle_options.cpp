// Lets options files be Turtle: load_options("pools.ttl").

#include "engine/option_document.hpp"
#include "turtle/spec_reader.hpp"

namespace lifeguard::detail {
namespace {

option_document read_turtle_options(std::string_view text) {
    if (text.size() > option_bytes_max) {
        option_document refused;
        refused.mistakes.push_back(
            {"", "must be " + std::to_string(option_bytes_max) + " bytes at most", "", 0});
        return refused;
    }
    return spec_reader(read_triples(text)).read();
}

} // namespace
} // namespace lifeguard::detail

extern "C" {
/// Nobody refers to this file, so the linker would leave it out: the library's CMake target tells
/// it to look for this name.
extern const bool lifeguard_turtle_options;
const bool lifeguard_turtle_options =
    lifeguard::detail::register_option_syntax(".ttl", &lifeguard::detail::read_turtle_options);
}
