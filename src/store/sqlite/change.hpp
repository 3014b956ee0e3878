#pragma once

#include "store/pause_request.hpp"
#include "store/settlement.hpp"

#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <vector>

namespace lifeguard::detail {

/// Something that is to be stored. The job's record stays where it is meanwhile, and nobody changes
/// those of its members that are written: so they may be read without the engine's lock.
struct change {
    enum class kind { push, settle, remove, pause };
    kind what = kind::push;
    job_record* job = nullptr;      ///< null: `pause` has none
    std::vector<job_record*> batch; ///< of a push of many: all of them, `job` being the first
    settlement how;                 ///< of `settle`
    std::shared_ptr<pause_request> pause;
    std::exception_ptr error; ///< why it could not be stored
};

/// A job that has been forgotten to make room, and whose row must go.
struct trimmed_row {
    job_record::table from = job_record::table::none;
    std::int64_t row = 0;
    bool has_errors = false;
};

/// The table in which a job of this state has its row.
constexpr job_record::table table_of(job_state state) noexcept {
    if (!is_final(state))
        return job_record::table::live;
    return state == job_state::discarded ? job_record::table::discarded
                                         : job_record::table::finished;
}

} // namespace lifeguard::detail
