#pragma once

#include "store/nats/job_document.hpp"
#include "store/nats/layout.hpp"
#include "store/nats/link.hpp"
#include "store/pause_request.hpp"
#include "store/settlement.hpp"

#include <array>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace lifeguard::detail {

/// What the broker tells the store.
struct broker_event {
    enum class kind {
        pushed,     ///< `job` is on the server; or `error`
        changed,    ///< what was asked with `how` is on the server; or `error`
        superseded, ///< it was refused: another engine has the job
        arrived,    ///< the job has been fetched, and is this engine's; with its document unless it
                    ///< is as it was pushed
        ended,      ///< a job that is away is final; with its document unless that is gone
        looked,     ///< all that a queue had for us at once has arrived
        paused,     ///< `pause` is on the server; or `error`
        pause_heard,
        connection, ///< gone, or back
        trouble,    ///< `error` says what the server does not like
    };
    explicit broker_event(kind k) : what(k) {}

    kind what;
    job_record* job = nullptr; ///< of pushed, changed, superseded
    job_id id;
    std::optional<job_document> document;
    settlement how;
    std::shared_ptr<pause_request> pause;
    std::string queue;       ///< of looked, pause_heard
    std::uint64_t looks = 0; ///< of looked: the number it was asked with
    bool yes = false;        ///< of pause_heard and connection
    std::int64_t until = 0;  ///< of pause_heard
    std::exception_ptr error;
};

/// A change of a job that is to be written.
struct broker_change {
    job_record* job = nullptr; ///< null: an attempt begins, and nobody waits for that
    std::string document;
    settlement how;
    std::uint32_t delivery = 0;
    std::string origin;  ///< to be told when it is the end
    std::string dead_in; ///< where it goes when it is discarded
};

/// What goes on with the server, on the link's thread: jobs are fetched, their leases renewed, and
/// every change is written on top of the revision that it knows. Decides nothing about jobs.
class broker {
  public:
    using listener = std::function<void(std::vector<broker_event>)>;

    broker(nats_link& link, const nats_layout& layout, const nats_store_options& options,
           std::string engine);

    /// `tell` is called on the thread. Before anything else.
    void start(listener tell);
    /// Whether states may be read from any server that has them: there is only one.
    void set_single_server(bool on) noexcept { direct_reads_ = on; }

    const std::string& engine() const noexcept { return engine_; }

    // Any thread.

    void push(job_record& job, std::string document);
    /// Changes of one job are written in the order of the calls.
    void change(const job_id& id, broker_change c);
    /// The job is for others now, or after `delay`. `known`: its end is to be told of.
    void give_back(const job_id& id, duration delay, bool known);
    /// Nobody wants to hear of it any more.
    void forget(const job_id& id);
    /// Its state is not wanted any more.
    void purge(const job_id& id);
    /// Asks once for up to so many jobs of each priority, and tells when that is all: `looked`.
    void look(const std::string& queue, std::size_t jobs, std::uint64_t number);
    /// From now on so many jobs of each priority are to be here and not begun; zero: none. No
    /// request for them waits longer on the server than `wait`.
    void keep(const std::string& queue, std::size_t jobs, duration wait);
    void set_pause(std::shared_ptr<pause_request> r, std::string subject, std::string text);
    /// For tests: sets `more` when a request that waits is about to be answered.
    void probe(const std::shared_ptr<std::atomic<bool>>& more);
    /// All that this engine has is for others.
    void give_back_all();

  private:
    struct lane;
    struct pulls;
    struct entry {
        std::uint64_t revision = 0; ///< zero: not known yet
        std::string ack;            ///< where its lease is renewed and ended; empty: not ours
        lane* from = nullptr;
        bool unstarted = false;            ///< counted by the lane
        bool busy = false;                 ///< a request is under way
        bool own = false;                  ///< as this engine has pushed it
        bool pushing = false;              ///< its reference is not confirmed
        std::optional<broker_event> early; ///< it has arrived all the same
        std::deque<broker_change> changes;
    };
    /// A priority of a queue.
    struct lane {
        pulls* queue = nullptr;
        std::string consumer;
        std::uint64_t pull = 0; ///< the number of the request that waits; zero: none does
        std::size_t left = 0;   ///< so many more may come for it
        bool looks = false;     ///< the request does not wait for more jobs
        std::size_t unstarted = 0;
    };
    struct pulls {
        std::string name;
        std::array<lane, priority_last + 1> lanes;
        bool made = false; ///< the consumers are there
        bool making = false;
        std::size_t keep = 0;
        duration wait{};
        std::size_t look = 0;          ///< asked for, and not begun
        std::uint64_t look_number = 0; ///< of who asked last
        std::uint64_t looks_for = 0;   ///< of who has asked before the look began
        bool looking = false;
        std::size_t open = 0; ///< what the look still waits for
        std::vector<broker_event> found;
    };
    enum class state_read { found, none, failed };
    using on_read = std::function<void(state_read, std::uint64_t revision,
                                       std::optional<job_document> document)>;

    entry* find(const job_id& id);
    void emit(broker_event e) { out_.push_back(std::move(e)); }
    void flush();
    void connection_changed(bool connected);
    std::exception_ptr failure(const nats_message* m, const job_id& id) const;

    // Changes: broker_changes.cpp
    void create(const job_id& id, job_record* job, const std::string& document,
                const std::string& reference);
    void created(const job_id& id, job_record* job, const std::string& reference);
    void existed(const job_id& id, job_record* job);
    void next_change(const job_id& id);
    void answered(const job_id& id, const nats_message* m);
    void refused(const job_id& id);
    void lost(const job_id& id, entry& e);
    void failed(const job_id& id, entry& e, std::exception_ptr why);
    void written(const job_id& id, entry& e, std::uint64_t revision);
    void finish(const job_id& id, entry& e, const broker_change& c);
    void bury(const job_id& id, std::uint32_t delivery, const std::string& subject,
              std::string document, std::string ack, unsigned tries);
    void confirm(const std::string& ack, unsigned tries);
    void read_leader(const job_id& id, on_read done);
    void read_direct(const job_id& id, on_read done);
    void recheck(const job_id& id);
    void recheck_all();
    void recheck_again();
    void heard_pause(const nats_message& m);

    // Fetching: broker_fetch.cpp
    pulls& of_queue(const std::string& name);
    void make_consumers(pulls& q);
    void consumer_refused(const std::string& name, const std::string& why);
    void look_failed(pulls& q);
    void begin_look(pulls& q);
    void look_step(pulls& q);
    void top_up(lane& l);
    void top_up_all(pulls& q);
    void ask(lane& l, std::size_t jobs, bool looks);
    void close_pull(lane& l);
    void pulled(const nats_message& m);
    void came(lane& l, const nats_message& m);
    void has_read(const job_id& id, bool looks, state_read how, std::uint64_t revision,
                  std::optional<job_document> document);
    void probe(const lane& l, const std::shared_ptr<std::atomic<bool>>& more);
    void let_go(entry& e);
    void begun(entry& e);
    void renew();

    nats_link& link_;
    const nats_layout& layout_;
    const nats_store_options& options_;
    const std::string engine_;
    listener tell_;
    bool direct_reads_ = false;

    std::unordered_map<job_id, entry> entries_;
    std::unordered_map<std::string, std::unique_ptr<pulls>> queues_;
    std::unordered_map<std::string, lane*> lanes_; // by the subject of their references
    std::unordered_map<std::uint64_t, lane*> asked_;
    std::uint64_t last_pull_ = 0;
    std::vector<broker_event> out_;
};

} // namespace lifeguard::detail
