#include "queue/rfc3339.hpp"

#include <charconv>
#include <cstdio>

namespace lifeguard::detail {
namespace {

/// Takes fixed-width pieces off the front of a text.
class reader {
  public:
    explicit reader(std::string_view text) : rest_(text) {}

    int digits(std::size_t width, int low, int high) {
        int value = 0;
        for (std::size_t i = 0; i < width; ++i) {
            if (i >= rest_.size() || rest_[i] < '0' || rest_[i] > '9')
                return fail();
            value = value * 10 + (rest_[i] - '0');
        }
        rest_.remove_prefix(width);
        return value < low || value > high ? fail() : value;
    }

    char one_of(std::string_view allowed) {
        if (rest_.empty() || allowed.find(rest_.front()) == std::string_view::npos) {
            fail();
            return '\0';
        }
        const char c = rest_.front();
        rest_.remove_prefix(1);
        return c;
    }

    /// ".25" as nanoseconds; nothing is zero. Digits beyond the ninth are dropped.
    std::chrono::nanoseconds fraction() {
        if (rest_.empty() || rest_.front() != '.')
            return {};
        rest_.remove_prefix(1);
        std::int64_t value = 0;
        std::size_t n = 0;
        for (; n < rest_.size() && rest_[n] >= '0' && rest_[n] <= '9'; ++n)
            if (n < 9)
                value = value * 10 + (rest_[n] - '0');
        if (n == 0)
            fail();
        for (std::size_t i = n; i < 9; ++i)
            value *= 10;
        rest_.remove_prefix(n);
        return std::chrono::nanoseconds(value);
    }

    bool done() const noexcept { return ok_ && rest_.empty(); }
    bool ok() const noexcept { return ok_; }

  private:
    int fail() {
        ok_ = false;
        return 0;
    }

    std::string_view rest_;
    bool ok_ = true;
};

} // namespace

std::optional<wall_time> parse_rfc3339(std::string_view text) {
    reader in(text);
    const int year = in.digits(4, 1970, 2200); // beyond it nanoseconds run over
    in.one_of("-");
    const int month = in.digits(2, 1, 12);
    in.one_of("-");
    const int day = in.digits(2, 1, 31);
    in.one_of("Tt ");
    const int hour = in.digits(2, 0, 23);
    in.one_of(":");
    const int minute = in.digits(2, 0, 59);
    in.one_of(":");
    const int second = in.digits(2, 0, 60);
    const auto fraction = in.fraction();
    std::chrono::minutes offset{};
    const char zone = in.one_of("Zz+-");
    if (zone == '+' || zone == '-') {
        const int hours = in.digits(2, 0, 23);
        in.one_of(":");
        const int minutes = in.digits(2, 0, 59);
        offset = std::chrono::hours(hours) + std::chrono::minutes(minutes);
        if (zone == '-')
            offset = -offset;
    }
    if (!in.done())
        return std::nullopt;
    const std::chrono::year_month_day date{std::chrono::year(year),
                                           std::chrono::month(static_cast<unsigned>(month)),
                                           std::chrono::day(static_cast<unsigned>(day))};
    if (!date.ok())
        return std::nullopt;
    return std::chrono::time_point_cast<wall_time::duration>(
        std::chrono::sys_days(date) + std::chrono::hours(hour) + std::chrono::minutes(minute) +
        std::chrono::seconds(second) + fraction - offset);
}

std::string format_rfc3339(wall_time t) {
    const auto ms = std::chrono::floor<std::chrono::milliseconds>(t);
    const auto day = std::chrono::floor<std::chrono::days>(ms);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss time(ms - day);
    char text[40];
    std::snprintf(
        text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", static_cast<int>(date.year()),
        static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
        static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()),
        static_cast<int>(time.seconds().count()), static_cast<int>(time.subseconds().count()));
    return text;
}

} // namespace lifeguard::detail
