// Names that running children hold.
#include "supervision/puppet.hpp"
#include <lifeguard/name_registry.hpp>

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

BOOST_AUTO_TEST_SUITE(names)

namespace {

supervisor_options with_names(test_context& ctx, std::shared_ptr<name_registry> names) {
    supervisor_options options = flags(ctx, 5);
    options.names = std::move(names);
    return options;
}

/// A child whose info is the number of its start.
child_spec numbered(const puppet& p, std::string name) {
    child_spec spec = p.spec();
    spec.start = [first = spec.start](const child_context& self) {
        child_body body = first(self);
        body.info() = self.incarnation();
        return body;
    };
    spec.registered_name = std::move(name);
    return spec;
}

/// "id incarnation info", "nobody".
std::string who(const name_registry& names, const std::string& name) {
    const auto found = names.whereis(name);
    if (!found)
        return "nobody";
    std::string text = found->id + " " + std::to_string(found->incarnation);
    if (const auto* info = std::any_cast<unsigned>(&found->info))
        text += " " + std::to_string(*info);
    return text;
}

} // namespace

LIFEGUARD_TEST(SUP_25_name_follows_the_incarnations_of_a_child) {
    const auto names = std::make_shared<name_registry>();
    const puppet a("a");
    supervisor_options below = with_names(ctx, names);
    below.name = "sub";
    child_spec sub = nested_supervisor(below, {numbered(a, "the a")});
    sub.registered_name = "the sub";
    supervisor top(ctx.executor(), with_names(ctx, names), {sub});
    const auto run = ctx.spawn(top.run());
    ctx.settle();
    BOOST_TEST(who(*names, "the sub") == "sub 1");
    BOOST_TEST(who(*names, "the a") == "a 1 1");
    BOOST_TEST(names->whereis("the a")->supervisor == "sub");

    a.crashes();
    ctx.settle();
    BOOST_TEST(who(*names, "the a") == "a 2 2");
    a.returns();
    ctx.settle();
    BOOST_TEST(who(*names, "the a") == "a 3 3");
    BOOST_TEST(who(*names, "the sub") == "sub 1");

    ctx.await(top.stop());
    BOOST_TEST(who(*names, "the a") == "nobody");
    BOOST_TEST(who(*names, "the sub") == "nobody");
}

LIFEGUARD_TEST(SUP_25_name_is_free_while_its_child_does_not_run) {
    const auto names = std::make_shared<name_registry>();
    const puppet a("a");
    supervisor sup(ctx.executor(), with_names(ctx, names), {numbered(a, "the a")});
    std::vector<std::string> seen;
    const auto watch = sup.subscribe([&](const supervisor_event& e) {
        if (e.what == supervisor_event::kind::child_exited ||
            e.what == supervisor_event::kind::child_started)
            seen.push_back(who(*names, "the a"));
    });
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    ctx.await(sup.kill_child("a"));
    ctx.settle();
    ctx.await(sup.terminate_child("a"));
    BOOST_TEST(who(*names, "the a") == "nobody");
    ctx.await(sup.restart_child("a"));
    BOOST_TEST(who(*names, "the a") == "a 3 3");
    const std::vector<std::string> expected{"a 1 1", "nobody", "a 2 2", "nobody", "a 3 3"};
    BOOST_TEST(seen == expected, boost::test_tools::per_element());
    ctx.await(sup.stop());
}

LIFEGUARD_TEST(abandoned_child_has_lost_its_name) {
    const auto names = std::make_shared<name_registry>();
    const immovable rock;
    child_spec spec = rock.spec(shutdown_policy::brutal());
    spec.registered_name = "rock";
    supervisor sup(ctx.executor(), with_names(ctx, names), {spec});
    const auto run = ctx.spawn(sup.run());
    ctx.settle();
    ctx.await(sup.kill_child("rock"));
    ctx.advance(1s);
    BOOST_TEST(who(*names, "rock") == "rock 2");
    BOOST_TEST(sup.figures().abandoned_live == 1U);
    sup.request_stop();
    ctx.advance(1s);
    BOOST_TEST(run.ready());
    BOOST_TEST(who(*names, "rock") == "nobody");
    rock.let_go->arrive();
    ctx.settle();
}

LIFEGUARD_TEST(name_that_is_taken_fails_the_start) {
    const auto names = std::make_shared<name_registry>();
    const puppet a("a"), b("b");
    supervisor sup(ctx.executor(), with_names(ctx, names), {numbered(a, "x")});
    const auto run = ctx.spawn(sup.run());
    BOOST_TEST(error_of(ctx, sup.start_child(numbered(b, "x"))) == "start_failed");
    BOOST_TEST(who(*names, "x") == "a 1 1");
    BOOST_TEST(b.starts() == 0);
    ctx.await(sup.stop());
}

LIFEGUARD_TEST(name_without_a_registry_is_refused) {
    try {
        const supervisor sup(ctx.executor(), flags(ctx), {numbered(puppet("a"), "x")});
        BOOST_ERROR("accepted");
    } catch (const error& e) {
        BOOST_TEST(e.detail() == "supervisor 'top', child 'a': "
                                 "registered_name is set, but the supervisor has no names");
    }
}

BOOST_AUTO_TEST_SUITE_END()
