#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace lifeguard {

enum class log_level { debug, info, warning, error };

struct log_field {
    std::string_view key;
    std::string value;
};

struct log_record {
    log_level level;
    std::string_view event;
    std::string message;
    std::vector<log_field> fields;
};

class log_sink {
  public:
    virtual ~log_sink();
    virtual void write(const log_record&) = 0;
};

} // namespace lifeguard
