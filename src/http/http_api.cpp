#include <lifeguard/http_api.hpp>

#include "http/answers.hpp"
#include "http/api.hpp"

namespace lifeguard {

namespace web = detail::web;

namespace {

void check(const http_api_options& o) {
    if (!o.path.empty() && (o.path.front() != '/' || o.path.back() == '/'))
        throw error(errc::invalid_option,
                    "http_api_options.path: must begin with a slash, and not end with one");
}

/// The next pieces of a body, as one text.
asio::awaitable<std::string> next_of(std::shared_ptr<web::body_stream> body) {
    std::vector<std::shared_ptr<const std::string>> pieces;
    co_await body->next(pieces);
    std::string text;
    for (const auto& piece : pieces)
        text += *piece;
    co_return text;
}

} // namespace

class http_api::core {
  public:
    core(engine served, const http_api_options& o)
        : path_(o.path), api_(std::move(served), web::access_rules{o.token, o.hosts, o.dashboard}) {
        check(o);
    }

    static asio::awaitable<http_answer> respond(std::shared_ptr<core> self, http_request asked) {
        web::request r;
        web::answer a;
        if (self->view(asked, r))
            a = co_await web::respond(self->api_, r);
        else
            a = web::to_answer(
                web::refusal{404, name_of(errc::not_found), "there is nothing at this path"});
        co_return self->to_public(std::move(a));
    }

    const web::api& api() const noexcept { return api_; }

  private:
    /// What the routes see of a request. False: it is none of ours.
    bool view(http_request& asked, web::request& r) const {
        r.target = asked.target;
        if (!r.target.starts_with(path_))
            return false;
        r.target.remove_prefix(path_.size());
        if (!path_.empty() && (r.target.empty() || r.target.front() != '/'))
            return false;
        r.method = asked.method;
        r.host = asked.host;
        r.origin = asked.origin;
        r.authorization = asked.authorization;
        r.content_type = asked.content_type;
        r.idempotency_key = asked.idempotency_key;
        r.last_event_id = asked.last_event_id;
        r.if_none_match = asked.if_none_match;
        r.body = std::move(asked.body);
        return true;
    }

    http_answer to_public(web::answer a) const {
        http_answer out;
        out.status = a.status;
        out.content_type = a.content_type;
        for (auto& [name, value] : a.fields)
            out.fields.emplace_back(name, name == "Location" ? path_ + value : std::move(value));
        out.body = std::move(a.body);
        out.undelivered = std::move(a.undelivered);
        if (a.stream)
            out.more = [body = std::move(a.stream)] { return next_of(body); };
        return out;
    }

    const std::string path_;
    const web::api api_;
};

http_api::http_api(engine served, http_api_options options)
    : core_(std::make_shared<core>(std::move(served), options)) {}

asio::awaitable<http_answer> http_api::respond(http_request asked) const {
    return core::respond(core_, std::move(asked));
}

asio::awaitable<void> http_api::run() const {
    return web::sampler::run(core_->api().watch->samples);
}

} // namespace lifeguard
