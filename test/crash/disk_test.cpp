// A disk that fills up, fails, or stops in the middle of a migration; and what is synced when.
#include "crash/power_disk.hpp"
#include "crash/power_load.hpp"
#include "store/file_fixture.hpp"
#include "store/sqlite/schema.hpp"
#include "support/seed.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <mutex>
#include <optional>

using namespace lifeguard;
using namespace lifeguard::test;
using namespace std::chrono_literals;
using call = power_disk::call;
using detail::migration;

BOOST_AUTO_TEST_SUITE(disk)

namespace {

/// What has happened, in its order: SQLite's calls on one thread, answers on another.
class sequence {
  public:
    explicit sequence(power_disk& disk) {
        disk.watch([this](const call& c) { note(c); });
    }
    void answered(int number) {
        const std::lock_guard lock(mutex_);
        pushes_[number].answered = ++clock_;
    }

    struct push {
        int written = 0; ///< its row, in the log
        int commit = 0;  ///< the first end of a transaction after that
        int synced = 0;  ///< the first sync of the log after that
        int answered = 0;
    };
    const std::map<int, push>& pushes() const { return pushes_; }

    static std::string mark(int number) { return "mark<" + std::to_string(number) + ">"; }

  private:
    void note(const call& c) {
        if (!c.path.ends_with("-wal"))
            return;
        const std::lock_guard lock(mutex_);
        ++clock_;
        if (c.what == call::kind::sync) {
            for (auto& [n, p] : pushes_)
                if (p.commit != 0 && p.synced == 0)
                    p.synced = clock_;
        } else if (c.what == call::kind::write && c.bytes.size() == 24) {
            // The header of a frame: the last one of a transaction says how long the file is.
            committing_ = c.bytes.substr(4, 4) != std::string_view("\0\0\0\0", 4);
        } else if (c.what == call::kind::write) {
            note_page(c.bytes);
        }
    }
    void note_page(std::string_view page) {
        for (auto at = page.find("mark<"); at != std::string_view::npos;
             at = page.find("mark<", at + 1)) {
            push& p = pushes_[std::stoi(std::string(page.substr(at + 5, 8)))];
            if (p.written == 0)
                p.written = clock_;
        }
        if (!committing_)
            return;
        for (auto& [n, p] : pushes_)
            if (p.written != 0 && p.commit == 0)
                p.commit = clock_;
    }

    std::mutex mutex_;
    int clock_ = 0;
    bool committing_ = false;
    std::map<int, push> pushes_;
};

} // namespace

// By a file system of SQLite's rather than strace: what is traced is what SQLite asks for, and the
// answers are in the same order of events.
BOOST_AUTO_TEST_CASE(CRASH_07_between_the_last_write_of_a_commit_and_its_answers_is_a_sync) {
    power_disk disk;
    sequence events(disk);
    test_context ctx;
    queue_fixture q(ctx, in_file(new_database()));
    int next = 0;
    const auto client = [&]() -> asio::awaitable<void> {
        while (next < 1000) {
            const int mine = next++;
            co_await q.queue.push(new_job("k", json(sequence::mark(mine))));
            events.answered(mine);
        }
    };
    std::vector<test_future<void>> clients;
    for (int i = 0; i < 16; ++i)
        clients.push_back(ctx.spawn(client()));
    ctx.settle();
    BOOST_TEST_REQUIRE(events.pushes().size() == 1000u);
    const auto is_wrong = [](const auto& entry) {
        const sequence::push& p = entry.second;
        return p.written == 0 || p.commit < p.written || p.synced <= p.commit ||
               p.answered <= p.synced;
    };
    const auto wrong = std::ranges::find_if(events.pushes(), is_wrong);
    if (wrong != events.pushes().end())
        BOOST_ERROR("push " << wrong->first << " was written at " << wrong->second.written
                            << ", committed at " << wrong->second.commit << ", synced at "
                            << wrong->second.synced << ", answered at " << wrong->second.answered);
}

namespace {

/// Opens what a cut has left, and compares with what was answered.
void check_after_cut(std::optional<power_disk>& disk, const std::string& path, history& past) {
    const std::string left = new_database_file();
    disk->restore(path, left); // without its ledger: no attempt is charged
    disk.reset();
    test_context ctx;
    sqlite_store_options file;
    file.path = left;
    file.check = store_check::full;
    queue_fixture q(ctx, in_file(file));
    const auto found = past.check(q.queue, false);
    for (const std::string& fault : found.faults)
        BOOST_ERROR(fault);
}

void run_clients(test_context& ctx, power_load& load, int clients, int calls) {
    std::vector<test_future<void>> all;
    for (int i = 0; i < clients; ++i)
        all.push_back(ctx.spawn(load.client(calls)));
    ctx.settle();
    for (auto& c : all)
        c.get();
}

/// Moves the log into the file, unless that fails.
void checkpoint(const std::string& path) {
    detail::database db(path);
    db.checkpoint(false);
}

power_load::disk failing() { return power_load::disk::failing; }

constexpr std::uint64_t boundless = std::numeric_limits<std::uint64_t>::max();

} // namespace

BOOST_AUTO_TEST_CASE(CRASH_08_on_a_disk_that_fills_up_the_engine_goes_on) {
    const unsigned seed = first_seed();
    BOOST_TEST_MESSAGE("LIFEGUARD_SEED=" << seed);
    std::mt19937 random(seed);
    std::optional<power_disk> disk(std::in_place);
    const auto file = new_database();
    history past;
    {
        test_context ctx;
        queue_fixture q(ctx, in_file(file));
        power_load load(q.queue, past, random, {}, failing);
        run_clients(ctx, load, 8, 20);
        BOOST_TEST(load.failures() < 10u); // removals of jobs that were taken meanwhile
        disk->limit_size(disk->size() + 20'000);
        run_clients(ctx, load, 8, 40);
        const std::size_t failures = load.failures();
        BOOST_TEST(failures > 10u);
        const new_job big = new_job::from_text("k", "\"" + std::string(50'000, 'x') + "\"");
        BOOST_TEST((q.refused(big).code == errc::store_full));
        disk->limit_size(boundless);
        run_clients(ctx, load, 8, 20);
        BOOST_TEST(load.failures() < failures + 10);
        BOOST_TEST(load.faults() == std::vector<std::string>(), boost::test_tools::per_element());
        disk->cut(tear::none, random);
    }
    check_after_cut(disk, file.path, past);
}

namespace {

/// A load during which one call fails, and a power cut after it.
void fail_one(call::kind what, std::uint64_t n, int result, unsigned seed, std::size_t& failures) {
    std::mt19937 random(seed);
    std::optional<power_disk> disk(std::in_place);
    const auto file = new_database();
    history past;
    const auto work = [&] {
        test_context ctx;
        queue_fixture q(ctx, in_file(file));
        BOOST_TEST(shell(file.path).ask("PRAGMA journal_mode") == "wal"); // or it was refused
        power_load load(q.queue, past, random, {}, failing);
        run_clients(ctx, load, 4, 10);
        checkpoint(file.path); // as a log does that has become long
        run_clients(ctx, load, 4, 10);
        disk->fail(what, boundless, result);
        new_job job("k");
        job.id = job_id(1, n);
        const auto number = past.asked(job.id, "live 0 []");
        q.push(job); // without a restart
        past.stored(job.id, number);
        failures += load.failures();
        BOOST_TEST(load.faults() == std::vector<std::string>(), boost::test_tools::per_element());
        disk->cut(tear::none, random);
    };
    disk->fail(what, n, result);
    try {
        work();
    } catch (const error& e) {
        BOOST_TEST(past.ids().empty(), e.what()); // it could not be opened; now it can
        ++failures;
        disk->fail(what, boundless, result);
        work();
    }
    check_after_cut(disk, file.path, past);
}

} // namespace

BOOST_AUTO_TEST_CASE(CRASH_08_any_one_write_that_finds_no_space_loses_nothing) {
    const unsigned seed = first_seed();
    BOOST_TEST_MESSAGE("LIFEGUARD_SEED=" << seed);
    std::size_t failures = 0;
    for (std::uint64_t n = 1; n <= 50; ++n)
        BOOST_TEST_CONTEXT("write " << n) {
            fail_one(call::kind::write, n, SQLITE_FULL, seed, failures);
        }
    BOOST_TEST(failures > 20u);
}

BOOST_AUTO_TEST_CASE(any_one_sync_that_fails_loses_nothing) {
    const unsigned seed = first_seed();
    BOOST_TEST_MESSAGE("LIFEGUARD_SEED=" << seed);
    std::size_t failures = 0;
    for (std::uint64_t n = 1; n <= 30; ++n)
        BOOST_TEST_CONTEXT("sync " << n) {
            fail_one(call::kind::sync, n, SQLITE_IOERR_FSYNC, seed, failures);
        }
    BOOST_TEST(failures > 10u);
}

namespace {

constexpr std::array one_step{migration{1, "CREATE TABLE one (a); INSERT INTO one VALUES (1);"}};
constexpr std::array three_steps{
    migration{1, "CREATE TABLE one (a);"},
    migration{2, "CREATE TABLE two (a); INSERT INTO two VALUES (2); CREATE INDEX i ON two (a);"},
    migration{3, "INSERT INTO one SELECT a FROM two; ALTER TABLE one ADD COLUMN b;"}};

/// Migrates, with the power cut instead of the n-th call; whether it came to that.
bool migrate_until(std::uint64_t n, tear how, std::mt19937& random) {
    const std::string path = new_database_file();
    std::optional<power_disk> disk(std::in_place);
    {
        detail::database db(path);
        db.execute("PRAGMA synchronous = FULL");
        BOOST_TEST(db.text("PRAGMA journal_mode = WAL") == "wal");
        detail::migrate(db, one_step);
    }
    disk->cut_at(n, how, random);
    try {
        detail::database db(path);
        db.execute("PRAGMA synchronous = FULL");
        detail::migrate(db, three_steps);
    } catch (const error&) {
        BOOST_TEST(disk->is_cut());
    }
    const bool was_cut = disk->is_cut();
    disk->cut(how, random);
    const std::string left = new_database_file();
    disk->restore(path, left);
    disk.reset();
    detail::database db(left);
    BOOST_TEST(db.text("PRAGMA integrity_check") == "ok");
    const auto version = db.number("PRAGMA user_version");
    const auto sum = db.number("SELECT sum(a) FROM one");
    const auto objects = db.number("SELECT count(*) FROM sqlite_schema");
    const bool old_one = version == 1 && sum == 1 && objects == 1;
    const bool new_one = version == 3 && sum == 3 && objects == 3;
    BOOST_TEST((old_one || new_one), "version " << version << ", sum " << sum);
    BOOST_TEST((new_one || was_cut));
    return was_cut;
}

} // namespace

BOOST_AUTO_TEST_CASE(CRASH_13_a_migration_that_is_cut_short_anywhere_leaves_the_old_or_the_new) {
    const unsigned seed = first_seed();
    BOOST_TEST_MESSAGE("LIFEGUARD_SEED=" << seed);
    std::mt19937 random(seed);
    for (const tear how : {tear::all, tear::none, tear::prefix, tear::sectors, tear::sectors}) {
        std::uint64_t n = 1;
        while (migrate_until(n, how, random))
            ++n;
        BOOST_TEST(n > 10u);
    }
}

BOOST_AUTO_TEST_CASE(CRASH_13_a_file_whose_making_was_cut_short_anywhere_can_be_opened) {
    const unsigned seed = first_seed();
    BOOST_TEST_MESSAGE("LIFEGUARD_SEED=" << seed);
    std::mt19937 random(seed);
    for (const tear how : {tear::all, tear::sectors}) {
        bool cut = true;
        for (std::uint64_t n = 1; cut; ++n)
            BOOST_TEST_CONTEXT("call " << n) {
                const auto file = new_database();
                std::optional<power_disk> disk(std::in_place);
                disk->cut_at(n, how, random);
                try {
                    test_context ctx;
                    queue_fixture q(ctx, in_file(file));
                } catch (const error&) {
                    BOOST_TEST(disk->is_cut());
                }
                cut = disk->is_cut();
                disk->cut(how, random);
                sqlite_store_options left = file;
                left.path = new_database_file();
                left.check = store_check::full;
                disk->restore(file.path, left.path);
                disk.reset();
                test_context ctx;
                queue_fixture q(ctx, in_file(left));
                q.push(new_job("k"));
                BOOST_TEST(q.counts() == "available 1");
            }
    }
}

BOOST_AUTO_TEST_SUITE_END()
