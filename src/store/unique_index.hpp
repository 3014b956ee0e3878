#pragma once

#include "base/keyed_hash.hpp"
#include "queue/job_record.hpp"

#include <cstdint>
#include <string_view>
#include <vector>

namespace lifeguard::detail {

/// Which unique job has which key: for each key the job that was submitted last with it. Costs
/// nothing while there are none. Guarded by the engine's lock, but for `hash`.
class unique_index {
  public:
    unique_index();
    ~unique_index() { clear(); }
    unique_index(const unique_index&) = delete;
    unique_index& operator=(const unique_index&) = delete;

    /// Of a key, or when that is empty of a payload. Any thread, no lock: a payload may be long.
    std::uint64_t hash(std::string_view kind, std::string_view key,
                       std::string_view payload) const noexcept;

    /// Whose the key is; null when it is nobody's.
    job_record* holder(const kind_entry& kind, std::string_view key, std::string_view payload,
                       std::uint64_t hash) noexcept;

    /// The key of a unique job is now that job's, unless a later one has it.
    void claim(job_record& job);
    /// It is nobody's, if it has been that job's.
    void release(job_record& job) noexcept;
    void clear() noexcept { claims_.clear(); }

  private:
    struct hash_of {
        std::size_t operator()(const unique_claim& c) const noexcept {
            return static_cast<std::size_t>(c.hash);
        }
    };
    struct alike {
        bool operator()(const unique_claim& a, const unique_claim& b) const noexcept;
    };
    using table = boost::intrusive::unordered_set<
        unique_claim, boost::intrusive::base_hook<claim_hook>, boost::intrusive::hash<hash_of>,
        boost::intrusive::equal<alike>, boost::intrusive::power_2_buckets<true>,
        boost::intrusive::incremental<true>>;

    void grow();

    const keyed_hash hash_;
    std::vector<table::bucket_type> buckets_;
    table claims_;
};

/// Whether a unique job has this key.
bool has_key(const job_record& job, const kind_entry& kind, std::string_view key,
             std::string_view payload) noexcept;

} // namespace lifeguard::detail
