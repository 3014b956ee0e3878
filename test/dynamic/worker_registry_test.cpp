#include "dynamic/worker_registry.hpp"
#include "support/seed.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <random>
#include <set>

using namespace lifeguard;
using namespace lifeguard::test;
using detail::worker_record;
using detail::worker_registry;
using mode = detail::worker_registry::put_mode;
using result = detail::worker_registry::put_result;

BOOST_AUTO_TEST_SUITE(worker_registry_rules)

namespace {

exit_reason because(std::string detail) {
    exit_reason why;
    why.what = exit_reason::kind::shutdown;
    why.detail = std::move(detail);
    return why;
}

/// A registry, and a note of what it wants done: "+a" start, "-a" stop, "=a" settled.
struct registry : detail::registry_actions {
    explicit registry(std::size_t max = 100) : workers(max) {}
    virtual ~registry() = default;

    std::shared_ptr<worker_record> make(const std::string& id, worker_spec spec) override {
        return std::make_shared<worker_record>(id, std::move(spec));
    }
    void start(worker_record& w) override { note("+" + w.id); }
    void stop(worker_record& w) override { note("-" + w.id); }
    void settled(worker_record& w) override { note("=" + w.id); }

    void note(const std::string& what) { notes += (notes.empty() ? "" : " ") + what; }
    std::string take() { return std::exchange(notes, {}); }

    result put(const std::string& id, json payload = json(), mode how = mode::replace) {
        return workers.put(id, worker_spec(std::move(payload)), how, *this);
    }
    bool del(const std::string& id) { return workers.del(id, because("deleted"), *this); }
    worker_record& at(const std::string& id) { return *workers.found(id); }
    bool began(const std::string& id) { return workers.began(at(id), *this); }
    void stopped(const std::string& id) { workers.stopped(at(id), *this); }
    void running(const std::string& id) {
        put(id);
        began(id);
        take();
    }
    bool has(const std::string& id) { return workers.find(id) != nullptr; }

    worker_registry workers;
    std::string notes;
};

} // namespace

BOOST_AUTO_TEST_CASE(worker_is_started_runs_and_goes) {
    registry r;
    BOOST_TEST((r.put("a", 1) == result::done));
    BOOST_TEST(r.take() == "+a");
    BOOST_TEST(r.has("a"));
    BOOST_TEST(r.began("a"));
    BOOST_TEST(r.take() == "=a");
    BOOST_TEST(r.began("a")); // restarted: nothing new
    BOOST_TEST(r.take() == "");
    BOOST_TEST(r.del("a"));
    BOOST_TEST(r.take() == "-a");
    BOOST_TEST(!r.has("a"));
    BOOST_TEST(!r.del("a"));
    BOOST_TEST(!r.began("a")); // a restart that crossed the order to end
    r.stopped("a");
    BOOST_TEST(r.take() == "=a");
    BOOST_TEST(r.workers.all().empty());
}

BOOST_AUTO_TEST_CASE(replacement_waits_for_the_end_of_the_old_one) {
    registry r;
    r.running("a");
    BOOST_TEST((r.put("a", 2) == result::done));
    BOOST_TEST(r.take() == "-a");
    BOOST_TEST(r.has("a"));
    BOOST_TEST(to_string(r.at("a").why) == "shutdown(replaced)");
    r.put("a", 3); // the last one counts
    BOOST_TEST(r.take() == "");
    r.stopped("a");
    BOOST_TEST(r.take() == "+a");
    BOOST_TEST(r.at("a").spec.payload == json(3));
    BOOST_TEST(r.began("a"));
    BOOST_TEST(r.take() == "=a");
}

BOOST_AUTO_TEST_CASE(replacement_that_is_deleted_never_runs) {
    registry r;
    r.running("a");
    r.put("a", 2);
    BOOST_TEST(r.del("a"));
    BOOST_TEST(!r.has("a"));
    r.take();
    r.stopped("a");
    BOOST_TEST(r.take() == "=a");
    BOOST_TEST(r.workers.all().empty());
}

BOOST_AUTO_TEST_CASE(worker_that_starts_is_ended_when_it_runs) {
    registry r;
    r.put("a", 1);
    BOOST_TEST(r.del("a"));
    BOOST_TEST(!r.has("a"));
    BOOST_TEST(r.take() == "+a"); // the supervisor may not know it yet
    BOOST_TEST(!r.began("a"));
    BOOST_TEST(r.take() == "-a");
    r.stopped("a");
    BOOST_TEST(r.workers.all().empty());
    r.take();

    r.put("b", 1);
    r.put("b", 2);
    BOOST_TEST(r.take() == "+b");
    BOOST_TEST(!r.began("b"));
    r.stopped("b");
    BOOST_TEST(r.take() == "-b +b");
    BOOST_TEST(r.at("b").spec.payload == json(2));
}

BOOST_AUTO_TEST_CASE(put_new_respects_whoever_is_there_or_comes) {
    registry r;
    r.put("a", 1);
    BOOST_TEST((r.put("a", 2, mode::only_new) == result::exists));
    r.began("a");
    BOOST_TEST((r.put("a", 2, mode::only_new) == result::exists));
    r.put("a", 3);
    BOOST_TEST((r.put("a", 4, mode::only_new) == result::exists));
    r.del("a");
    BOOST_TEST((r.put("a", 5, mode::only_new) == result::done)); // after one that is going
    r.stopped("a");
    BOOST_TEST(r.at("a").spec.payload == json(5));
}

BOOST_AUTO_TEST_CASE(limit_counts_those_that_end_but_not_a_move) {
    registry r(2);
    r.running("a");
    r.running("b");
    BOOST_TEST((r.put("c") == result::full));
    BOOST_TEST((r.put("a") == result::done)); // no more than before
    r.del("b");
    BOOST_TEST((r.put("c") == result::full));
    BOOST_TEST((r.put("c", 1, mode::move) == result::done));
}

BOOST_AUTO_TEST_CASE(least_busy_is_found_in_turn) {
    registry r;
    for (const char* id : {"a", "b", "c"})
        r.running(id);
    const auto take = [&](int n = 1) {
        std::string who;
        for (; n > 0; --n) {
            worker_record& w = *r.workers.least_busy();
            ++w.waiting;
            r.workers.load_changed(w);
            who += w.id;
        }
        return who;
    };
    BOOST_TEST(take(4) == "abca");
    worker_record& b = r.at("b");
    b.waiting = 0;
    r.workers.load_changed(b);
    BOOST_TEST(take() == "b");
    r.del("b");
    BOOST_TEST(take() == "c");
    r.put("d"); // has not begun: counts as busy
    BOOST_TEST(take() == "d");
}

BOOST_AUTO_TEST_CASE(clear_lets_everybody_go) {
    registry r;
    r.running("a");
    r.put("b");
    r.running("c");
    r.put("c");
    r.take();
    const auto gone = r.workers.clear(r);
    BOOST_TEST(r.take() == "=a =b =c");
    BOOST_TEST(gone.size() == 3U);
    BOOST_TEST(r.workers.all().empty());
    BOOST_TEST((r.workers.least_busy() == nullptr));
    for (const auto& w : gone) { // late news
        BOOST_TEST(!r.workers.began(*w, r));
        r.workers.stopped(*w, r);
        r.workers.lost(*w, r);
    }
    BOOST_TEST(r.take() == "");
}

namespace {

/// Children as a supervisor has them: an id at most once.
struct model final : registry {
    void start(worker_record& w) override {
        BOOST_REQUIRE(children.insert(w.id).second);
        coming.push_back(w.id);
    }
    void stop(worker_record& w) override {
        BOOST_REQUIRE(children.contains(w.id));
        BOOST_REQUIRE(std::ranges::find(coming, w.id) == coming.end());
        going.push_back(w.id);
    }

    std::set<std::string> children;
    std::vector<std::string> coming;
    std::vector<std::string> going;
};

template <typename Random>
std::string take_any(std::vector<std::string>& from, Random& random) {
    const auto at = from.begin() + static_cast<std::ptrdiff_t>(random() % from.size());
    std::string taken = *at;
    from.erase(at);
    return taken;
}

} // namespace

BOOST_AUTO_TEST_CASE(registry_agrees_with_what_was_asked_last) {
    const unsigned first = first_seed();
    BOOST_TEST_MESSAGE("LIFEGUARD_SEED=" << first);
    for (unsigned seed = first; seed < first + 50; ++seed) {
        BOOST_TEST_CONTEXT("LIFEGUARD_SEED=" << seed) {
            std::mt19937 random(seed);
            model m;
            std::map<std::string, int> wanted;
            for (int step = 0; step < 2000; ++step) {
                const std::string id(1, static_cast<char>('a' + random() % 4));
                switch (random() % 5) {
                case 0:
                    m.put(id, step);
                    wanted[id] = step;
                    break;
                case 1:
                    BOOST_REQUIRE_EQUAL(m.del(id), wanted.erase(id) == 1);
                    break;
                case 2:
                    if ((m.put(id, step, mode::only_new) == result::done) !=
                        wanted.emplace(id, step).second)
                        BOOST_FAIL("put_new of " << id);
                    break;
                case 3:
                    if (!m.coming.empty())
                        m.began(take_any(m.coming, random));
                    break;
                default:
                    if (!m.going.empty()) {
                        const std::string gone = take_any(m.going, random);
                        m.children.erase(gone);
                        m.stopped(gone);
                    }
                }
                for (const char c : {'a', 'b', 'c', 'd'})
                    BOOST_REQUIRE_EQUAL(m.has(std::string(1, c)),
                                        wanted.contains(std::string(1, c)));
            }
            while (!m.coming.empty() || !m.going.empty()) {
                if (!m.coming.empty())
                    m.began(take_any(m.coming, random));
                if (m.going.empty())
                    continue;
                const std::string gone = take_any(m.going, random);
                m.children.erase(gone);
                m.stopped(gone);
            }
            BOOST_REQUIRE_EQUAL(m.children.size(), wanted.size());
            for (const auto& [id, payload] : wanted) {
                BOOST_REQUIRE(m.children.contains(id));
                BOOST_REQUIRE(m.at(id).spec.payload == json(payload));
                BOOST_REQUIRE(m.at(id).is_settled());
            }
        }
    }
}

BOOST_AUTO_TEST_SUITE_END()
