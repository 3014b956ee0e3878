#include "queue/json_text.hpp"
#include "queue/parse_element.hpp"
#include "queue/rfc3339.hpp"
#include <lifeguard/job.hpp>

#include <algorithm>
#include <limits>

namespace lifeguard {

/// Follows nlohmann's parser through the text of a job, without building the payload: it only notes
/// where the payload begins and ends, so that it is kept byte for byte.
class job_parser {
  public:
    /// `name` stands for the whole in error messages, and `offset` is where it begins: an element
    /// of an array has a place there.
    job_parser(std::string_view text, const job_limits& limits, std::string name = "",
               std::size_t offset = 0)
        : text_(text), limits_(limits), name_(std::move(name)), offset_(offset) {}

    boost::system::result<new_job, job_parse_error> parse() {
        if (const auto odd = detail::not_json_text(text_)) {
            fail(errc::malformed_json, "", odd->position, odd->what);
            return error_;
        }
        // NOLINTNEXTLINE(bugprone-suspicious-stringview-data-usage): both ends are given
        json::sax_parse(iterator{this, text_.data()}, iterator{this, text_.data() + text_.size()},
                        this);
        if (!failed_ && !seen_kind_)
            fail(errc::invalid_job, "kind", 0, "is missing");
        if (!failed_ && delay_given_ && job_.run_at)
            fail(errc::invalid_job, "delay_ms", 0, "not together with run_at");
        if (!failed_)
            set_unique();
        if (failed_)
            return error_;
        return std::move(job_);
    }

    // What the parser calls, in the order of the text. False stops it.
    bool null() { return value(nullptr); }
    bool boolean(bool v) { return value(v); }
    bool number_integer(json::number_integer_t v) { return value(v); }
    bool number_unsigned(json::number_unsigned_t v) { return value(v); }
    bool number_float(json::number_float_t v, const std::string&) { return value(v); }
    bool string(std::string& v) {
        if (depth_ > 1)
            return !states_open_ || add_state(v);
        return value(std::move(v));
    }
    bool binary(json::binary_t&) { return false; } // not in JSON text
    bool start_object(std::size_t) { return open(true); }
    bool end_object() { return close(); }
    bool start_array(std::size_t) { return open(false); }
    bool end_array() { return close(); }

    bool key(std::string& name) {
        if (depth_ != 1)
            return true;
        value_at_ = value_position();
        if (std::ranges::find(members_, name) != members_.end())
            return fail(errc::invalid_job, name, value_at_, "is given twice");
        members_.push_back(name);
        return true;
    }

    bool parse_error(std::size_t position, const std::string&, const json::exception& e) {
        return fail(errc::malformed_json, members_.empty() ? "" : members_.back(),
                    std::min(detail::error_position(position), text_.size()), detail::reason_of(e));
    }

  private:
    /// Counts what the parser has read.
    struct iterator {
        using iterator_category = std::input_iterator_tag;
        using value_type = char;
        using difference_type = std::ptrdiff_t;
        using pointer = const char*;
        using reference = const char&;

        job_parser* parser;
        const char* at;

        const char& operator*() const { return *at; }
        iterator& operator++() {
            ++at;
            parser->at_ = static_cast<std::size_t>(at - parser->text_.data());
            return *this;
        }
        bool operator==(const iterator& other) const { return at == other.at; }
        bool operator!=(const iterator& other) const { return at != other.at; }
    };

    /// The parser has just read a member's name: its value begins after the colon.
    std::size_t value_position() const {
        std::size_t p = text_.find(':', at_);
        if (p == std::string_view::npos)
            return at_; // the parser will say so
        p = text_.find_first_not_of(" \t\r\n", p + 1);
        return p == std::string_view::npos ? text_.size() : p;
    }

    bool open(bool object) {
        if (depth_ == 0 && !object)
            return fail(errc::invalid_job, "", 0, "must be an object, is an array");
        if (depth_ == 1) {
            states_open_ = members_.back() == "unique_states" && !object;
            if (members_.back() != "payload" && !states_open_)
                return set(object ? json::object() : json::array());
            structured_payload_ = structured_payload_ || !states_open_;
        }
        if (depth_ > 1 && states_open_)
            return wrong_state();
        // The job object itself is one level.
        if (!states_open_ && depth_ > limits_.depth_max)
            return fail(errc::too_deep, "payload", at_,
                        "is nested deeper than " + std::to_string(limits_.depth_max) + " levels");
        ++depth_;
        return true;
    }

    bool close() {
        --depth_;
        if (depth_ == 1 && std::exchange(states_open_, false))
            return states_given_ || wrong("must name one state at least");
        if (depth_ == 1 && structured_payload_)
            return set_payload(at_);
        return true;
    }

    template <typename T>
    bool value(T&& v) {
        if (depth_ == 0)
            return fail(errc::invalid_job, "", 0, "must be an object");
        if (depth_ > 1)
            return !states_open_ || wrong_state();
        return set(json(std::forward<T>(v)));
    }

    bool set_payload(std::size_t end) {
        const std::string_view payload = text_.substr(value_at_, end - value_at_);
        if (payload.size() > limits_.payload_max)
            return fail(errc::payload_too_large, "payload", value_at_,
                        std::to_string(payload.size()) + " bytes, at most " +
                            std::to_string(limits_.payload_max));
        job_.payload_ = payload;
        job_.depth_max_ = structured_payload_ ? limits_.depth_max : 0;
        job_.checked_ = true;
        return true;
    }

    /// The end of a payload that is a string, a number or a literal.
    std::size_t scalar_end(const json& v) const {
        if (v.is_string())
            return at_;
        const std::size_t end = text_.find_first_of(",} \t\r\n", value_at_);
        return end == std::string_view::npos ? text_.size() : end;
    }

    bool set(const json& v) {
        const std::string& name = members_.back();
        if (name == "payload")
            return set_payload(scalar_end(v));
        if (name == "kind") {
            seen_kind_ = true;
            return text(v, job_.kind) && (!job_.kind.empty() || wrong("must not be empty"));
        }
        if (name == "queue")
            return text(v, job_.queue) && (!job_.queue.empty() || wrong("must not be empty"));
        if (name == "priority")
            return whole(v, priority_first, priority_last, job_.priority);
        if (name == "max_attempts")
            return whole(v, 1U, std::numeric_limits<unsigned>::max(), job_.max_attempts);
        if (name == "delay_ms") {
            delay_given_ = true;
            return milliseconds(v, 0, job_.delay);
        }
        if (name == "timeout_ms")
            return milliseconds(v, 1, job_.timeout);
        if (name == "run_at") {
            std::string when;
            if (!text(v, when))
                return false;
            job_.run_at = detail::parse_rfc3339(when);
            return job_.run_at.has_value() || wrong("must be a time such as 2026-01-31T12:00:00Z");
        }
        if (name == "id") {
            std::string id;
            if (!text(v, id))
                return false;
            const auto parsed = job_id::parse(id);
            if (!parsed || parsed->is_nil())
                return wrong("must be a UUID of 36 characters");
            job_.id = *parsed;
            return true;
        }
        return name.starts_with("unique") ? set_unique(name, v) : unknown(name);
    }

    bool set_unique(const std::string& name, const json& v) {
        if (name == "unique") {
            if (!v.is_boolean())
                return wrong(std::string("must be true or false, is ") + v.type_name());
            by_payload_ = v.get<bool>();
            return true;
        }
        if (name == "unique_key")
            return text(v, unique_.key) && (!unique_.key.empty() || wrong("must not be empty"));
        if (name == "unique_period_ms")
            return milliseconds(v, 1, unique_.period);
        if (name == "unique_states")
            return wrong(std::string("must be an array of states, is ") + v.type_name());
        return unknown(name);
    }

    bool add_state(std::string_view name) {
        for (const job_state s : {job_state::scheduled, job_state::available, job_state::executing,
                                  job_state::retryable, job_state::completed, job_state::cancelled,
                                  job_state::discarded}) {
            if (name != name_of(s))
                continue;
            if (!std::exchange(states_given_, true))
                unique_.states = job_states();
            unique_.states.add(s);
            return true;
        }
        return wrong_state();
    }

    bool wrong_state() { return wrong("must hold names of states, such as \"available\""); }

    /// The members about uniqueness, which have to go together.
    bool set_unique() {
        const auto given = [this](std::string_view name) {
            return std::ranges::find(members_, name) != members_.end();
        };
        if (by_payload_ && !unique_.key.empty())
            return fail(errc::invalid_job, "unique", 0, "not together with unique_key");
        if (by_payload_ || !unique_.key.empty()) {
            job_.unique = std::move(unique_);
            return true;
        }
        for (const char* name : {"unique_period_ms", "unique_states"})
            if (given(name))
                return fail(errc::invalid_job, name, 0, "only with unique or unique_key");
        return true;
    }

    bool unknown(const std::string& name) {
        return fail(errc::invalid_job, name, value_at_, "is not a member of a job");
    }

    bool text(const json& v, std::string& out) {
        if (!v.is_string())
            return wrong(std::string("must be a string, is ") + v.type_name());
        out = v.get<std::string>();
        return true;
    }

    template <typename T>
    bool whole(const json& v, T low, T high, T& out) {
        if (!v.is_number_integer())
            return wrong(std::string("must be a whole number, is ") + v.type_name());
        const bool negative = !v.is_number_unsigned() && v.get<std::int64_t>() < 0;
        const auto magnitude = negative ? 0 : v.get<std::uint64_t>();
        if (negative || magnitude < static_cast<std::uint64_t>(low) ||
            magnitude > static_cast<std::uint64_t>(high))
            return wrong("must be " + std::to_string(low) + " to " + std::to_string(high));
        out = static_cast<T>(magnitude);
        return true;
    }

    bool milliseconds(const json& v, std::int64_t low, duration& out) {
        // A hundred years: beyond it nanoseconds run over.
        constexpr std::int64_t high = std::int64_t{100} * 365 * 24 * 3600 * 1000;
        std::int64_t ms = 0;
        if (!whole(v, low, high, ms))
            return false;
        out = std::chrono::milliseconds(ms);
        return true;
    }

    bool wrong(const std::string& message) {
        return fail(errc::invalid_job, members_.back(), value_at_, message);
    }

    bool fail(errc code, const std::string& member, std::size_t position,
              const std::string& message) {
        if (failed_)
            return false;
        failed_ = true;
        error_.code = make_error_code(code);
        error_.position = offset_ + position;
        const std::string shown = member.substr(0, name_shown_max);
        if (name_.empty()) {
            error_.member = member;
            error_.message = member.empty() ? "job" : "member '" + shown + "'";
        } else {
            error_.member = member.empty() ? name_ : name_ + "." + member;
            error_.message = member.empty() ? name_ : name_ + "." + shown;
        }
        error_.message += " at byte " + std::to_string(error_.position) + ": " + message;
        return false;
    }

    // Members have short names; an unknown one may be as long as the text.
    static constexpr std::size_t name_shown_max = 64;

    const std::string_view text_;
    const job_limits limits_;
    const std::string name_;
    const std::size_t offset_;
    std::size_t at_ = 0;
    std::size_t depth_ = 0;
    std::size_t value_at_ = 0; // of the member that is being read
    std::vector<std::string> members_;
    bool structured_payload_ = false;
    bool states_open_ = false; // within the array of unique_states
    bool states_given_ = false;
    bool by_payload_ = false;
    unique_options unique_;
    bool seen_kind_ = false;
    bool delay_given_ = false;
    bool failed_ = false;
    job_parse_error error_;
    new_job job_{std::string()};
};

boost::system::result<new_job, job_parse_error> parse_job(std::string_view text,
                                                          const job_limits& limits) {
    return job_parser(text, limits).parse();
}

boost::system::result<new_job, job_parse_error> detail::parse_element(std::string_view text,
                                                                      const job_limits& limits,
                                                                      std::string name,
                                                                      std::size_t offset) {
    return job_parser(text, limits, std::move(name), offset).parse();
}

void throw_exception_from_error(const job_parse_error& e, const boost::source_location&) {
    throw error(static_cast<errc>(e.code.value()), e.message);
}

} // namespace lifeguard
