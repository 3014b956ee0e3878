#include "settings.hpp"

#include <charconv>
#include <stdexcept>
#include <string_view>

namespace {

std::uint64_t number(std::string_view option, std::string_view text, std::uint64_t low,
                     std::uint64_t high) {
    std::uint64_t value = 0;
    const auto end = text.data() + text.size();
    const auto read = std::from_chars(text.data(), end, value);
    if (read.ec != std::errc() || read.ptr != end || value < low || value > high)
        throw std::invalid_argument(std::string(option) + " must be " + std::to_string(low) +
                                    " to " + std::to_string(high));
    return value;
}

fault fault_named(std::string_view name) {
    if (name == "drop-one")
        return fault::drop_one;
    if (name == "wrong-hash")
        return fault::wrong_hash;
    throw std::invalid_argument("--fault must be drop-one or wrong-hash");
}

} // namespace

settings parse_arguments(int argc, char** argv) {
    settings s;
    for (int i = 1; i < argc; ++i) {
        const std::string_view option = argv[i];
        const auto value = [&] {
            if (++i == argc)
                throw std::invalid_argument(std::string(option) + " needs a value");
            return std::string_view(argv[i]);
        };
        const auto whole = [&](std::uint64_t low, std::uint64_t high) {
            return number(option, value(), low, high);
        };
        if (option == "--chaos")
            s.chaos = true;
        else if (option == "--verify")
            s.verify = true;
        else if (option == "--kills")
            s.kills = static_cast<unsigned>(whole(1, 100'000));
        else if (option == "--threads")
            s.threads = static_cast<unsigned>(whole(1, 256));
        else if (option == "--workers")
            s.workers = static_cast<unsigned>(whole(1, 10'000));
        else if (option == "--seed")
            s.seed = whole(0, UINT64_MAX);
        else if (option == "--files-min")
            s.files_min = whole(0, 10'000'000);
        else if (option == "--mb-min")
            s.bytes_min = 1'000'000 * whole(0, 1'000'000);
        else if (option == "--fault")
            s.injected = fault_named(value());
        else if (option.starts_with("-"))
            throw std::invalid_argument("unknown option " + std::string(option));
        else
            s.directory = option;
    }
    if (s.injected == fault::wrong_hash)
        s.verify = true; // nothing else could notice
    return s;
}
