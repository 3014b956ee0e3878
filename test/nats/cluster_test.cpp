// A store that is on three servers.
#include "nats/nats_fixture.hpp"
#include "nats/server_view.hpp"

#include <boost/asio/ip/tcp.hpp>

#include <algorithm>
#include <array>
#include <memory>
#include <set>

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;

namespace {

constexpr std::size_t servers = 3;

/// Ports that nobody else has at this moment.
std::array<unsigned short, servers> free_ports() {
    asio::io_context io;
    const asio::ip::tcp::endpoint any(asio::ip::address_v4::loopback(), 0);
    std::array<unsigned short, servers> ports{};
    std::vector<asio::ip::tcp::acceptor> held;
    for (unsigned short& port : ports)
        port = held.emplace_back(io, any).local_endpoint().port();
    return ports;
}

/// Servers that know each other.
class cluster {
  public:
    cluster() {
        std::vector<std::string> routes;
        for (const unsigned short port : free_ports())
            routes.push_back("nats://127.0.0.1:" + std::to_string(port));
        const std::string all = routes[0] + "," + routes[1] + "," + routes[2];
        for (const std::string& own : routes)
            members_.push_back(std::make_unique<nats_server>(std::vector<std::string>{
                "--server_name", "s" + std::to_string(members_.size()), "--cluster_name", "c",
                "--cluster", own, "--routes", all}));
    }

    nats_server& member(std::size_t i) { return *members_.at(i); }

    nats_store_options options() const {
        nats_store_options o = nats_options("cluster", members_[0]->url());
        for (std::size_t i = 1; i < members_.size(); ++i)
            o.servers.push_back(members_[i]->url());
        o.replicas = servers;
        o.answer_wait = 1s;
        o.retry_wait = 50ms;
        o.ack_wait = 2s;
        return o;
    }

  private:
    std::vector<std::unique_ptr<nats_server>> members_;
};

/// They elect who leads before they take streams.
std::unique_ptr<queue_fixture> opened(test_context& ctx, const nats_store_options& o) {
    std::unique_ptr<queue_fixture> q;
    BOOST_TEST_REQUIRE(eventually(ctx, [&] {
        try {
            q = std::make_unique<queue_fixture>(ctx, kept_in(o));
        } catch (const error& e) {
            if (e.code() != errc::store_unavailable && e.code() != errc::store_failed)
                throw;
        }
        return q != nullptr;
    }));
    return q;
}

} // namespace

BOOST_AUTO_TEST_SUITE(clusters)

LIFEGUARD_TEST(three_servers_lose_nothing_when_one_dies) {
    cluster all;
    const auto options = all.options();
    const auto q = opened(ctx, options);
    {
        server_view server(all.member(1).url());
        for (const char* stream : {"KV_cluster_jobs", "cluster_WORK", "cluster_DEAD"})
            BOOST_TEST(server.replicas(stream) == static_cast<std::int64_t>(servers));
    }
    std::set<job_id> pushed, completed;
    std::vector<taken_job> open;
    const auto push = [&] {
        try {
            pushed.insert(await_really(ctx, q->queue.push(new_job("k"))));
            return true;
        } catch (const error&) { // what has no answer may be there
            return false;
        }
    };
    const auto complete_some = [&] {
        for (taken_job& t : await_really(ctx, q->queue.take(take_options("default"))))
            open.push_back(std::move(t));
        std::erase_if(open, [&](const taken_job& t) {
            const auto code = thrown_by([&] {
                                  await_really(ctx, q->queue.complete(t.id, t.token, json()));
                              }).code;
            if (code == errc::outcome_unknown || code == errc::store_unavailable)
                return false; // to be asked again
            if (code == errc::already_done)
                completed.insert(t.id);
            else if (!code)
                BOOST_TEST(completed.insert(t.id).second);
            return true;
        });
    };
    for (int i = 0; i < 20; ++i)
        BOOST_TEST_REQUIRE(eventually(ctx, push));
    for (int i = 0; i < 5; ++i)
        complete_some();
    all.member(0).kill(); // to which the store is connected
    for (int i = 0; i < 20; ++i)
        BOOST_TEST_REQUIRE(eventually(ctx, push));
    BOOST_TEST(eventually(ctx, [&] {
        complete_some();
        return std::ranges::includes(completed, pushed);
    }));
}

BOOST_AUTO_TEST_SUITE_END()
