#include "queue/queue_core.hpp"

#include "base/saturate.hpp"
#include "base/utf8.hpp"
#include <lifeguard/exit_reason.hpp>

#include <algorithm>
#include <random>

namespace lifeguard::detail {
namespace {

constexpr std::size_t name_max = 200; // bytes, of kinds and queues

void check_name(std::string_view what, std::string_view name) {
    const bool blank = std::ranges::all_of(name, [](char c) { return c == ' ' || c == '\t'; });
    if (name.empty() || blank)
        throw error(errc::invalid_job, std::string(what) + ": must not be empty");
    if (name.size() > name_max)
        throw error(errc::invalid_job, std::string(what) + ": longer than 200 bytes");
    if (std::ranges::any_of(
            name, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }))
        throw error(errc::invalid_job, std::string(what) + ": holds a control character");
    for (std::string_view rest = name; !rest.empty();) {
        const std::size_t length = utf8_length(rest);
        if (length == 0)
            throw error(errc::invalid_job, std::string(what) + ": is not UTF-8");
        rest.remove_prefix(length);
    }
}

void require(bool ok, const char* field, const char* rule) {
    if (!ok)
        throw error(errc::invalid_option, std::string("queue_options::") + field + ": " + rule);
}

void validate(const queue_options& o) {
    o.retry.validate();
    require(o.jobs_max >= 1, "jobs_max", "must be 1 at least");
    require(o.kinds_max >= 1, "kinds_max", "must be 1 at least");
    require(o.queues_max >= 1, "queues_max", "must be 1 at least");
    require(o.max_attempts >= 1, "max_attempts", "must be 1 at least");
    require(o.limits.payload_max >= 1, "limits.payload_max", "must be 1 at least");
    // Writing JSON recurses: so much fits on any stack.
    require(o.limits.depth_max <= 2000, "limits.depth_max", "must be 2,000 at most");
}

std::uint64_t random_seed() {
    std::random_device device;
    return (std::uint64_t{device()} << 32) | device() | 1;
}

} // namespace

queue_core::queue_core(std::shared_ptr<runtime> shared, queue_options options,
                       std::unique_ptr<job_store> store)
    : runtime_(std::move(shared)),
      options_(options),
      store_(std::move(store)),
      random_(random_seed()),
      log_(runtime_->log) {
    validate(options_);
    if (options_.lease < std::chrono::seconds(1) || options_.lease > std::chrono::hours(24))
        options_.lease = queue_options().lease;
}

queue_core::~queue_core() {
    store_.reset(); // its jobs refer to kinds and queues
}

const moment& queue_core::read_clock() {
    const time_point now = runtime_->time->now();
    if (now >= wall_read_at_ + std::chrono::seconds(1) || wall_read_at_ == time_point::min()) {
        const auto wall = runtime_->time->wall_now().time_since_epoch();
        wall_offset_ = std::chrono::duration_cast<duration>(wall) - now.time_since_epoch();
        wall_read_at_ = now;
    }
    at_.now = now;
    at_.wall = wall_time(
        std::chrono::duration_cast<wall_time::duration>(now.time_since_epoch() + wall_offset_));
    return at_;
}

// --- kinds and queues

kind_entry& queue_core::kind(std::string_view name) {
    if (recent_kind_ != nullptr && recent_kind_->name == name)
        return *recent_kind_;
    const auto found = kinds_.find(name);
    if (found != kinds_.end())
        return *(recent_kind_ = found->second.get());
    check_name("kind", name);
    if (kinds_.size() >= options_.kinds_max)
        throw error(errc::limit_reached, "queue_options::kinds_max: kind '" + std::string(name) +
                                             "' would be one too many");
    auto entry = std::make_unique<kind_entry>();
    entry->name = name;
    entry->index = kinds_.size();
    handlers_.emplace_back();
    return *kinds_.emplace(entry->name, std::move(entry)).first->second;
}

queue_entry& queue_core::queue(std::string_view name) {
    const auto found = queues_.find(name);
    if (found != queues_.end())
        return *found->second;
    check_name("queue", name);
    if (queues_.size() >= options_.queues_max)
        throw error(errc::limit_reached, "queue_options::queues_max: queue '" + std::string(name) +
                                             "' would be one too many");
    auto entry = std::make_unique<queue_entry>();
    entry->name = name;
    queue_entry& made = *queues_.emplace(entry->name, std::move(entry)).first->second;
    if (metrics_)
        describe_metrics(made);
    return made;
}

queue_entry* queue_core::find_queue(std::string_view name) noexcept {
    const auto found = queues_.find(name);
    return found == queues_.end() ? nullptr : found->second.get();
}

const handler* queue_core::find_handler(const kind_entry& kind) const noexcept {
    return &handlers_[kind.index];
}

void queue_core::set_handler(std::string_view name, handler run) {
    wake_list wakes;
    {
        const std::lock_guard lock(runtime_->mutex);
        read_clock();
        kind_entry& entry = kind(name);
        if (entry.handlers != 0)
            throw error(errc::duplicate_id,
                        "kind '" + std::string(name) + "' has a handler already");
        handlers_[entry.index] = std::move(run);
        entry.handlers = 1;
        store_->handler_added(entry);
        // Jobs that waited for a handler may run now.
        for (const auto& [_, queue] : queues_)
            offer(*queue, wakes);
    }
    wakes.run();
}

void queue_core::set_validator(std::string_view name, validator check) {
    const std::lock_guard lock(runtime_->mutex);
    kind(name);
    validators_.insert_or_assign(std::string(name), std::move(check));
    validates_ = true;
}

void queue_core::for_each_queue(const std::function<void(const queue_entry&)>& f) const {
    for (const auto& [_, queue] : queues_)
        f(*queue);
}

// --- submission

void queue_core::check(const new_job& job) {
    if (job.priority < priority_first || job.priority > priority_last)
        throw error(errc::invalid_job,
                    "priority: must be 0 to 9, is " + std::to_string(job.priority));
    if (job.delay < duration::zero())
        throw error(errc::invalid_job, "delay: must not be negative");
    if (job.delay != duration::zero() && job.run_at)
        throw error(errc::invalid_job, "delay: not together with run_at");
    if (job.timeout < duration::zero())
        throw error(errc::invalid_job, "timeout: must not be negative");
    if (job.unique) {
        check_unique(*job.unique);
        refuse_when_shared("unique keys");
    }
    if (!job.payload_checked(options_.limits))
        check_payload(job.payload_text(), options_.limits);
    if (!validates_.load(std::memory_order_relaxed))
        return;
    validator validate;
    {
        const std::lock_guard lock(runtime_->mutex);
        if (const auto found = validators_.find(job.kind); found != validators_.end())
            validate = found->second;
    }
    if (!validate)
        return;
    try {
        validate(json::parse(job.payload_text()));
    } catch (...) {
        throw error(errc::invalid_job, "payload: " + lifeguard::describe(std::current_exception()));
    }
}

void queue_core::refuse_when_shared(const char* what) const {
    if (store_->is_shared())
        throw error(errc::unsupported, "store '" + std::string(store_->name()) + "': " + what);
}

bool queue_core::has_handler(std::string_view kind) const noexcept {
    const auto found = kinds_.find(kind);
    return found != kinds_.end() && found->second->handlers != 0;
}

std::unique_ptr<job_record> queue_core::admit(new_job&& job, queue_entry& queue, unsigned attempts,
                                              bool reserved, const identity& by) {
    if (closed)
        throw error(errc::stopped, "queue '" + queue.name + "'");
    if (draining_)
        throw error(errc::draining, "queue '" + queue.name + "'");
    if (is_full(queue) && !reserved)
        throw error(errc::queue_full, "queue '" + queue.name + "' holds " +
                                          std::to_string(queue.unfinished()) + " jobs");
    if (options_.strict_kinds && !has_handler(job.kind))
        throw error(errc::unknown_kind, "kind '" + job.kind + "'");
    kind_entry& kind_of_job = kind(job.kind);
    if (!job.id.is_nil() && index().knows(job.id))
        throw error(errc::duplicate_id, "job " + job.id.to_string());

    auto record = index().make_record();
    record->id = job.id.is_nil() ? ids_.next(at_.wall) : job.id;
    record->queue = &queue;
    record->kind = &kind_of_job;
    record->payload = job.take_payload();
    record->created_at = at_.wall;
    record->due = later(moment::nanoseconds(job.run_at.value_or(at_.wall)), job.delay);
    record->timeout = job.timeout;
    record->max_attempts = job.max_attempts == 0 ? attempts : job.max_attempts;
    record->priority = static_cast<std::uint8_t>(job.priority);
    if (job.unique)
        record->unique =
            std::make_unique<unique_claim>(*record, std::move(job.unique->key), by.unique_hash);
    return record;
}

void queue_core::push(std::vector<std::unique_ptr<job_record>> jobs, wake_list& wakes) {
    store_->push(std::move(jobs), at_.wall_ns(), wakes);
}

job_record& queue_core::push(std::unique_ptr<job_record> job, wake_list& wakes) {
    job_record& record = *job;
    store_->push(std::move(job), at_.wall_ns(), wakes);
    return record;
}

void queue_core::context_shutdown() noexcept {
    std::vector<resumption> gone;
    {
        const std::lock_guard lock(runtime_->mutex);
        closed = true;
        gone = parked.clear();
    }
    store_->context_gone();
    gone.clear(); // unwinds frames, which may take the lock
    upkeep_.reset();
}

} // namespace lifeguard::detail
