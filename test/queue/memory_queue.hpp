#pragma once

#include "conformance/queue_fixture.hpp"

namespace lifeguard::test {

inline store_under_test in_memory(memory_store_options options = {}) {
    return {"memory", [options] { return memory_store(options); }};
}

} // namespace lifeguard::test
