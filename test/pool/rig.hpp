#pragma once

#include "pool/resource_core.hpp"
#include "support/gate.hpp"
#include "support/log_capture.hpp"
#include "support/test_context.hpp"
#include <lifeguard/resource_pool.hpp>

#include <list>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

namespace lifeguard::test {

/// A resource that lives until it breaks.
struct machine {
    explicit machine(int n) : number(n) {}

    asio::awaitable<void> run() {
        co_await broken.pass();
        throw std::runtime_error("machine " + std::to_string(number) + " broke");
    }
    void crash() { broken.open(); }

    const int number;
    gate broken;
};

using machine_lease = lease<machine>;

/// A pool whose inside the tests may look at.
struct open_pool : resource_pool<machine> {
    using resource_pool::resource_pool;
    detail::resource_core& core() const { return *core_; }
};

/// "p" of `size` machines and `overflow`, as the conformance cases write it: pool 5/2.
resource_pool_options pool_of(unsigned size, unsigned overflow);

/// A pool of machines that runs. Machines have the numbers 1, 2, 3 ... in the order in which they
/// were started. The destructor stops the pool and fails the test when anything is left over.
struct rig {
    explicit rig(test_context& context, resource_pool_options options, bool runs = true);
    rig(const rig&) = delete;
    rig& operator=(const rig&) = delete;
    ~rig() noexcept(false); // what it settles may be cut

    void run();
    void stop();

    /// A lease, at once.
    machine_lease take() { return ctx.await(pool.checkout()); }
    std::vector<machine_lease> take(int n);
    /// Somebody who asks for one, and may have to wait.
    test_future<machine_lease> ask(checkout_options how = {});
    /// The same without waiting; empty: all are in use.
    machine_lease try_take() { return ctx.await(pool.try_checkout()); }
    void give(machine_lease& l);
    /// A leased machine breaks.
    void crash(const machine_lease& l);

    /// "ready 10 0 0": state, idle, overflow, leased, as in the cases.
    std::string status() const;
    std::size_t idle() const { return pool.status().idle; }
    /// Machines that are there or coming.
    std::size_t workers() const;
    std::vector<std::string> stops() const; ///< "3 shutdown(surplus)"

    /// The supervisor of the server and of the resources' supervisor.
    supervisor supervisor_of_the_run() const { return pool.core().current_supervisor().value(); }

    test_context& ctx;
    const std::shared_ptr<log_capture> log = std::make_shared<log_capture>();
    int fail_starts = 0;          ///< so many more starts fail
    std::atomic<int> started = 0; ///< machines, so far

    open_pool pool;
    std::optional<test_future<void>> running;

  private:
    resource_spec<machine> spec();

    mutable std::mutex mutex_;
    std::vector<std::string> stops_;
};

} // namespace lifeguard::test
