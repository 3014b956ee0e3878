#pragma once

#include <span>
#include <string_view>

namespace lifeguard::test {

/// One text, and what it is about.
struct json_document {
    std::string_view about;
    std::string_view text;
};

/// Every one is JSON (RFC 8259), none is a job.
std::span<const json_document> well_formed();

/// None is JSON.
std::span<const json_document> malformed();

/// RFC 8259 leaves to the reader what becomes of these; `accepted` is what becomes of them here.
struct undecided_document {
    std::string_view about;
    std::string_view text;
    bool accepted;
};
std::span<const undecided_document> undecided();

} // namespace lifeguard::test
