// Supervisors, handles and contexts end in any order, at any moment: a scenario is cut after 0, 1,
// 2 ... handlers, until it has run to its end. Without a sanitizer these tests only show that
// nothing crashes or hangs, and that every coroutine frame is destroyed.
#include "supervision/puppet.hpp"
#include <lifeguard/shielded.hpp>

#include <boost/asio/co_spawn.hpp>

#include <atomic>
#include <optional>

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

BOOST_AUTO_TEST_SUITE(supervisor_lifetime)

namespace {

std::atomic<int> frames = 0;
std::atomic<bool> cut_off = false;

/// In a coroutine's frame: counts it, and calls the supervisor while it is destroyed, as users'
/// objects do.
struct resident {
    resident(supervisor in, child_context self) : sup(std::move(in)), context(std::move(self)) {
        ++frames;
    }
    resident(const resident&) = delete;
    resident& operator=(const resident&) = delete;
    ~resident() {
        --frames;
        context.ready();
        sup.figures();
        if (cut_off)
            sup.request_stop();
    }
    supervisor sup;
    child_context context;
};

struct cut_here {};

/// A program with a supervisor. Its members end in the order that `program` wants.
struct world {
    std::shared_ptr<manual_time_source> time = std::make_shared<manual_time_source>();
    std::vector<child_context> kept; ///< by the program, beyond everything else
    std::optional<asio::io_context> io{std::in_place, 1};
    std::optional<supervisor> sup;
    std::shared_ptr<detail::reply> crash = std::make_shared<detail::reply>();
    std::shared_ptr<detail::reply> never = std::make_shared<detail::reply>();
    bool done = false;

    world() {
        supervisor_options options = top_options();
        // Two steps, so that children may own the handle: a cycle that the library has to cut.
        sup.emplace(io->get_executor(), options, children());
    }

    supervisor_options top_options() const {
        supervisor_options options;
        options.time = time;
        options.intensity = 10;
        return options;
    }

    std::vector<child_spec> children() {
        child_spec ready("ready", [](child_context self) -> asio::awaitable<void> {
            self.ready(std::string("info"));
            co_await forever();
        });
        ready.waits_for_ready = true;
        ready.start_timeout = 1s;
        child_spec crashes("crashes", [wait = crash]() -> asio::awaitable<void> {
            co_await detail::reply::wait(wait);
            throw std::runtime_error("boom");
        });
        crashes.restart = restart_type::temporary;
        child_spec own("own", [this](child_context self) -> asio::awaitable<void> {
            kept.push_back(self);
            co_await sleep(time, 1h);
        });
        own.executor = io->get_executor();
        supervisor_options below = top_options();
        below.name = "below";
        return {ready, crashes, own, nested_supervisor(below, {ready, own})};
    }

    static child_spec clinger(const supervisor& top, std::string id) {
        child_spec spec(std::move(id), [top](child_context self) -> asio::awaitable<void> {
            const resident here(top, self);
            co_await forever();
        });
        return spec;
    }

    child_spec rock() {
        child_spec spec("rock", [this]() -> asio::awaitable<void> { co_await deaf(never); });
        spec.executor = io->get_executor();
        spec.restart = restart_type::temporary;
        return spec;
    }

    child_spec slow() {
        return child_spec("slow", [wait = time]() -> asio::awaitable<void> {
            auto busy = [wait]() -> asio::awaitable<void> { co_await sleep(wait, 2s); };
            co_await shielded(busy);
        });
    }

    /// Everything that may happen to a supervisor.
    asio::awaitable<void> direct(supervisor top) {
        for (const char* id : {"a", "b", "c"})
            co_await top.start_child(clinger(top, id));
        co_await top.start_child(rock());
        co_await top.start_child(slow());
        crash->arrive();
        co_await top.kill_child("a");
        co_await top.kill_child("below");
        co_await top.tree();
        co_await top.terminate_child("slow");
        co_await top.kill_child("rock");
        co_await sleep(time, 2s);
        co_await top.which_children();
        co_await top.terminate_child("b");
        co_await top.delete_child("b");
        co_await top.stop();
        done = true;
    }

    void begin() {
        asio::co_spawn(*io, sup->run(), [](const std::exception_ptr& e) {
            if (e)
                std::rethrow_exception(e);
        });
        asio::co_spawn(*io, direct(*sup), [](const std::exception_ptr& e) {
            if (e)
                std::rethrow_exception(e);
        });
    }

    /// Runs up to `handlers`; false when there was nothing more to run.
    bool run(int handlers) {
        for (int i = 0; i < handlers; ++i) {
            if (io->poll_one() != 0)
                continue;
            const auto next = time->next_alarm();
            if (!next)
                return false;
            time->advance_to(*next);
            io->restart();
        }
        return true;
    }
};

/// Cuts the scenario after every number of handlers; `end` takes the world apart.
template <typename End>
void cut_everywhere(End end) {
    bool complete = false;
    int cut = 0;
    for (; !complete; ++cut) {
        BOOST_TEST_CONTEXT("cut after " << cut << " handlers") {
            {
                world w;
                w.begin();
                complete = !w.run(cut);
                if (complete)
                    BOOST_TEST(w.done);
                cut_off = true;
                end(w);
            }
            cut_off = false;
            BOOST_REQUIRE_EQUAL(frames.load(), 0);
        }
        BOOST_REQUIRE_LT(cut, 5000);
    }
    BOOST_TEST(cut > 50);
}

} // namespace

BOOST_AUTO_TEST_CASE(handle_ends_before_the_context) {
    cut_everywhere([](world& w) {
        w.sup.reset();
        w.io.reset();
    });
}

BOOST_AUTO_TEST_CASE(context_ends_before_the_handle) {
    cut_everywhere([](world& w) {
        w.io.reset();
        w.sup->request_stop();
        w.sup->figures();
        w.sup.reset();
    });
}

BOOST_AUTO_TEST_CASE(handle_ends_and_the_rest_runs_on_without_it) {
    bool complete = false;
    for (int cut = 0; !complete; ++cut) {
        world w;
        w.begin();
        complete = !w.run(cut);
        w.sup.reset();
        w.run(5000);
        BOOST_REQUIRE(w.done);
    }
}

BOOST_AUTO_TEST_CASE(exception_leaves_the_run_loop) {
    for (const bool handle_first : {false, true})
        cut_everywhere([handle_first](world& w) {
            asio::post(*w.io, [] { throw cut_here(); });
            try {
                struct unwinding {
                    ~unwinding() {
                        if (first)
                            w.sup.reset();
                        w.io.reset();
                        w.sup.reset();
                    }
                    world& w;
                    bool first;
                } const at_the_end{w, handle_first};
                w.io->restart();
                w.io->run();
                BOOST_ERROR("nothing was thrown");
            } catch (const cut_here&) { // as a program would
            }
        });
}

BOOST_AUTO_TEST_CASE(exception_leaves_the_run_loop_and_the_loop_goes_on) {
    bool complete = false;
    for (int cut = 0; !complete; ++cut) {
        world w;
        w.begin();
        complete = !w.run(cut);
        asio::post(*w.io, [] { throw cut_here(); });
        w.io->restart();
        BOOST_CHECK_THROW(w.run(1000), cut_here);
        w.run(5000);
        BOOST_REQUIRE(w.done);
    }
}

BOOST_AUTO_TEST_CASE(supervisor_that_never_ran_leaks_nothing) {
    // Its child owns the handle.
    world w;
    const auto holder = std::make_shared<std::optional<supervisor>>();
    child_spec spec("a", [holder] { return forever(); });
    holder->emplace(w.io->get_executor(), w.top_options(), std::vector<child_spec>{spec});
}

BOOST_AUTO_TEST_CASE(caller_in_another_context_is_answered_when_the_supervisor_s_context_ends) {
    asio::io_context callers(1);
    std::optional<asio::io_context> io(std::in_place, 1);
    const auto time = std::make_shared<manual_time_source>();
    supervisor_options options;
    options.time = time;
    supervisor sup(io->get_executor(), options);
    std::exception_ptr thrown;
    asio::co_spawn(callers, sup.count_children(),
                   [&](const std::exception_ptr& e, child_counts) { thrown = e; });
    callers.poll();
    io.reset();
    callers.restart();
    callers.poll();
    BOOST_REQUIRE(thrown);
    BOOST_TEST(describe(thrown).find("supervisor") != std::string::npos);
    // And once more, when it is gone.
    thrown = nullptr;
    asio::co_spawn(callers, sup.count_children(),
                   [&](const std::exception_ptr& e, child_counts) { thrown = e; });
    callers.restart();
    callers.poll();
    BOOST_TEST(static_cast<bool>(thrown));
}

namespace {

/// A supervisor in one context, its child in another.
struct two_contexts {
    std::shared_ptr<manual_time_source> time = std::make_shared<manual_time_source>();
    std::optional<asio::io_context> far{std::in_place, 1};
    std::optional<asio::io_context> io{std::in_place, 1};
    std::optional<supervisor> sup;
    std::exception_ptr outcome;
    bool ended = false;
    int starts = 0;
    std::string seen;

    two_contexts() {
        supervisor_options options;
        options.time = time;
        child_spec spec("far", [this](child_context self) -> asio::awaitable<void> {
            const resident here(*sup, self);
            ++starts;
            try {
                co_await forever();
            } catch (const boost::system::system_error&) {
                seen = "cancelled";
            }
        });
        spec.executor = far->get_executor();
        sup.emplace(io->get_executor(), options, std::vector<child_spec>{spec});
        asio::co_spawn(*io, sup->run(), [this](const std::exception_ptr& e) {
            outcome = e;
            ended = true;
        });
        poll();
        BOOST_TEST(starts == 1);
    }

    void poll() {
        for (int i = 0; i < 10; ++i)
            for (auto* context : {&io, &far})
                if (*context) {
                    (*context)->restart();
                    (*context)->poll();
                }
    }
};

} // namespace

BOOST_AUTO_TEST_CASE(child_whose_context_ends_has_crashed_and_cannot_be_restarted) {
    two_contexts w;
    w.far.reset();
    BOOST_TEST(frames == 0);
    w.poll();
    BOOST_TEST(w.ended);
    BOOST_TEST(describe(w.outcome) == "exit_shutdown(intensity_exceeded)");
    BOOST_TEST(w.starts == 1);
}

BOOST_AUTO_TEST_CASE(child_elsewhere_is_cancelled_when_its_supervisor_s_context_ends) {
    two_contexts w;
    w.io.reset();
    w.poll();
    BOOST_TEST(w.seen == "cancelled");
    BOOST_TEST(frames == 0);
}

BOOST_AUTO_TEST_CASE(child_elsewhere_is_stopped_by_its_supervisor) {
    two_contexts w;
    w.sup->request_stop();
    w.poll();
    BOOST_TEST(w.seen == "cancelled");
    BOOST_TEST(w.ended);
    BOOST_TEST(!w.outcome);
}

BOOST_AUTO_TEST_CASE(children_end_when_the_coroutine_that_runs_them_is_destroyed) {
    asio::io_context io(1);
    const auto time = std::make_shared<manual_time_source>();
    supervisor_options options;
    options.time = time;
    const puppet a("a");
    supervisor sup(io.get_executor(), options, {a.spec()});
    {
        asio::io_context callers(1);
        asio::co_spawn(callers, sup.run(), [](const std::exception_ptr&) {});
        callers.poll();
        io.poll();
        BOOST_TEST(a.live() == 1);
    }
    io.restart();
    io.poll();
    BOOST_TEST(a.live() == 0);
    BOOST_TEST(a.starts() == 1);
}

BOOST_AUTO_TEST_CASE(caller_s_context_ends_before_the_answer) {
    asio::io_context io(1);
    const auto time = std::make_shared<manual_time_source>();
    supervisor_options options;
    options.time = time;
    const auto let_go = std::make_shared<detail::reply>();
    supervisor sup(io.get_executor(), options,
                   {child_spec("rock", [let_go] { return deaf(let_go); })});
    asio::co_spawn(io, sup.run(), [](const std::exception_ptr&) {});
    io.poll();
    {
        asio::io_context callers(1);
        asio::co_spawn(callers, sup.terminate_child("rock"), [](const std::exception_ptr&) {});
        callers.poll();
    }
    let_go->arrive();
    sup.request_stop();
    io.restart();
    io.poll();
}

BOOST_AUTO_TEST_SUITE_END()
