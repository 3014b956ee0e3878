#include "task.hpp"

task user(const std::string& kind) { co_await push({kind, "mail"}); }
