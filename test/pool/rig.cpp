#include "pool/rig.hpp"

namespace lifeguard::test {

resource_pool_options pool_of(unsigned size, unsigned overflow) {
    resource_pool_options options;
    options.name = "p";
    options.size = size;
    options.max_overflow = overflow;
    options.start_retry.jitter = 0;
    return options;
}

namespace {

resource_pool_options complete(resource_pool_options options, const rig& r) {
    options.time = r.ctx.time;
    options.log = r.log;
    return options;
}

} // namespace

rig::rig(test_context& context, resource_pool_options options, bool runs)
    : ctx(context), pool(ctx.executor(), complete(std::move(options), *this), spec()) {
    if (runs)
        run();
}

rig::~rig() noexcept(false) {
    if (ctx.is_cut())
        return;
    if (running && !running->ready())
        stop();
    const resource_pool_status left = pool.status();
    BOOST_TEST(left.leased == 0U);
    BOOST_TEST(left.waiting == 0U);
    BOOST_TEST(left.starting == 0U);
}

resource_spec<machine> rig::spec() {
    return resource_spec<machine>([this]() -> asio::awaitable<std::unique_ptr<machine>> {
               if (fail_starts > 0) {
                   --fail_starts;
                   throw std::runtime_error("no machine to be had");
               }
               co_return std::make_unique<machine>(++started);
           })
        .on_stop([this](machine& m, exit_reason why) -> asio::awaitable<void> {
            const std::lock_guard lock(mutex_);
            stops_.push_back(std::to_string(m.number) + " " + to_string(why));
            co_return;
        });
}

void rig::run() {
    running.emplace(ctx.spawn(pool.run()));
    ctx.settle();
}

void rig::stop() {
    auto stopping = ctx.spawn(pool.stop());
    ctx.settle();
    BOOST_TEST(stopping.ready());
    BOOST_TEST(running->ready());
}

std::vector<machine_lease> rig::take(int n) {
    std::vector<machine_lease> all;
    for (int i = 0; i < n; ++i)
        all.push_back(take());
    return all;
}

test_future<machine_lease> rig::ask(checkout_options how) {
    auto asked = ctx.spawn(pool.checkout(how));
    ctx.settle();
    return asked;
}

void rig::give(machine_lease& l) {
    l.checkin();
    ctx.settle();
}

void rig::crash(const machine_lease& l) {
    l->crash();
    ctx.settle();
}

std::string rig::status() const {
    const resource_pool_status s = pool.status();
    return std::string(name_of(s.state_now)) + " " + std::to_string(s.idle) + " " +
           std::to_string(s.overflow) + " " + std::to_string(s.leased);
}

std::size_t rig::workers() const {
    const resource_pool_status s = pool.status();
    return s.idle + s.leased + s.starting;
}

std::vector<std::string> rig::stops() const {
    const std::lock_guard lock(mutex_);
    return stops_;
}

} // namespace lifeguard::test
