#include "dynamic/rig.hpp"

namespace lifeguard {

std::ostream& boost_test_print_type(std::ostream& out, manager_state s) {
    return out << name_of(s);
}

namespace test {

rig::rig(test_context& context) : ctx(context) {
    options.name = "w";
    options.time = ctx.time;
    options.log = log;
}

rig::~rig() noexcept(false) {
    if (ctx.is_cut())
        return;
    if (running && !running->ready())
        stop();
    BOOST_TEST(workers->ids().empty());
    BOOST_TEST(workers->state().now == manager_state::unknown);
}

void rig::make() { workers.emplace(ctx.executor(), options, behaviour); }

void rig::run() {
    if (!workers)
        make();
    running.emplace(ctx.spawn(workers->run()));
    ctx.settle();
}

void rig::stop() {
    auto stopping = ctx.spawn(workers->stop());
    ctx.settle();
    BOOST_TEST(stopping.ready());
    BOOST_TEST(running->ready());
}

void rig::put(const std::string& id, json payload) {
    ctx.await(workers->put(id, std::move(payload)));
}

void rig::put(const std::string& id, json payload, worker_rhythm rhythm) {
    ctx.await(workers->put(id, std::move(payload), rhythm));
}

bool rig::del(const std::string& id) { return ctx.await(workers->del(id)); }

json rig::call(const std::string& id, json message) {
    return ctx.await(workers->call(id, std::move(message)));
}

errc rig::call_error(const std::string& id, json message) {
    try {
        call(id, std::move(message));
    } catch (const error& e) {
        return static_cast<errc>(e.code().value());
    }
    return errc{};
}

errc rig::cast_error(const std::string& id, json message) {
    try {
        workers->cast(id, std::move(message));
    } catch (const error& e) {
        return static_cast<errc>(e.code().value());
    }
    return errc{};
}

namespace {

template <typename Show>
std::string listed(const open_workers& workers, Show show) {
    std::string text;
    const dynamic_workers_state state = workers.state();
    for (const auto& [id, info] : state.workers)
        text += (text.empty() ? "" : " ") + id + show(info);
    return text;
}

} // namespace

std::string rig::values() const {
    return listed(*workers, [](const worker_info& i) {
        return "=" + (i.value.is_null() ? "-" : i.value.dump());
    });
}

std::string rig::payloads() const {
    return listed(*workers, [](const worker_info& i) { return "=" + i.payload.dump(); });
}

std::string rig::incarnations() const {
    return listed(*workers,
                  [](const worker_info& i) { return "#" + std::to_string(i.incarnation); });
}

std::string rig::outcome() const {
    return running->exception() ? describe(running->exception()) : "returned";
}

} // namespace test
} // namespace lifeguard
