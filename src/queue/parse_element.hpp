#pragma once

#include <lifeguard/job.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace lifeguard::detail {

/// As `parse_job`, of a text that begins at `offset` of a longer one and is called `name` there.
boost::system::result<new_job, job_parse_error> parse_element(std::string_view text,
                                                              const job_limits& limits,
                                                              std::string name, std::size_t offset);

} // namespace lifeguard::detail
