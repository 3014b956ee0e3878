#include "task.hpp"

task user(const std::string& kind) { co_await push(std::vector<std::string>{kind, "mail"}); }
