#include "task.hpp"

task user() {
    std::vector<int> numbers{co_await push({}), 2};
    co_await push_numbers(std::move(numbers));
}
