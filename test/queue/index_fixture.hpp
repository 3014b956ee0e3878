#pragma once

#include "store/job_index.hpp"

#include <boost/test/unit_test.hpp>

#include <array>
#include <deque>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

namespace lifeguard::test {

/// A few kinds and queues, and jobs made of them.
struct names {
    names() {
        for (std::size_t i = 0; i < kinds.size(); ++i) {
            kinds[i].name = "k" + std::to_string(i);
            kinds[i].index = i;
        }
        kinds[0].handlers = 1;
        for (std::size_t i = 0; i < queues.size(); ++i)
            queues[i].name = "q" + std::to_string(i);
    }

    std::unique_ptr<detail::job_record> job(job_id id, std::size_t queue = 0, std::size_t kind = 0,
                                            int priority = priority_default, std::int64_t due = 0) {
        auto record = std::make_unique<detail::job_record>();
        record->id = id;
        record->queue = &queues[queue];
        record->kind = &kinds[kind];
        record->priority = static_cast<std::uint8_t>(priority);
        record->due = due;
        return record;
    }

    std::array<detail::kind_entry, 3> kinds;
    std::array<detail::queue_entry, 3> queues;
};

} // namespace lifeguard::test
