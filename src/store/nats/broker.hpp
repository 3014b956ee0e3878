#pragma once

#include "store/locate_request.hpp"
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
        located,    ///< a job has been looked for: with its document if there is one; or `error`
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
    std::shared_ptr<locate_request> sought;
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

/// Which jobs of a queue somebody here would take.
struct wanted_jobs {
    std::size_t jobs = 0;    ///< of each priority
    unsigned priorities = 0; ///< a bit for each
    duration wait{};         ///< for so long, at most

    bool includes(std::size_t priority) const noexcept {
        return jobs != 0 && (priorities >> priority & 1U) != 0;
    }
    bool operator==(const wanted_jobs&) const = default;
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
    /// The job is for others, who may be able to run it; it comes back after a while that grows.
    void put_off(const job_id& id);
    /// One that was put off is wanted here now.
    void recall(const job_id& id);
    /// Nobody wants to hear of it any more.
    void forget(const job_id& id);
    /// Its state is not wanted any more.
    void purge(const job_id& id);
    /// Asks once for these, and tells when that is all: `looked`. What this engine has given back
    /// before is among what there is.
    void look(const std::string& queue, const wanted_jobs& what, std::uint64_t number);
    /// From now on so many jobs are to be here and not begun. No request for them waits longer on
    /// the server than those who want them.
    void keep(const std::string& queue, const wanted_jobs& what);
    void set_pause(std::shared_ptr<pause_request> r, std::string subject, std::string text);
    /// Looks for a job, and tells: `located`. When it is not final its end is told, too.
    void locate(std::shared_ptr<locate_request> r);
    /// For tests: sets `more` when a request that waits is about to be answered.
    void probe(const std::shared_ptr<std::atomic<bool>>& more);
    /// All that this engine has is for others, also what is on its way here. Blocks until the
    /// server has said that it knows, 3 s at most. Nothing is asked for afterwards.
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
        lane* put_off_in = nullptr;        ///< until `back_at` others may have it at once, by
        std::string recall_at;             ///< this subject
        time_point back_at;
        unsigned refusals = 0;          ///< how often it has been put off
        std::shared_ptr<void> followed; ///< what is written of it is heard, because it is asked for
        std::deque<broker_change> changes;
    };
    /// A priority of a queue.
    struct lane {
        pulls* queue = nullptr;
        std::string consumer;
        std::uint64_t pull = 0;  ///< the number of the request that waits; zero: none does
        std::size_t left = 0;    ///< so many more may come for it
        time_point lost_at;      ///< when its answer must have come
        std::uint64_t looks = 0; ///< the look that the request is of; zero: it waits for more jobs
        std::size_t unstarted = 0;
    };
    struct pulls {
        std::string name;
        std::array<lane, priority_last + 1> lanes;
        bool made = false; ///< the consumers are there
        bool making = false;
        wanted_jobs keep;
        std::uint64_t returns = 0;       ///< references that have been given back
        std::uint64_t returns_known = 0; ///< and of which the server has said so, or nothing
        wanted_jobs look;                ///< asked for, and not begun
        std::uint64_t look_after = 0;    ///< so many returns must be known
        std::uint64_t look_number = 0;   ///< of who asked last
        std::uint64_t looks_for = 0;     ///< of who has asked before the look began
        std::uint64_t looking = 0;       ///< the number of the look that goes on; zero: none does
        std::size_t open = 0;            ///< what it still waits for
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
    void follow(const job_id& id, std::uint64_t revision);
    void heard_pause(const nats_message& m);

    // Finished jobs that are too old: broker_cleaning.cpp
    void plan_cleaning();
    void clean(std::size_t most);
    bool cleaned(const json& found);
    void erase_state(const std::string& subject, std::uint64_t revision);
    void purge_state(const std::string& subject, std::uint64_t before);
    duration age_of(job_state state) const noexcept;

    // Fetching: broker_fetch.cpp
    pulls& of_queue(const std::string& name);
    void make_consumers(pulls& q);
    void consumer_refused(const std::string& name, const std::string& why);
    void look_failed(pulls& q);
    void begin_look(pulls& q);
    void look_step(pulls& q, std::uint64_t look);
    void end_look(pulls& q);
    void top_up(lane& l);
    void top_up_all(pulls& q);
    void ask(lane& l, std::size_t jobs, std::uint64_t look);
    void close_pull(lane& l);
    void sweep();
    void pulled(const nats_message& m);
    void came(lane& l, const nats_message& m);
    void came(lane& l, const job_id& id, std::string ack);
    void is_over(const job_id& id, entry& e, std::optional<job_document> d);
    void has_read(const job_id& id, std::uint64_t look, state_read how, std::uint64_t revision,
                  std::optional<job_document> document);
    void probe(const lane& l, const std::shared_ptr<std::atomic<bool>>& more);
    void nak(entry& e, duration delay);
    void let_go(entry& e);
    void begun(entry& e);
    void renew();

    nats_link& link_;
    const nats_layout& layout_;
    const nats_store_options& options_;
    const std::string engine_;
    listener tell_;
    bool direct_reads_ = false;
    std::uint64_t fetches_ = 0; ///< the subscription
    bool leaving_ = false;

    std::unordered_map<job_id, entry> entries_;
    std::unordered_map<job_id, std::uint64_t> finished_; ///< by us; their last revisions
    std::unordered_map<std::string, std::unique_ptr<pulls>> queues_;
    std::unordered_map<std::string, lane*> lanes_; // by the subject of their references
    std::unordered_map<std::uint64_t, lane*> asked_;
    std::uint64_t last_pull_ = 0;
    std::uint64_t last_look_ = 0;
    std::size_t rechecked_ = 0;    ///< jobs, round and round
    std::uint64_t clean_from_ = 1; ///< a revision of the bucket's
    duration clean_age_;           ///< nothing that is younger is too old
    std::vector<broker_event> out_;
};

} // namespace lifeguard::detail
