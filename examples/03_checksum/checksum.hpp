#pragma once

#include <lifeguard/lifeguard.hpp>

#include <string>

/// The payload of a job: {"path": "/etc/motd"}, or {"path_hex": "2f..."} for a name that is not
/// UTF-8, which JSON cannot hold.
lifeguard::json payload_of(const std::string& path);
std::string path_in(const lifeguard::json& payload);

/// The handler of the kind "checksum": {"sha256": "...", "bytes": 123, "ctime_ns": 456}.
boost::asio::awaitable<lifeguard::json> checksum(lifeguard::job_context& job);

/// When a file was changed last, as `checksum` answers it; 0 when it is not there.
std::int64_t change_time(const std::string& path);

/// What the reason of a failed attempt says when the file would not hold still.
inline constexpr const char* changed_while_read = "changed while it was read";
