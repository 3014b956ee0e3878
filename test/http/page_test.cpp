// The dashboard's files: who gets them, and what they may do.
#include "http/embedded_file.hpp"
#include "rig.hpp"

#include <boost/test/unit_test.hpp>

#include <span>

namespace lifeguard::embedded {
std::span<const detail::web::embedded_file> dashboard() noexcept;
}

using namespace lifeguard;
using namespace lifeguard::test;

BOOST_AUTO_TEST_SUITE(http_page)

namespace {

http_options with(dashboard_mode mode, std::string token = {}) {
    http_options o;
    o.dashboard = mode;
    o.token = std::move(token);
    return o;
}

constexpr std::string_view from_page = "Origin: http://localhost\r\n";

} // namespace

LIFEGUARD_TEST(the_page_and_its_files_need_no_token_and_their_policy_is_strict) {
    http_rig rig(ctx, with(dashboard_mode::on, "secret"));
    std::size_t bytes = 0;
    for (const auto& file : embedded::dashboard()) {
        const reply r = rig.get("/dashboard/" + std::string(file.path));
        BOOST_TEST(r.status == 200u, file.path);
        BOOST_TEST(r.body == file.bytes);
        BOOST_TEST(r.fields.at("content-type") == file.content_type);
        BOOST_TEST(r.fields.at("content-type") != "application/octet-stream");
        BOOST_TEST(r.fields.at("x-content-type-options") == "nosniff");
        BOOST_TEST(r.fields.at("content-security-policy").starts_with("default-src 'none'; "));
        bytes += r.body.size();
    }
    BOOST_TEST(bytes > 0u);
    BOOST_TEST(bytes <= 150u * 1024u);
    const reply page = rig.get("/");
    BOOST_TEST(page.fields.at("content-type") == "text/html; charset=utf-8");
    BOOST_TEST(page.body.find("<script>") == std::string::npos);
    BOOST_TEST(page.body.find("style=") == std::string::npos);
    const std::string policy = page.fields.at("content-security-policy");
    BOOST_TEST(policy.find("unsafe") == std::string::npos);
    BOOST_TEST(policy.find("frame-ancestors 'none'") != std::string::npos);
    BOOST_TEST(rig.get("/v1/jobs").status == 401u); // data do
    BOOST_TEST(rig.get("/dashboard/settings.json").value().at("read_only") == false);
    BOOST_TEST(rig.get("/dashboard/no.js").status == 404u);
    BOOST_TEST(rig.get("/dashboard/..%2Fapp.js").status == 404u);
}

LIFEGUARD_TEST(a_file_that_has_not_changed_is_not_sent_again) {
    http_rig rig(ctx);
    const reply first = rig.get("/dashboard/app.js");
    const std::string tag = first.fields.at("etag");
    BOOST_TEST(first.fields.at("cache-control") == "no-cache");
    const reply again =
        rig.ask("GET", "/dashboard/app.js", "", "If-None-Match: W/\"x\", " + tag + "\r\n");
    BOOST_TEST(again.status == 304u);
    BOOST_TEST(again.body.empty());
    BOOST_TEST(again.fields.at("etag") == tag);
    const reply other = rig.ask("GET", "/dashboard/app.js", "", "If-None-Match: \"other\"\r\n");
    BOOST_TEST(other.status == 200u);
}

LIFEGUARD_TEST(read_only_pages_look_and_programs_act) {
    http_rig rig(ctx, with(dashboard_mode::read_only));
    const json job = {{"kind", "a"}};
    const reply no = rig.ask("POST", "/v1/jobs", job.dump(), from_page);
    BOOST_TEST(no.status == 403u);
    BOOST_TEST(no.code() == "read_only");
    BOOST_TEST(rig.ask("DELETE", "/v1/jobs", "", from_page).status == 403u);
    BOOST_TEST(rig.ask("GET", "/v1/queues", "", from_page).status == 200u);
    BOOST_TEST(rig.post("/v1/jobs", job).status == 201u);
    BOOST_TEST(rig.get("/dashboard/settings.json").value().at("read_only") == true);
}

LIFEGUARD_TEST(a_page_may_act_unless_it_is_told_otherwise) {
    http_rig rig(ctx);
    BOOST_TEST(rig.ask("POST", "/v1/jobs", R"({"kind":"a"})", from_page).status == 201u);
    BOOST_TEST(rig.ask("POST", "/").status == 405u);
}

LIFEGUARD_TEST(off_means_that_nothing_is_there) {
    http_rig rig(ctx, with(dashboard_mode::off));
    for (const char* path : {"/", "/dashboard/app.js", "/dashboard/settings.json"})
        BOOST_TEST(rig.get(path).status == 404u, path);
    BOOST_TEST(rig.get("/v1/queues").status == 200u);
}

BOOST_AUTO_TEST_SUITE_END()
