#include <lifeguard/log.hpp>
namespace lifeguard {
log_sink::~log_sink() = default;
}
