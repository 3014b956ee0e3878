// The safe spelling, which every compiler accepts.
#include "task.hpp"

task user(const std::string& kind) {
    std::vector<std::string> kinds{kind, "mail"};
    co_await push(std::move(kinds));
}
