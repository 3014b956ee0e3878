// A pool of connections to a web server: two that are always there and three more when it gets
// busy. One of the lines is bad, and who is on it keeps being cut off. Watch the pool grow, replace
// what breaks, and shrink again.

#include "common/claims.hpp"
#include "common/pause.hpp"
#include "fetcher.hpp"
#include "stub_server.hpp"
#include <lifeguard/lifeguard.hpp>
#include <lifeguard/resource_pool.hpp>

#include <map>
#include <string_view>
#include <vector>

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

constexpr unsigned size = 2;
constexpr unsigned max_overflow = 3;
constexpr unsigned clients = 12; // of the rush
constexpr unsigned pages_each = 6;
constexpr unsigned attempts_max = 3; // for a page

constexpr std::string_view usage =
    "usage: 05_resource_pool [--fault keep-broken]\n"
    "  --fault keep-broken   fetchers whose connection broke go back to the pool as they are\n";

using fetcher_pool = lifeguard::resource_pool<fetcher>;

/// The text of each page that was fetched, by its number.
using book = std::map<unsigned, std::string>;

std::string path_of(unsigned page) { return "/page/" + std::to_string(page); }

std::ostream& operator<<(std::ostream& out, const lifeguard::resource_pool_status& s) {
    return out << name_of(s.state_now) << ": " << s.leased << " at work (" << s.overflow
               << " of them overflow), " << s.idle << " idle, " << s.waiting << " clients wait; "
               << s.started_total << " started so far, " << s.recycled_total << " replaced";
}

fetcher_pool make_pool(const asio::any_io_executor& executor, const stub_server& server,
                       bool keep_broken) {
    lifeguard::resource_pool_options options;
    options.name = "fetchers";
    options.size = size;
    options.max_overflow = max_overflow;
    // A fetcher that threw is of no use any more. The default is to give it to the next one.
    options.body_failed = keep_broken ? lifeguard::after_use::reuse : lifeguard::after_use::recycle;

    const auto connect = [address = server.address(), number = 0U]() mutable {
        return fetcher::connect(++number, address);
    };
    const auto tell = [](fetcher& f, lifeguard::exit_reason why) -> asio::awaitable<void> {
        if (why.abnormal())
            std::cout << "    fetcher " << f.number() << " is replaced: " << to_string(why)
                      << std::endl;
        co_return;
    };
    return {executor, options, lifeguard::resource_spec<fetcher>(connect).on_stop(tell)};
}

/// Fetches a page, with another fetcher if one breaks: it may be asked for twice.
asio::awaitable<void> fetch(fetcher_pool pool, unsigned page, book& pages) {
    const std::string path = path_of(page);
    const auto get = [&path](fetcher& f) { return f.get(path); };
    for (unsigned attempt = 1; attempt <= attempts_max; ++attempt) {
        try {
            const std::string text =
                co_await pool.transaction(get, {.checkout_timeout = 5s, .body_timeout = 5s});
            pages[page] = text;
            co_return;
        } catch (const boost::system::system_error& e) {
            std::cout << "    " << path << ", attempt " << attempt << ": " << e.code().message()
                      << std::endl;
        }
    }
}

/// A client: one page after another, from `first` on.
asio::awaitable<void> browse(fetcher_pool pool, unsigned first, unsigned count, book& pages,
                             unsigned& busy) {
    for (unsigned page = first; page < first + count; ++page)
        co_await fetch(pool, page, pages);
    --busy;
}

/// What was seen, for the account.
struct observed {
    book pages;
    lifeguard::resource_pool_status before;
    lifeguard::resource_pool_status during; ///< while five pages are asked for
    lifeguard::resource_pool_status after;
    bool some_waited = false; ///< in the rush
};

/// As many as the pool has at most, and nobody is answered before all have asked.
asio::awaitable<void> fetch_five(fetcher_pool pool, stub_server& server, observed& o) {
    const auto executor = co_await asio::this_coro::executor;
    unsigned busy = size + max_overflow;
    for (unsigned page = 1; page <= size + max_overflow; ++page)
        asio::co_spawn(executor, browse(pool, page, 1, o.pages, busy), lifeguard::rethrow);
    const auto all_ask = [&] { return server.unanswered() == size + max_overflow; };
    co_await until(all_ask);
    o.during = pool.status();
    std::cout << "during  " << o.during << std::endl;
    server.answer();
    while (busy != 0) // ends: every transaction has its timeouts
        co_await pause_for(1ms);
}

asio::awaitable<void> rush(fetcher_pool pool, observed& o) {
    const auto executor = co_await asio::this_coro::executor;
    unsigned busy = clients;
    for (unsigned client = 1; client <= clients; ++client)
        asio::co_spawn(executor, browse(pool, 100 * client, pages_each, o.pages, busy),
                       lifeguard::rethrow);
    const auto crowded = [&] { return pool.status().waiting != 0; };
    o.some_waited = co_await until(crowded);
    std::cout << "during  " << pool.status() << std::endl;
    while (busy != 0)
        co_await pause_for(1ms);
}

void judge(const observed& o, const stub_server& server, claims& account) {
    constexpr unsigned wanted = size + max_overflow + clients * pages_each;
    unsigned right = 0;
    for (const auto& [page, text] : o.pages)
        right += text == stub_server::page(path_of(page)) ? 1 : 0;
    account.check(o.before.idle == size && o.before.overflow == 0,
                  "it began with 2 fetchers and no overflow");
    account.check(o.during.leased == size + max_overflow && o.during.overflow == max_overflow,
                  "five worked at once, three of them overflow");
    account.check(o.some_waited, "in the rush the others waited for their turn");
    account.check(right == wanted, std::to_string(right) + " of " + std::to_string(wanted) +
                                       " pages were fetched, each with its own text");
    account.check(server.cuts() >= 3 && o.after.recycled_total == server.cuts(),
                  "the server cut off " + std::to_string(server.cuts()) + " fetchers, and " +
                      std::to_string(o.after.recycled_total) + " were replaced");
    account.check(o.after.idle == size && o.after.overflow == 0 && server.connections() == size,
                  "the overflow went away: 2 fetchers are left, and 2 connections");
}

asio::awaitable<void> show(fetcher_pool pool, stub_server& server, claims& account) {
    observed o;
    const auto calm = [&] { return pool.status().idle == size && server.connections() <= size; };
    co_await until(calm); // a pool does not say when its first resources are there
    o.before = pool.status();
    std::cout << "before  " << o.before << "\n\nFive at once; the server answers nobody yet.\n";
    co_await fetch_five(pool, server, o);

    std::cout << "\nThe rush: " << clients << " clients with " << pages_each << " pages each.\n";
    co_await rush(pool, o);

    co_await until(calm);
    o.after = pool.status();
    std::cout << "\nafter   " << o.after << "\n\n";
    judge(o, server, account);
    co_await pool.stop();
    server.stop();
}

int run(bool keep_broken) {
    asio::io_context io(1);
    stub_server server(io);
    fetcher_pool pool = make_pool(io.get_executor(), server, keep_broken);
    claims account;
    asio::co_spawn(io, server.run(), lifeguard::rethrow);
    asio::co_spawn(io, pool.run(), lifeguard::rethrow);
    asio::co_spawn(io, show(pool, server, account), lifeguard::rethrow);
    io.run();
    return account.conclude("05_resource_pool");
}

} // namespace

int main(int argc, char** argv) {
    const std::vector<std::string_view> arguments(argv + 1, argv + argc);
    if (arguments == std::vector<std::string_view>{"--help"}) {
        std::cout << usage;
        return 0;
    }
    const bool keep_broken = arguments == std::vector<std::string_view>{"--fault", "keep-broken"};
    if (!keep_broken && !arguments.empty()) {
        std::cerr << usage;
        return 2;
    }
    try {
        return run(keep_broken);
    } catch (const std::exception& e) {
        std::cerr << "05_resource_pool: " << e.what() << '\n';
        return 1;
    }
}
