// The index against a model that looks at every job each time.
#include "queue/index_fixture.hpp"
#include "queue/random.hpp"

#include <algorithm>
#include <map>
#include <set>

using namespace lifeguard;
using namespace lifeguard::detail;
using namespace lifeguard::test;

BOOST_AUTO_TEST_SUITE(job_index_model)

namespace {

constexpr retention keep{20, 10};

struct model_job {
    job_id id;
    std::size_t queue;
    std::size_t kind;
    int priority;
    std::uint64_t order;
    std::int64_t due;
    std::int64_t lease = -1; // none
    job_state state;
};

class world {
  public:
    explicit world(std::uint64_t seed) : random_(seed) {}

    void step() {
        switch (random_.below(10)) {
        case 0:
        case 1:
        case 2:
            return insert();
        case 3:
        case 4:
            return take_first();
        case 5:
            return with(job_state::executing, [&](model_job& m, job_record& job) {
                index_.give_back(job);
                m.state = job_state::available;
                m.lease = -1;
            });
        case 6:
            return with(job_state::executing, [&](model_job& m, job_record& job) {
                m.state = random_.one_in(2) ? job_state::scheduled : job_state::retryable;
                m.due = some_time();
                m.lease = -1;
                index_.postpone(job, m.state, m.due);
            });
        case 7:
            return finish();
        case 8:
            return random_.one_in(3) ? remove() : random_.one_in(2) ? take_by_id() : lease();
        default:
            return random_.one_in(4) ? let_time_pass() : lease();
        }
    }

    void check() {
        BOOST_TEST(index_.size() == jobs_.size());
        std::array<std::array<std::size_t, 7>, 3> counts{};
        std::array<std::size_t, 3> ready{};
        std::optional<std::int64_t> due, expiry;
        for (const auto& [id, m] : jobs_) {
            const job_record* job = index_.find(id);
            BOOST_TEST_REQUIRE(job != nullptr);
            BOOST_TEST((job->state == m.state));
            ++counts[m.queue][static_cast<std::size_t>(m.state)];
            ready[m.queue] += m.state == job_state::available ? 1 : 0;
            if (m.state == job_state::scheduled || m.state == job_state::retryable)
                due = std::min(due.value_or(m.due), m.due);
            if (m.lease >= 0)
                expiry = std::min(expiry.value_or(m.lease), m.lease);
        }
        for (std::size_t i = 0; i < 3; ++i) {
            BOOST_TEST((names_.queues[i].counts == counts[i]));
            BOOST_TEST(names_.queues[i].ready == ready[i]);
        }
        BOOST_TEST((index_.next_due() == due));
        BOOST_TEST((index_.next_expiry() == expiry));
    }

    std::size_t taken = 0;

  private:
    std::int64_t some_time() { return now_ + 1 + static_cast<std::int64_t>(random_.below(20)); }

    void insert() {
        model_job m;
        // Few ids, so that one that is gone comes back.
        m.id = job_id(random_.below(4), random_.below(2000));
        if (jobs_.contains(m.id)) {
            BOOST_TEST(index_.find(m.id) != nullptr);
            return;
        }
        m.queue = random_.below(3);
        m.kind = random_.below(3);
        m.priority = static_cast<int>(random_.below(10));
        m.order = ++order_;
        const bool later = random_.one_in(4);
        m.due = later ? some_time() : now_;
        m.state = later ? job_state::scheduled : job_state::available;
        index_.insert(names_.job(m.id, m.queue, m.kind, m.priority, m.due), now_);
        jobs_.emplace(m.id, m);
    }

    void take_first() {
        std::vector<std::size_t> chosen;
        std::vector<queue_entry*> queues;
        for (std::size_t n = 1 + random_.below(3); n != 0; --n) {
            const std::size_t queue = random_.below(3);
            if (std::ranges::find(chosen, queue) != chosen.end())
                continue;
            chosen.push_back(queue);
            queues.push_back(&names_.queues[queue]);
        }
        take_filter filter;
        std::vector<const kind_entry*> list;
        std::set<std::size_t> kinds{0, 1, 2};
        if (random_.one_in(3)) {
            filter.which = take_filter::kinds::handled;
            kinds = {0};
        } else if (random_.one_in(2)) {
            filter.which = take_filter::kinds::listed;
            kinds = {random_.below(3), random_.below(3)};
            for (const std::size_t kind : kinds)
                list.push_back(&names_.kinds[kind]);
            filter.list = list;
        }
        if (random_.one_in(4))
            filter.priority = static_cast<int>(random_.below(10));
        const bool strict = random_.one_in(3);

        const auto urgency = [&](const model_job& m) {
            const auto place = std::ranges::find(chosen, m.queue) - chosen.begin();
            return std::tuple(strict ? place : 0, m.priority, m.order);
        };
        model_job* expected = nullptr;
        for (auto& [_, m] : jobs_) {
            if (m.state != job_state::available || !kinds.contains(m.kind) ||
                std::ranges::find(chosen, m.queue) == chosen.end() ||
                (filter.priority >= 0 && m.priority != filter.priority))
                continue;
            if (expected == nullptr || urgency(m) < urgency(*expected))
                expected = &m;
        }
        const job_record* first = job_index::peek(queues, strict, filter);
        const job_record* job = index_.take(queues, strict, filter);
        BOOST_TEST(first == job);
        BOOST_TEST_REQUIRE((job == nullptr) == (expected == nullptr));
        if (job == nullptr)
            return;
        ++taken;
        BOOST_TEST((job->id == expected->id));
        expected->state = job_state::executing;
    }

    template <typename F>
    void with(job_state state, F f) {
        model_job* m = some([&](const model_job& j) { return j.state == state; });
        if (m != nullptr)
            f(*m, *index_.find(m->id));
    }

    template <typename F>
    model_job* some(F wanted) {
        std::vector<model_job*> all;
        for (auto& [_, m] : jobs_)
            if (wanted(m))
                all.push_back(&m);
        return all.empty() ? nullptr : all[random_.below(all.size())];
    }

    void finish() {
        model_job* m = some([](const model_job& j) { return !is_final(j.state); });
        if (m == nullptr)
            return;
        const job_state ends[] = {job_state::completed, job_state::cancelled, job_state::discarded};
        m->state = ends[random_.below(3)];
        m->lease = -1;
        index_.finish(*index_.find(m->id), m->state);
        const bool dead = m->state == job_state::discarded;
        auto& kept = dead ? discarded_ : finished_;
        kept.push_back(m->id);
        if (kept.size() > (dead ? keep.discarded_max : keep.finished_max)) {
            jobs_.erase(kept.front());
            BOOST_TEST(index_.find(kept.front()) == nullptr);
            kept.pop_front();
        }
    }

    void remove() {
        model_job* m = some([](const model_job&) { return true; });
        if (m == nullptr)
            return;
        const job_id id = m->id;
        index_.remove(*index_.find(id));
        BOOST_TEST(index_.find(id) == nullptr);
        std::erase(finished_, id);
        std::erase(discarded_, id);
        jobs_.erase(id);
    }

    void take_by_id() {
        model_job* m = some([](const model_job& j) {
            return (!is_final(j.state) && j.state != job_state::executing) ||
                   j.state == job_state::discarded;
        });
        if (m == nullptr)
            return;
        std::erase(discarded_, m->id);
        m->state = job_state::executing;
        index_.take(*index_.find(m->id));
    }

    void lease() {
        with(job_state::executing, [&](model_job& m, job_record& job) {
            if (m.lease >= 0 && random_.one_in(3)) {
                m.lease = -1;
                return index_.unwatch_lease(job);
            }
            m.lease = some_time();
            index_.watch_lease(job, m.lease);
        });
    }

    void let_time_pass() {
        now_ += static_cast<std::int64_t>(random_.below(10));
        while (job_record* job = index_.make_due(now_)) {
            model_job& m = jobs_.at(job->id);
            for (const auto& [_, other] : jobs_) // the longest due, the oldest of those
                if (other.state == job_state::scheduled || other.state == job_state::retryable)
                    BOOST_TEST((std::pair(other.due, other.order) >= std::pair(m.due, m.order)));
            BOOST_TEST(m.due <= now_);
            m.state = job_state::available;
            m.order = ++order_;
        }
        while (job_record* job = index_.expired(now_)) {
            model_job& m = jobs_.at(job->id);
            BOOST_TEST(m.lease >= 0);
            BOOST_TEST(m.lease <= now_);
            m.lease = -1;
            m.state = job_state::available;
            index_.give_back(*job);
        }
    }

    random_numbers random_;
    names names_; // outlives the index
    job_index index_{keep};
    std::map<job_id, model_job> jobs_;
    std::deque<job_id> finished_;
    std::deque<job_id> discarded_;
    std::uint64_t order_ = 0;
    std::int64_t now_ = 100;
};

} // namespace

BOOST_AUTO_TEST_CASE(it_does_what_the_model_does) {
    const std::uint64_t seed = test_seed();
    BOOST_TEST_CONTEXT("LIFEGUARD_SEED=" << seed) {
        world w(seed);
        for (int i = 0; i < 20'000; ++i) {
            w.step();
            if (i % 16 == 0)
                w.check();
        }
        BOOST_TEST(w.taken > 1000u);
    }
}

BOOST_AUTO_TEST_SUITE_END()
