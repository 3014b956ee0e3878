#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace lifeguard {

enum class log_level { debug, info, warning, error };

/// "debug", "info", "warning", "error".
std::string_view name_of(log_level level) noexcept;

/// One fact about what is reported: {"pool", "images"}. Keys are lower case words, fixed by the
/// library.
struct log_field {
    std::string_view key;
    std::string value;
};

/// One thing that happened. `event` is a fixed word of the library's ("worker_started"), for
/// programs; `message` is a sentence, for people. The views are to string literals.
struct log_record {
    log_level level = log_level::info;
    std::string_view event;
    std::string message;
    std::vector<log_field> fields;
};

/// Where the library's log goes. A program writes its own to join it to what it logs itself.
class log_sink {
  public:
    virtual ~log_sink() = default;

    /// Takes a record. Should not block: it runs on the thread that reports.
    /// Errors: what it throws is swallowed, and counted as `lifeguard_log_errors_total`.
    /// Thread safety: called from any thread, also from several at once, and never with a lock of
    /// the library's held, so that it may call into the library.
    virtual void write(const log_record& record) = 0;
};

/// The record as one line of logfmt, without the line's end:
/// `level=warning event=worker_restarted pool=images msg="worker 3 restarted"`. Values are quoted
/// when they are empty or hold anything but plain characters; in quotes, `"`, `\` and control
/// characters are escaped (`\n`, `\u001b`), so a line cannot be forged. Other UTF-8 passes; bytes
/// that are none are replaced by U+FFFD.
std::string to_logfmt(const log_record& record);

/// Writes a line per record of at least `at_least` to standard error, in one call each, so that
/// lines of several threads do not mix. Thread-safe.
std::shared_ptr<log_sink> stderr_log(log_level at_least = log_level::info);

/// What library code logs through: a sink that may be absent, whose exceptions end here. Copies
/// share the sink and the count. Thread-safe.
class logger {
  public:
    logger() = default;
    explicit logger(std::shared_ptr<log_sink> sink);

    /// Whether there is a sink. Look before you build a record.
    explicit operator bool() const noexcept { return shared_ != nullptr; }

    /// Gives the record to the sink. Call it without a lock held.
    void write(const log_record& record) const noexcept;

    /// The sink; empty when there is none.
    std::shared_ptr<log_sink> sink() const noexcept;

    /// How many records the sink threw at.
    std::uint64_t errors() const noexcept;

  private:
    struct shared;
    std::shared_ptr<shared> shared_;
};

} // namespace lifeguard
