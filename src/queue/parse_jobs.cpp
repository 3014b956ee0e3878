// An array of jobs.

#include "queue/json_text.hpp"
#include "queue/parse_element.hpp"

namespace lifeguard {
namespace {

constexpr std::string_view space = " \t\r\n";

/// Finds the elements of an array without reading what is in them: that is left to who parses them,
/// who also finds out what is wrong with them.
class array_splitter {
  public:
    explicit array_splitter(std::string_view text) : text_(text) { skip_space(); }

    std::size_t position() const noexcept { return at_; }
    bool at_end() const noexcept { return at_ == text_.size(); }
    bool at(char c) const noexcept { return !at_end() && text_[at_] == c; }
    void skip() {
        ++at_;
        skip_space();
    }

    /// Up to the comma or the bracket that ends it, or to the end of the text.
    std::string_view element() {
        const std::size_t begin = at_;
        std::size_t depth = 0;
        for (; !at_end(); ++at_) {
            const char c = text_[at_];
            if (c == '"')
                skip_string();
            else if (c == '{' || c == '[')
                ++depth;
            else if (depth == 0 && (c == ',' || c == ']'))
                break;
            else if (c == '}' || c == ']')
                depth -= depth == 0 ? 0 : 1;
            if (at_end())
                break; // within a string
        }
        return text_.substr(begin, at_ - begin);
    }

  private:
    void skip_space() {
        at_ = text_.find_first_not_of(space, at_);
        if (at_ == std::string_view::npos)
            at_ = text_.size();
    }

    /// To its closing quote.
    void skip_string() {
        for (++at_; !at_end() && text_[at_] != '"'; ++at_)
            if (text_[at_] == '\\' && at_ + 1 < text_.size())
                ++at_;
    }

    const std::string_view text_;
    std::size_t at_ = 0;
};

job_parse_error fault(errc code, std::size_t position, const std::string& what) {
    job_parse_error e;
    e.code = make_error_code(code);
    e.position = position;
    e.message = "jobs at byte " + std::to_string(position) + ": " + what;
    return e;
}

} // namespace

boost::system::result<std::vector<new_job>, job_parse_error> parse_jobs(std::string_view text,
                                                                        const job_limits& limits) {
    if (const auto odd = detail::not_json_text(text))
        return fault(errc::malformed_json, odd->position, odd->what);
    array_splitter array(text);
    if (!array.at('['))
        return fault(errc::invalid_job, array.position(), "must be an array");
    array.skip();
    if (array.at(']'))
        return fault(errc::invalid_job, array.position(), "must not be empty");
    std::vector<new_job> jobs;
    for (;;) {
        if (jobs.size() == batch_max)
            return fault(errc::limit_reached, array.position(),
                         "more than " + std::to_string(batch_max) + " jobs");
        const std::size_t offset = array.position();
        auto job = detail::parse_element(array.element(), limits,
                                         "jobs[" + std::to_string(jobs.size()) + "]", offset);
        if (!job)
            return job.error();
        jobs.push_back(std::move(*job));
        if (!array.at(','))
            break;
        array.skip();
    }
    if (!array.at(']'))
        return fault(errc::malformed_json, array.position(), "is not JSON: the array has no end");
    array.skip();
    if (!array.at_end())
        return fault(errc::malformed_json, array.position(),
                     "is not JSON: something follows the array");
    return jobs;
}

} // namespace lifeguard
