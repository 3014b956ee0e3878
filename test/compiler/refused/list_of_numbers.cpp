#include "task.hpp"

task user() { co_await push_numbers({1, 2}); }
