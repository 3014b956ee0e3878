#pragma once

#include <lifeguard/json.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace lifeguard::test {

/// The books of a queue, kept from an `answer_log`, by the rules of Jepsen's total-queue checker:
/// what was acknowledged is delivered, what is delivered was attempted. And beyond these: nothing
/// is completed twice, nothing comes back that was completed or removed, and nothing is delivered
/// a second time for no reason.
class accounting {
  public:
    /// One line of the log. "! drained" says that all jobs there are have been delivered and
    /// finished: the books are closed, and the jobs forgotten.
    void read(const std::string& line);
    /// All lines of a file.
    void read_file(const std::string& path);

    struct figures {
        std::size_t attempts = 0;     ///< pushes
        std::size_t acknowledged = 0; ///< answered with an id
        std::size_t delivered = 0;    ///< jobs that somebody got
        std::size_t lost = 0;         ///< acknowledged, and nobody ever got it
        std::size_t unexpected = 0;   ///< delivered, and nobody had pushed it
        std::size_t recovered = 0;    ///< delivered, though the push had no answer
        std::size_t duplicated = 0;   ///< delivered again after a crash
        std::size_t completed = 0;    ///< completions that were answered
        std::size_t completed_twice = 0;
        std::size_t crashes = 0;

        friend bool operator==(const figures&, const figures&) = default;
    };
    const figures& so_far() const noexcept { return figures_; }
    /// What must not be, in words.
    const std::vector<std::string>& faults() const noexcept { return faults_; }

  private:
    struct job {
        bool attempted = false;
        bool acknowledged = false;
        bool refused = false;
        bool removed = false;
        bool may_be_gone = false; ///< a removal or a completion that had no answer
        bool held = false;        ///< by whoever got it last
        bool interrupted = false; ///< held when the engine ended
        std::size_t deliveries = 0;
        std::size_t completions = 0;
    };
    struct request {
        std::string what;
        std::string id;
    };
    void asked(const json& request);
    void answered(const json& answer);
    void delivered(const std::string& id);
    void crashed();
    void drained();
    void fault(const std::string& id, const std::string& what);

    std::unordered_map<std::string, job> jobs_;
    std::map<std::uint64_t, request> pending_;
    figures figures_;
    std::vector<std::string> faults_;
};

} // namespace lifeguard::test
