#include "http/answers.hpp"

#include "http/json_writer.hpp"
#include <lifeguard/circuit_breaker.hpp>

namespace lifeguard::detail::web {
namespace {

/// What is worth another try soon says when.
bool is_passing(unsigned status) noexcept { return status == 429 || status == 503; }

/// "wait_ms" of "wait_ms: must be at most 60000"; empty when the text names no member.
std::string member_of(const error& e) {
    const std::string& text = e.detail();
    const std::size_t end = text.find(": ");
    const std::string member = text.substr(0, end == std::string::npos ? 0 : end);
    return member.find(' ') == std::string::npos ? member : std::string();
}

} // namespace

unsigned status_of(errc e) noexcept {
    switch (e) {
    case errc::malformed_json:
    case errc::too_deep:
        return 400;
    case errc::not_found:
    case errc::no_such_pool:
    case errc::no_such_queue:
        return 404;
    case errc::duplicate_id:
    case errc::executing:
    case errc::running:
    case errc::already_started:
    case errc::already_present:
    case errc::already_done:
    case errc::lease_lost:
    case errc::illegal_transition:
    case errc::job_cancelled:
        return 409;
    case errc::payload_too_large:
        return 413;
    case errc::invalid_job:
    case errc::invalid_option:
    case errc::unknown_kind:
        return 422;
    case errc::queue_full:
    case errc::limit_reached:
        return 429;
    case errc::unsupported:
        return 501;
    case errc::store_full:
        return 507;
    case errc::pool_exhausted:
    case errc::no_available_workers:
    case errc::breaker_open:
    case errc::no_such_supervisor:
    case errc::draining:
    case errc::store_busy:
    case errc::store_read_only:
    case errc::store_corrupt:
    case errc::store_owned:
    case errc::store_failed:
    case errc::store_unavailable:
    case errc::stopped:
        return 503;
    case errc::timeout:
    case errc::outcome_unknown:
        return 504;
    case errc::simple_one_for_one:
    case errc::job_failed:
    case errc::job_discarded:
    case errc::killed:
    case errc::start_failed:
    case errc::intensity_exceeded:
        break;
    }
    return 500;
}

answer make_answer(std::string body, unsigned status) {
    answer a;
    a.status = status;
    a.body = std::move(body);
    return a;
}

answer to_answer(const refusal& r) {
    json_writer w;
    w.begin_object();
    w.member("code", r.code).member("message", r.message).member("where", r.where);
    if (r.position)
        w.member("position", *r.position);
    w.end_object();
    answer a = make_answer(w.take(), r.status);
    if (r.status == 405)
        a.fields.emplace_back("Allow", r.where);
    if (is_passing(r.status))
        a.fields.emplace_back("Retry-After", "1");
    return a;
}

refusal to_refusal(const job_parse_error& e) {
    const auto code = static_cast<errc>(e.code.value());
    return {status_of(code), name_of(code), e.message, e.member, e.position};
}

answer to_answer(const std::exception_ptr& e) {
    const refusal internal(500, "internal", "the request failed");
    try {
        std::rethrow_exception(e);
    } catch (const refusal& r) {
        return to_answer(r);
    } catch (const breaker_open_error& open) {
        answer a = to_answer(refusal{503, name_of(errc::breaker_open), open.detail()});
        const auto wait = std::chrono::ceil<std::chrono::seconds>(open.retry_after);
        a.fields.back().second = std::to_string(wait.count());
        return a;
    } catch (const error& known) {
        const auto code = static_cast<errc>(known.code().value());
        const unsigned status = status_of(code);
        return to_answer(status == 500
                             ? internal
                             : refusal(status, name_of(code), known.detail(), member_of(known)));
    } catch (...) {
        return to_answer(internal);
    }
}

} // namespace lifeguard::detail::web
