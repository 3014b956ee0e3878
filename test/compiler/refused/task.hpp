#pragma once

#include <coroutine>
#include <string>
#include <utility>
#include <vector>

/// The least that can be awaited: these files are only compiled.
struct task {
    struct promise_type {
        task get_return_object() { return {}; }
        std::suspend_never initial_suspend() noexcept { return {}; }
        std::suspend_never final_suspend() noexcept { return {}; }
        void return_void() {}
        void unhandled_exception() {}
    };
    bool await_ready() { return true; }
    void await_suspend(std::coroutine_handle<>) {}
    int await_resume() { return 0; }
};

task push(std::vector<std::string> kinds);
task push_numbers(std::vector<int> numbers);
