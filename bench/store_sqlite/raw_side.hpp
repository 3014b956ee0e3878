#pragma once

#include <string>
#include <string_view>

namespace bench {

inline constexpr int group = 256;
inline constexpr std::string_view payload =
    R"({"user":"4711","action":"resize","width":640,"height":480,)"
    R"("format":"webp","quality":85,"meta":{"tenant":"acme","try":1}})";

/// The floor: SQLite alone, in a loop on a thread of its own, with the pragmas of the store. The
/// tables have what anybody needs who keeps jobs: the job's id, kind, queue, priority, state, times
/// and attempts. Both answer jobs per second.
double raw_inserts(const std::string& path, int jobs, int in_group);
/// Insert, then delete and insert into a table of finished ones: a transaction for each half, as a
/// job's life has two answers that somebody waits for.
double raw_lives(const std::string& path, int jobs, int in_group);

/// Names files that nobody has used.
class files {
  public:
    explicit files(std::string folder) : folder_(std::move(folder)) {}
    std::string fresh() const { return folder_ + "/" + std::to_string(++number_) + ".db"; }

  private:
    std::string folder_;
    mutable int number_ = 0;
};

} // namespace bench
