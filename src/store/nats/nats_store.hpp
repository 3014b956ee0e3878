#pragma once

#include "store/job_store.hpp"
#include "store/nats/broker.hpp"
#include "store/nats/layout.hpp"
#include "store/nats/link.hpp"
#include <lifeguard/log.hpp>
#include <lifeguard/nats_store.hpp>

#include <atomic>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace lifeguard::detail {

/// Throws `error` when a rule is broken, naming the field.
nats_store_options checked(nats_store_options o);

/// Jobs in JetStream, shared with other engines. The index holds what this engine has fetched,
/// submitted or finished; what goes on with the server is the broker's, on a thread of its own. As
/// with the SQLite store, a job stays what it was until its change is stored, and what has come is
/// told in one turn on the engine's executor.
class nats_job_store final : public job_store, private job_index::trim_listener {
  public:
    explicit nats_job_store(nats_store_options options);
    ~nats_job_store() override;

    std::string_view name() const noexcept override { return "nats"; }
    bool is_shared() const noexcept override { return true; }

    void push(std::unique_ptr<job_record> job, std::int64_t wall_now, wake_list& wakes) override;
    void push(std::vector<std::unique_ptr<job_record>> jobs, std::int64_t wall_now,
              wake_list& wakes) override;
    void start(job_record& job) override;
    void settle(job_record& job, settlement&& s, wake_list& wakes) override;
    void remove(job_record& job, wake_list& wakes) override;
    void set_pause(std::shared_ptr<pause_request> r, wake_list& wakes) override;
    void takers_changed(queue_entry& queue) override;
    void locate(std::shared_ptr<locate_request> r) override;
    void handler_added(const kind_entry& kind) override;
    std::size_t left_to_others(const queue_entry& queue) override;
    void offered(queue_entry& queue, wake_list& wakes) override;
    bool drain() override;
    void context_gone() noexcept override;

  private:
    /// What a queue's takers have asked the server for.
    struct demand {
        std::size_t takers = 0;
        bool wanted = false; ///< somebody would take jobs
        wanted_jobs kept;
        std::uint64_t looks = 0;
        std::unordered_set<job_id> put_off; ///< away, because nobody here takes such jobs
    };

    std::vector<log_record> load() override;
    void load_pauses(jsCtx& js);

    // What has come; with the engine's lock held: news.cpp
    void told(std::vector<broker_event> events);
    void tell(std::vector<broker_event>& events);
    void conclude(broker_event& e, wake_list& wakes);
    void conclude_push(const broker_event& e, wake_list& wakes);
    void conclude_change(broker_event& e, wake_list& wakes);
    void superseded(broker_event& e, wake_list& wakes);
    void ended(broker_event& e, wake_list& wakes);
    void looked(const broker_event& e, wake_list& wakes);
    void located(broker_event& e, wake_list& wakes);
    void adopt_as_it_is(broker_event& e, wake_list& wakes);
    void heard_pause(const broker_event& e, wake_list& wakes);
    void arrive(broker_event& e, std::vector<job_id>& arrived, wake_list& wakes);
    std::uint32_t number_of(const std::string& engine);
    job_record* adopt(job_document& d);
    void offer_all(std::vector<job_id>& arrived, wake_list& wakes);
    std::string shorten(job_record& job, settlement& s, const std::string& origin,
                        wake_list& wakes);
    void note(log_level level, const char* event, std::string message, wake_list& wakes);

    // Who wants what: demand.cpp
    wanted_jobs wanted(const queue_entry& queue) const;
    void keep(const queue_entry& queue, demand& d);
    void give_back_ready(queue_entry& queue, bool all);
    void put_off(job_record& job);
    void recall(const queue_entry& queue, demand& d);
    void let_go(job_record& job, job_state state, duration delay);
    bool send_away(job_record& job, job_state state);
    void back_from_away(job_record& job);
    void forget_if_too_many(job_record& job);

    void begin_work();
    void wait_until_idle();
    void trimmed(const job_record& job) override;

    const nats_store_options options_;
    const nats_layout layout_;
    logger log_;
    std::unordered_map<const queue_entry*, demand> demands_;
    std::vector<std::string> origins_; ///< engines that submitted jobs, by job_record::mark
    std::size_t document_max_ = 0;     ///< bytes
    std::size_t away_ = 0;

    // While something is on its way, run() of the context must not end.
    std::size_t under_way_ = 0;
    asio::any_io_executor work_;

    std::mutex post_mutex_; // held while the executor is used from the link's thread
    std::atomic<bool> gone_ = false;
    std::atomic<std::uint64_t> turns_ = 0;
    std::uint64_t turns_drained_ = 0;

    nats_link link_;
    broker broker_; // last: uses all of the above
};

} // namespace lifeguard::detail
