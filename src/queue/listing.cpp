// Jobs by the page.

#include "queue/queue_core.hpp"

#include <boost/asio/post.hpp>

#include <limits>

namespace lifeguard::detail {
namespace {

constexpr std::size_t limit_max = 1000;

/// Looks at ids by how they begin.
class id_prefix {
  public:
    explicit id_prefix(std::string_view text) {
        if (text.size() > 36)
            throw wrong();
        std::size_t place = 0;
        for (const char c : text) {
            const bool dash = place == 8 || place == 13 || place == 18 || place == 23;
            ++place;
            if (dash != (c == '-'))
                throw wrong();
            if (!dash)
                add(c);
        }
    }

    bool matches(const job_id& id) const noexcept {
        return (id.high() & high_mask_) == high_ && (id.low() & low_mask_) == low_;
    }

  private:
    static error wrong() {
        return {errc::invalid_option, "id_prefix: must be how an id begins: 0190a6f2-8c5e"};
    }

    void add(char c) {
        const char lower = static_cast<char>(c | 0x20);
        const bool letter = lower >= 'a' && lower <= 'f';
        if (!letter && (c < '0' || c > '9'))
            throw wrong();
        const auto digit = static_cast<std::uint64_t>(letter ? lower - 'a' + 10 : c - '0');
        const unsigned shift = 60 - 4 * (digits_ % 16);
        (digits_ < 16 ? high_ : low_) |= digit << shift;
        (digits_ < 16 ? high_mask_ : low_mask_) |= std::uint64_t{15} << shift;
        ++digits_;
    }

    std::uint64_t high_ = 0;
    std::uint64_t low_ = 0;
    std::uint64_t high_mask_ = 0;
    std::uint64_t low_mask_ = 0;
    unsigned digits_ = 0;
};

/// How many jobs are looked at before somebody else may have the lock and the thread.
constexpr std::size_t examined_max = 1000;

} // namespace

/// Goes on behind `after`; whether there may be more.
bool queue_core::list_some(const list_options& options, std::int64_t& after, job_page& page) {
    const queue_entry* const queue = find_queue(options.queue);
    const auto known = kinds_.find(options.kind);
    const kind_entry* const kind = known == kinds_.end() ? nullptr : known->second.get();
    if ((queue == nullptr && !options.queue.empty()) || (kind == nullptr && !options.kind.empty()))
        return false;
    const id_prefix prefix(options.id_prefix);
    if (queue != nullptr && options.state && queue->count(*options.state) == 0)
        return false;
    std::size_t examined = 0;
    bool more = false;
    const auto look = [&](const job_record& job) {
        more = examined++ == examined_max || page.jobs.size() == options.limit;
        if (more)
            return false;
        after = job.row;
        const bool listed = job.stored && (queue == nullptr || job.queue == queue) &&
                            (kind == nullptr || job.kind == kind) && prefix.matches(job.id) &&
                            (!options.state || job.state == *options.state);
        if (listed)
            page.jobs.push_back(summarize(job));
        return true;
    };
    if (!options.newest_first)
        index().order().walk(after, look);
    else
        index().order().walk_back(after == 0 ? std::numeric_limits<std::int64_t>::max() : after,
                                  look);
    return more;
}

asio::awaitable<job_page> queue_core::list(std::shared_ptr<queue_core> self, list_options options) {
    self->refuse_when_shared("listing jobs");
    if (options.limit == 0 || options.limit > limit_max)
        throw error(errc::invalid_option, "limit: must be 1 to 1,000");
    if (options.after < 0)
        throw error(errc::invalid_option, "after: must not be negative");
    job_page page;
    std::int64_t after = options.after;
    for (;;) {
        bool more = false;
        {
            const std::lock_guard lock(self->runtime_->mutex);
            more = self->list_some(options, after, page);
        }
        if (!more || page.jobs.size() == options.limit) {
            page.next = more ? after : 0;
            co_return page;
        }
        co_await asio::post(asio::deferred);
    }
}

} // namespace lifeguard::detail
