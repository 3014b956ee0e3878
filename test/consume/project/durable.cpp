// A program of somebody else that links the SQLite store: options may name it then.
#include <lifeguard/engine.hpp>

#include <cstdio>

int main() {
    const auto options =
        lifeguard::parse_options(R"({"store": {"type": "sqlite", "path": "jobs.db"}})");
    std::printf("the SQLite store is %s\n", options.make_store ? "linked" : "missing");
    return options.make_store ? 0 : 1;
}
