#pragma once

#include "dynamic/dynamic_core.hpp"
#include "supervision/puppet.hpp"
#include "support/gate.hpp"
#include "support/log_capture.hpp"
#include "support/test_context.hpp"
#include <lifeguard/dynamic_workers.hpp>

#include <atomic>
#include <memory>
#include <optional>
#include <string>

// The words of the conformance cases in this library: a manager is a `dynamic_workers`, a worker's
// timeout is `worker_rhythm::interval`, instant_perform is `first_perform` (true: zero, n: n ms,
// false: empty), synch_call is `call`, asynch_call is `cast`, "the child map" is `state().workers`,
// "the next interval = n" is `worker_outcome::every(n)`.
namespace lifeguard::test {

/// A manager whose inside the tests may look at.
struct open_workers : dynamic_workers {
    using dynamic_workers::dynamic_workers;
    detail::dynamic_core& core() const { return *core_; }
};

/// A manager on manual time. Set up `behaviour` and `options`, then `run`. The destructor stops it
/// and fails the test when anything is left over.
struct rig {
    explicit rig(test_context& context);
    rig(const rig&) = delete;
    rig& operator=(const rig&) = delete;
    ~rig() noexcept(false); // what it settles may be cut

    /// Makes the manager and runs it.
    void run();
    void make();
    void stop();

    void put(const std::string& id, json payload = json());
    void put(const std::string& id, json payload, worker_rhythm rhythm);
    bool del(const std::string& id);
    json call(const std::string& id, json message);
    errc call_error(const std::string& id, json message);
    errc cast_error(const std::string& id, json message);

    /// The ids and what they have, "a=1 b=2"; a worker without a visible value: "a=-".
    std::string values() const;
    std::string payloads() const;
    /// "a#1 b#2": the ids and their incarnations.
    std::string incarnations() const;
    manager_state now() const { return workers->state().now; }
    /// How `run` has ended.
    std::string outcome() const;

    test_context& ctx;
    journal notes;
    const std::shared_ptr<log_capture> log = std::make_shared<log_capture>();
    dynamic_workers_options options;
    worker_behaviour behaviour;
    std::optional<open_workers> workers;
    std::optional<test_future<void>> running;
};

/// `every` ms, nothing else.
inline worker_rhythm each(std::chrono::milliseconds every) { return {.interval = every}; }

} // namespace lifeguard::test
