// Child specs and supervisor options: defaults, what is refused, what is read back.
#include "supervision/puppet.hpp"

#include <climits>

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

BOOST_AUTO_TEST_SUITE(spec)

namespace {

/// The error of a supervisor's constructor: "code: text".
std::string refusal(test_context& ctx, supervisor_options options,
                    std::vector<child_spec> children = {}) {
    try {
        const supervisor sup(ctx.executor(), std::move(options), std::move(children));
    } catch (const error& e) {
        return std::string(name_of(static_cast<errc>(e.code().value()))) + ": " + e.detail();
    }
    return {};
}

/// The same of a child, in the initial list and added at run time, which must not differ.
std::string refusal_of(test_context& ctx, const child_spec& spec) {
    const std::string at_first = refusal(ctx, flags(ctx), {spec});
    supervisor sup(ctx.executor(), flags(ctx));
    const auto run = ctx.spawn(sup.run());
    std::string later;
    try {
        ctx.await(sup.start_child(spec));
    } catch (const error& e) {
        later = std::string(name_of(static_cast<errc>(e.code().value()))) + ": " + e.detail();
    }
    BOOST_TEST(at_first == later);
    ctx.await(sup.stop());
    return at_first;
}

template <typename Change>
std::string refusal_with(test_context& ctx, Change change) {
    supervisor_options options = flags(ctx);
    change(options);
    return refusal(ctx, options);
}

child_spec waits(std::string id) {
    return child_spec(std::move(id), [] { return forever(); });
}

} // namespace

LIFEGUARD_TEST(SUP_12_specs_are_read_back_with_their_defaults) {
    child_spec b = waits("b");
    b.shutdown = shutdown_policy::brutal();
    child_spec c = waits("c");
    c.type = child_type::supervisor;
    supervisor sup(ctx.executor(), flags(ctx), {waits("a"), b, c});
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    const auto spec_a = ctx.await(sup.get_childspec("a"));
    BOOST_CHECK(spec_a.restart == restart_type::permanent);
    BOOST_CHECK(spec_a.shutdown == shutdown_policy::after(5000ms));
    BOOST_CHECK(spec_a.type == child_type::worker);
    BOOST_TEST(!spec_a.significant);
    const auto spec_b = ctx.await(sup.get_childspec("b"));
    BOOST_CHECK(spec_b.restart == restart_type::permanent);
    BOOST_CHECK(spec_b.shutdown == shutdown_policy::brutal());
    BOOST_CHECK(spec_b.type == child_type::worker);
    const auto spec_c = ctx.await(sup.get_childspec("c"));
    BOOST_CHECK(spec_c.restart == restart_type::permanent);
    BOOST_CHECK(spec_c.shutdown == shutdown_policy::infinity());
    BOOST_CHECK(spec_c.type == child_type::supervisor);
    BOOST_TEST(error_of(ctx, sup.get_childspec("d")) == "not_found");
    ctx.await(sup.terminate_child("a"));
    ctx.await(sup.delete_child("a"));
    ctx.await(sup.start_child(spec_a)); // what was read back can be used
    ctx.await(sup.stop());
}

LIFEGUARD_TEST(SUP_14_specs_without_id_or_start_are_refused) {
    BOOST_TEST(refusal_of(ctx, waits("")) ==
               "invalid_option: supervisor 'top', child '': id is empty");
    const std::string no_start = "invalid_option: supervisor 'top', child 'a': start is empty";
    BOOST_TEST(refusal_of(ctx, child_spec("a", start_function())) == no_start);
    BOOST_TEST(refusal_of(ctx, child_spec("a", std::function<asio::awaitable<void>()>())) ==
               no_start);
    asio::awaitable<void> (*none)() = nullptr;
    BOOST_TEST(refusal_of(ctx, child_spec("a", none)) == no_start);
}

LIFEGUARD_TEST(SUP_15_fields_out_of_range_are_refused_by_name_and_value) {
    const std::string of_a = "invalid_option: supervisor 'top', child 'a': ";
    child_spec restart = waits("a");
    restart.restart = static_cast<restart_type>(7);
    BOOST_TEST(refusal_of(ctx, restart) ==
               of_a + "restart is 7, must be permanent, transient or temporary");
    child_spec shutdown = waits("a");
    shutdown.shutdown = shutdown_policy::after(-10ms);
    BOOST_TEST(refusal_of(ctx, shutdown) == of_a + "shutdown is -10 ms, must be not negative");
    child_spec type = waits("a");
    type.type = static_cast<child_type>(-1);
    BOOST_TEST(refusal_of(ctx, type) == of_a + "type is -1, must be worker or supervisor");
    child_spec timeout = waits("a");
    timeout.start_timeout = -1s;
    BOOST_TEST(refusal_of(ctx, timeout) ==
               of_a + "start_timeout is -1000 ms, must be not negative");
}

LIFEGUARD_TEST(SUP_15_all_valid_combinations_are_accepted) {
    for (const auto restart :
         {restart_type::permanent, restart_type::transient, restart_type::temporary})
        for (const auto shutdown : {shutdown_policy::after(0ms), shutdown_policy::after(1000ms),
                                    shutdown_policy::infinity(), shutdown_policy::brutal()})
            for (const auto type : {child_type::worker, child_type::supervisor}) {
                child_spec spec = waits("a");
                spec.restart = restart;
                spec.shutdown = shutdown;
                spec.type = type;
                BOOST_TEST(refusal_of(ctx, spec) == "");
            }
}

LIFEGUARD_TEST(SUP_16_significant_children_need_auto_shutdown) {
    child_spec spec = waits("a");
    spec.restart = restart_type::transient;
    spec.significant = true;
    BOOST_TEST(refusal_of(ctx, spec) == "invalid_option: supervisor 'top', child 'a': "
                                        "significant is true, but auto_shutdown is never");
}

LIFEGUARD_TEST(SUP_16_significant_children_are_not_permanent) {
    for (const auto when : {auto_shutdown::any_significant, auto_shutdown::all_significant}) {
        supervisor_options options = flags(ctx);
        options.auto_shutdown = when;
        child_spec spec = waits("a");
        spec.significant = true;
        BOOST_TEST(refusal(ctx, options, {spec}) ==
                   "invalid_option: supervisor 'top', child 'a': "
                   "significant is true, but restart is permanent");
        for (const auto type : {restart_type::transient, restart_type::temporary}) {
            spec.restart = type;
            BOOST_TEST(refusal(ctx, options, {spec}) == "");
        }
    }
}

LIFEGUARD_TEST(SUP_17_flags_out_of_range_are_refused) {
    using options = supervisor_options;
    const auto field = [](const std::string& text) {
        return text.substr(0, text.find(" is ", text.find("': ")));
    };
    const std::string top = "invalid_option: supervisor 'top': ";
    BOOST_TEST(field(refusal_with(ctx, [](options& o) {
                   o.strategy = static_cast<strategy>(9);
               })) == top + "strategy");
    // What a negative and an infinite intensity look like in an unsigned.
    BOOST_TEST(field(refusal_with(ctx, [](options& o) {
                   o.intensity = static_cast<unsigned>(-1);
               })) == top + "intensity");
    BOOST_TEST(field(refusal_with(ctx, [](options& o) {
                   o.intensity = static_cast<unsigned>(-10);
               })) == top + "intensity");
    BOOST_TEST(field(refusal_with(ctx, [](options& o) { o.period = 0s; })) == top + "period");
    BOOST_TEST(field(refusal_with(ctx, [](options& o) { o.period = -1s; })) == top + "period");
    BOOST_TEST(field(refusal_with(ctx, [](options& o) { o.period = duration::max(); })) ==
               top + "period");
    BOOST_TEST(field(refusal_with(ctx, [](options& o) { o.kill_grace = -1s; })) ==
               top + "kill_grace");
    BOOST_TEST(field(refusal_with(ctx, [](options& o) {
                   o.auto_shutdown = static_cast<auto_shutdown>(3);
               })) == top + "auto_shutdown");
    BOOST_TEST(refusal_with(ctx, [](options& o) { o.name.clear(); }) ==
               "invalid_option: supervisor '': name is empty");
    BOOST_TEST(refusal_with(ctx, [](options& o) { o.intensity = 0; }) == "");
    BOOST_TEST(refusal_with(ctx, [](options& o) { o.intensity = INT_MAX; }) == "");
}

LIFEGUARD_TEST(SUP_18_two_specs_with_one_id_are_refused) {
    const puppet a("a");
    BOOST_TEST(refusal(ctx, flags(ctx), {a.spec(), waits("b"), a.spec()}) ==
               "duplicate_id: supervisor 'top', child 'a'");
    BOOST_TEST(a.starts() == 0);
}

LIFEGUARD_TEST(SUP_19_default_flags_are_otp_s) {
    const supervisor_options o;
    BOOST_CHECK(o.strategy == strategy::one_for_one);
    BOOST_TEST(o.intensity == 1U);
    BOOST_CHECK(o.period == 5s);
    BOOST_CHECK(o.auto_shutdown == auto_shutdown::never);
    BOOST_CHECK(o.kill_grace == 1s);
    BOOST_TEST(o.abandoned_max == 64U);
}

LIFEGUARD_TEST(SUP_07_invalid_configuration_calls_no_start_function) {
    const puppet a("a");
    child_spec bad = waits("b");
    bad.shutdown = shutdown_policy::after(-1ms);
    BOOST_TEST(refusal(ctx, flags(ctx), {a.spec(), bad}).starts_with("invalid_option"));
    BOOST_CHECK_THROW(nested_supervisor(flags(ctx), {bad}), error);
    ctx.settle();
    BOOST_TEST(a.starts() == 0);
}

// Our supervisors have no init callback: the start function of a nested one is its init.
LIFEGUARD_TEST(SUP_07_init_that_throws_fails_the_start_and_leaves_nothing_behind) {
    const puppet before("before"), inner("inner");
    child_spec sub("sub", [&](const child_context& self) {
        const supervisor never(self.executor(), flags(ctx), {inner.spec()});
        throw std::runtime_error("no configuration");
        return never;
    });
    sub.type = child_type::supervisor;
    supervisor sup(ctx.executor(), flags(ctx), {before.spec(), sub});
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    BOOST_TEST(outcome(run).find("child 'sub': no configuration") != std::string::npos);
    BOOST_TEST(inner.starts() == 0);
    BOOST_TEST(before.live() == 0);
}

LIFEGUARD_TEST(shutdown_of_any_length_is_representable) {
    BOOST_TEST(shutdown_policy::after(std::chrono::milliseconds::max()).is_infinite());
    BOOST_TEST(!shutdown_policy::after(std::chrono::milliseconds::min()).is_valid());
    BOOST_TEST(!shutdown_policy::after(-1ms).is_valid());
    BOOST_TEST(shutdown_policy::brutal().is_valid());
    BOOST_TEST(!shutdown_policy::brutal().is_infinite());
    // So long that its end is beyond the clock.
    child_spec spec = waits("a");
    spec.shutdown = shutdown_policy::after(
        std::chrono::duration_cast<std::chrono::milliseconds>(duration::max()));
    supervisor sup(ctx.executor(), flags(ctx), {spec});
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    ctx.await(sup.stop());
    BOOST_TEST(outcome(run) == "returned");
}

BOOST_AUTO_TEST_SUITE_END()
