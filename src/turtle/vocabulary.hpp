#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace lifeguard::detail::vocabulary {

inline constexpr std::array<std::pair<const char*, const char*>, 3> usual_prefixes{{
    {"rdf", "http://www.w3.org/1999/02/22-rdf-syntax-ns#"},
    {"rdfs", "http://www.w3.org/2000/01/rdf-schema#"},
    {"xsd", "http://www.w3.org/2001/XMLSchema#"},
}};
inline constexpr std::string_view jobs = "http://ggen.dev/ontology/jobs#";

/// An IRI as people write it: "jobs:poolSize"; otherwise in angle brackets.
std::string shortened(std::string_view iri);
/// The IRI of "jobs:poolSize".
std::string iri_of(std::string_view short_name);

enum class range : std::uint8_t { integer, boolean, string };
/// "xsd:integer"
std::string_view name_of(range r) noexcept;

/// A property of our classes, and the member of a pool's options that it sets.
struct property {
    std::string_view name;   ///< "jobs:poolSize"
    std::string_view domain; ///< "jobs:WorkerPool"
    std::string_view member; ///< "size"
    range values;
};

inline constexpr std::string_view worker_pool = "jobs:WorkerPool";
inline constexpr std::string_view worker = "jobs:Worker";

/// The property of that name that instances of a class have; null when it is unknown.
const property* find(std::string_view name, std::string_view domain) noexcept;
/// Whatever its class.
const property* find(std::string_view name) noexcept;

} // namespace lifeguard::detail::vocabulary
