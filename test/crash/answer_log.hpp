#pragma once

#include <lifeguard/json.hpp>

#include <string>

namespace lifeguard::test {

/// What a driver asked and what it was answered, a line each, in a file that is synced before the
/// driver goes by what it says:
///   > {"n": 7, "do": "push", ...}     asked
///   < {"n": 7, "id": "..."}           answered
///   ! killed                          what happened to the engine
class answer_log {
  public:
    explicit answer_log(std::string path);
    ~answer_log();
    answer_log(const answer_log&) = delete;
    answer_log& operator=(const answer_log&) = delete;

    void asked(const json& request) { note("> " + request.dump()); }
    void answered(const std::string& line) { note("< " + line); }
    void happened(const std::string& what) { note("! " + what); }

    /// Writes and syncs what has been noted. Throws when it cannot.
    void sync();

    /// Empties the file. Throws when it cannot.
    void forget();

    const std::string& path() const noexcept { return path_; }

  private:
    void note(const std::string& line) { waiting_ += line + "\n"; }

    const std::string path_;
    int file_;
    std::string waiting_;
};

} // namespace lifeguard::test
