// The descriptions of the API say what it is: for programs, for people, for Prometheus.
#include "http/embedded_file.hpp"
#include "http/router.hpp"
#include "rig.hpp"

#include <boost/test/unit_test.hpp>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <span>

using namespace std::chrono_literals;
using namespace lifeguard;
using namespace lifeguard::test;
namespace web = lifeguard::detail::web;

namespace lifeguard::embedded {
std::span<const detail::web::embedded_file> api_docs() noexcept;
std::span<const detail::web::embedded_file> openapi() noexcept;
} // namespace lifeguard::embedded

BOOST_AUTO_TEST_SUITE(http_descriptions)

namespace {

json description() { return json::parse(embedded::openapi().front().bytes); }

std::string lower(std::string_view text) {
    std::string out(text);
    for (char& c : out)
        c = static_cast<char>(c | 0x20);
    return out;
}

/// "GET /v1/jobs" of every operation.
std::set<std::string> described() {
    std::set<std::string> all;
    const json paths = description().at("paths");
    for (const auto& [path, operations] : paths.items())
        for (const auto& [method, operation] : operations.items())
            all.insert(method + " " + path);
    return all;
}

/// Calls `f` with every object in it.
template <typename F>
void for_each_object(const json& value, F f) {
    if (value.is_object())
        f(value);
    if (value.is_structured())
        for (const json& inner : value)
            for_each_object(inner, f);
}

/// The names in braces.
std::set<std::string> names_in(std::string_view pattern) {
    std::set<std::string> all;
    for (std::size_t at = 0; (at = pattern.find('{', at)) != std::string_view::npos; ++at)
        all.emplace(pattern.substr(at + 1, pattern.find('}', at) - at - 1));
    return all;
}

} // namespace

BOOST_AUTO_TEST_CASE(every_route_is_described_and_nothing_else) {
    std::set<std::string> served;
    for (const web::route& r : web::routes())
        served.insert(lower(r.method) + " " + std::string(r.pattern));
    BOOST_TEST(served == described(), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(every_route_is_in_the_docs) {
    const std::string_view docs = embedded::api_docs().front().bytes;
    for (const web::route& r : web::routes()) {
        const std::string name = std::string(r.method) + " " + std::string(r.pattern);
        bool found = false;
        for (std::size_t at = 0; !found && (at = docs.find('`' + name, at)) != docs.npos; ++at) {
            const char next = docs.at(at + 1 + name.size());
            found = next == '`' || next == '?' || next == '['; // not a longer path
        }
        BOOST_TEST_CONTEXT(name) { BOOST_TEST(found); }
    }
}

BOOST_AUTO_TEST_CASE(the_description_is_whole) {
    const json all = description();
    BOOST_TEST(all.at("openapi") == "3.1.0");
    for_each_object(all, [&](const json& object) {
        const auto ref = object.find("$ref");
        if (ref == object.end())
            return;
        BOOST_TEST_CONTEXT(*ref)
        BOOST_TEST(all.contains(json::json_pointer(ref->get<std::string>().substr(1))));
    });
    std::set<std::string> ids;
    for (const auto& [path, operations] : all.at("paths").items())
        for (const auto& [method, operation] : operations.items())
            BOOST_TEST_CONTEXT(method << " " << path) {
                BOOST_TEST(ids.insert(operation.at("operationId")).second);
                BOOST_TEST(!operation.at("summary").get<std::string>().empty());
                BOOST_TEST(operation.at("responses").contains("403"));
                std::set<std::string> named;
                for (json p : operation.value("parameters", json::array())) {
                    if (p.contains("$ref"))
                        p = all.at(json::json_pointer(p["$ref"].get<std::string>().substr(1)));
                    if (p.at("in") == "path")
                        named.insert(p.at("name"));
                }
                BOOST_TEST(named == names_in(path), boost::test_tools::per_element());
            }
}

LIFEGUARD_TEST(what_the_description_says_of_answers_is_what_they_have) {
    http_rig rig(ctx);
    rig.start_samples();
    const json schemas = description().at("components").at("schemas");
    const auto same_members = [&](const json& value, const std::string& schema) {
        std::set<std::string> said;
        for (const auto& [name, _] : schemas.at(schema).at("properties").items())
            said.insert(name);
        std::set<std::string> got;
        for (const auto& [name, _] : value.items())
            got.insert(name);
        BOOST_TEST_CONTEXT(schema) { BOOST_TEST(said == got, boost::test_tools::per_element()); }
    };
    const std::string id = rig.post("/v1/jobs", {{"kind", "a"}}).value().at("id");
    same_members(rig.get("/v1/jobs/" + id).value(), "Job");
    same_members(rig.get("/v1/jobs").value().at("jobs").at(0), "JobLine");
    same_members(rig.get("/v1/queues/default").value(), "Queue");
    same_members(rig.get("/v1/pools/default").value(), "Pool");
    same_members(rig.get("/v1/workers/default/1").value(), "Worker");
    same_members(rig.get("/v1/breakers").value().at("breakers").at(0), "Breaker");
    same_members(rig.get("/v1/history").value().at("samples").at(0), "Sample");
    same_members(rig.post("/v1/take", json::object()).value().at("jobs").at(0), "TakenJob");
}

LIFEGUARD_TEST(the_description_is_served) {
    http_rig rig(ctx);
    const reply r = rig.get("/v1/openapi.json");
    BOOST_TEST(r.status == 200u);
    BOOST_TEST(r.fields.at("content-type") == "application/json");
    BOOST_TEST((r.value() == description()));
}

LIFEGUARD_TEST(requests_connections_and_streams_are_counted) {
    http_rig rig(ctx);
    rig.start_samples();
    const auto value = [&](const char* name, const metric_labels& labels = {}) {
        return rig.app.metrics_value(name, labels).value_or(-1);
    };
    rig.get("/v1/jobs/0190a6f2-8c5e-7b3a-9f00-1234567890ab");
    rig.get("/v1/jobs/0190a6f2-8c5e-7b3a-9f00-1234567890ac");
    rig.post("/v1/jobs", {{"kind", "a"}});
    rig.get("/nowhere");
    const auto requests = [&](const char* method, const char* route, const char* status) {
        return value("lifeguard_http_requests_total",
                     {{"method", method}, {"route", route}, {"status", status}});
    };
    BOOST_TEST(requests("GET", "/v1/jobs/{id}", "4xx") == 2);
    BOOST_TEST(requests("POST", "/v1/jobs", "2xx") == 1);
    BOOST_TEST(requests("other", "other", "4xx") == 1);
    BOOST_TEST(value("lifeguard_http_request_duration_seconds",
                     {{"method", "GET"}, {"route", "/v1/jobs/{id}"}}) == 2);
    BOOST_TEST(value("lifeguard_loop_lag_seconds") == 1);
    BOOST_TEST(value("lifeguard_http_connections") == 0);
    {
        client c = rig.connect();
        c.send(http_rig::request("GET", "/v1/events"));
        ctx.settle();
        BOOST_TEST(value("lifeguard_http_connections") == 1);
        BOOST_TEST(value("lifeguard_http_streams") == 1);
    }
    ctx.advance(30s);
    BOOST_TEST(value("lifeguard_http_connections") == 0);
    BOOST_TEST(value("lifeguard_http_streams") == 0);
}

BOOST_AUTO_TEST_CASE(promtool_accepts_a_servers_text) {
    if (std::system("command -v promtool > /dev/null 2>&1") != 0) {
        BOOST_TEST_MESSAGE("promtool is not installed");
        return;
    }
    test_context ctx(1);
    http_rig rig(ctx);
    rig.start_samples();
    rig.get("/v1/tree");
    const auto file = std::filesystem::temp_directory_path() /
                      ("lifeguard-http-metrics-" + std::to_string(::getpid()) + ".txt");
    std::ofstream(file) << rig.get("/metrics").body;
    const std::string command = "promtool check metrics < '" + file.string() + "'";
    BOOST_TEST(std::system(command.c_str()) == 0);
    std::filesystem::remove(file);
}

BOOST_AUTO_TEST_SUITE_END()
