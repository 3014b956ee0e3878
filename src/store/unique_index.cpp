#include "store/unique_index.hpp"

#include <random>

namespace lifeguard::detail {
namespace {

constexpr std::size_t first_buckets = 16;

keyed_hash::key random_key() {
    std::random_device device;
    const auto half = [&device] { return (std::uint64_t{device()} << 32) | device(); };
    return {half(), half()};
}

/// What is compared with the claims.
struct wanted {
    const kind_entry& kind;
    std::string_view key;
    std::string_view payload;
    std::uint64_t hash;
};

} // namespace

bool has_key(const job_record& job, const kind_entry& kind, std::string_view key,
             std::string_view payload) noexcept {
    return job.unique && job.kind == &kind && job.unique->key == key &&
           (!key.empty() || job.payload == payload);
}

bool unique_index::alike::operator()(const unique_claim& a, const unique_claim& b) const noexcept {
    return has_key(a.job, *b.job.kind, b.key, b.job.payload);
}

unique_index::unique_index()
    : hash_(random_key()),
      buckets_(first_buckets),
      claims_(table::bucket_traits(buckets_.data(), buckets_.size())) {}

std::uint64_t unique_index::hash(std::string_view kind, std::string_view key,
                                 std::string_view payload) const noexcept {
    // Kinds differ in one half, so that the same text may be the key of many.
    return hash_(key.empty() ? payload : key) ^ std::rotl(hash_(kind), 32);
}

job_record* unique_index::holder(const kind_entry& kind, std::string_view key,
                                 std::string_view payload, std::uint64_t hash) noexcept {
    const wanted what{kind, key, payload, hash};
    const auto found = claims_.find(
        what, [](const wanted& w) { return static_cast<std::size_t>(w.hash); },
        [](const wanted& w, const unique_claim& c) {
            return has_key(c.job, w.kind, w.key, w.payload);
        });
    return found == claims_.end() ? nullptr : &found->job;
}

void unique_index::claim(job_record& job) {
    grow();
    const auto [place, inserted] = claims_.insert(*job.unique);
    // Rows count submissions. When a file is read they do not come in that order.
    if (inserted || place->job.row > job.row)
        return;
    // The claim itself stays: a store may be reading its text.
    claims_.erase(place);
    claims_.insert(*job.unique);
}

void unique_index::release(job_record& job) noexcept {
    if (job.unique && static_cast<claim_hook&>(*job.unique).is_linked())
        claims_.erase(claims_.iterator_to(*job.unique));
}

// Bucket by bucket, as in job_index.
void unique_index::grow() {
    if (claims_.size() < claims_.split_count())
        return;
    if (claims_.split_count() == claims_.bucket_count()) {
        std::vector<table::bucket_type> twice(2 * buckets_.size());
        claims_.incremental_rehash(table::bucket_traits(twice.data(), twice.size()));
        buckets_.swap(twice);
    }
    claims_.incremental_rehash(true);
}

} // namespace lifeguard::detail
