#include "store/file_fixture.hpp"

#include <sys/wait.h>
#include <unistd.h>

using namespace lifeguard;
using namespace lifeguard::test;

BOOST_AUTO_TEST_SUITE(ownership)

LIFEGUARD_TEST(CRASH_16_a_second_store_on_the_file_is_refused_and_told_by_whom) {
    const auto file = new_database();
    {
        queue_fixture q(ctx, in_file(file));
        auto alias = file;
        alias.path = (std::filesystem::path(file.path).parent_path() / "." /
                      std::filesystem::path(file.path).filename())
                         .string();
        for (const auto& name : {file, alias}) {
            const thrown t = thrown_by([&] { sqlite_store(name); });
            BOOST_TEST((t.code == errc::store_owned));
            BOOST_TEST(t.text.find(file.path) != std::string::npos);
            BOOST_TEST(t.text.find("process " + std::to_string(::getpid())) != std::string::npos);
        }
        q.push(new_job("k")); // and the owner does not notice
    }
    queue_fixture q(ctx, in_file(file));
    BOOST_TEST(q.counts() == "available 1");
}

/// Of a process that is killed: the kernel lets go of the lock.
BOOST_AUTO_TEST_CASE(CRASH_16_after_a_kill_the_next_owner_starts_at_once) {
    const auto file = new_database();
    int ready[2];
    BOOST_TEST_REQUIRE(::pipe(ready) == 0);
    const pid_t child = ::fork();
    BOOST_TEST_REQUIRE(child >= 0);
    if (child == 0) {
        const store held = sqlite_store(file);
        const char byte = 1;
        const bool told = ::write(ready[1], &byte, 1) == 1;
        while (told)
            ::pause();
        ::_exit(1);
    }
    char byte = 0;
    BOOST_TEST(::read(ready[0], &byte, 1) == 1);
    const thrown t = thrown_by([&] { sqlite_store(file); });
    BOOST_TEST((t.code == errc::store_owned));
    BOOST_TEST(t.text.find("process " + std::to_string(child)) != std::string::npos);
    ::kill(child, SIGKILL);
    BOOST_TEST(::waitpid(child, nullptr, 0) == child);
    ::close(ready[0]);
    ::close(ready[1]);
    BOOST_CHECK_NO_THROW(sqlite_store(file));
}

LIFEGUARD_TEST(the_epoch_counts_the_owners) {
    const auto file = new_database();
    for (int i = 0; i < 3; ++i)
        queue_fixture q(ctx, in_file(file));
    shell s(file.path);
    BOOST_TEST(s.ask("SELECT value FROM meta WHERE key = 'epoch'") == "3");
    BOOST_TEST(s.ask("SELECT value FROM meta WHERE key = 'losses'") == "0");
}

LIFEGUARD_TEST(a_clean_end_leaves_no_log_behind) {
    const auto file = new_database();
    {
        queue_fixture q(ctx, in_file(file));
        q.push(new_job("k"));
        BOOST_TEST(std::filesystem::file_size(file.path + "-wal") > 0u);
    }
    BOOST_TEST(!std::filesystem::exists(file.path + "-wal"));
}

BOOST_AUTO_TEST_SUITE_END()
