#include "cli/progress.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <iostream>

namespace lifeguard::cli {

std::string time_text(double seconds) {
    const auto whole = static_cast<std::uint64_t>(std::max(0.0, std::ceil(seconds)));
    if (whole < 60)
        return std::to_string(whole) + " s";
    if (whole < 3600)
        return std::to_string(whole / 60) + " min " + std::to_string(whole % 60) + " s";
    return std::to_string(whole / 3600) + " h " + std::to_string(whole / 60 % 60) + " min";
}

std::string rate_text(double per_second) {
    const auto tenths = static_cast<std::uint64_t>(std::llround(std::max(0.0, per_second) * 10));
    const std::string whole = std::to_string(tenths / 10);
    return tenths < 100 ? whole + "." + std::to_string(tenths % 10) : whole;
}

progress::progress(std::string what, std::uint64_t whole)
    : what_(std::move(what)),
      whole_(whole),
      shown_(::isatty(STDERR_FILENO) != 0),
      began_(clock::now()),
      last_(began_) {}

double progress::seconds() const {
    return std::max(std::chrono::duration<double>(clock::now() - began_).count(), 1e-3);
}

void progress::add(std::uint64_t count, std::uint64_t part) {
    count_ += count;
    done_ += part;
    if (shown_ && clock::now() - last_ >= std::chrono::milliseconds(200))
        show();
}

void progress::show() {
    last_ = clock::now();
    const double rate = static_cast<double>(count_) / seconds();
    std::cerr << '\r';
    if (whole_ != 0 && done_ != 0) {
        constexpr int width = 30;
        const double part = std::min(1.0, static_cast<double>(done_) / static_cast<double>(whole_));
        const auto full = static_cast<std::size_t>(part * width);
        std::cerr << '[' << std::string(full, '#') << std::string(width - full, '-') << "] "
                  << static_cast<int>(part * 100) << " %  " << count_ << ' ' << what_ << "  "
                  << rate_text(rate) << " per second  " << time_text(seconds() / part - seconds())
                  << " left";
    } else {
        std::cerr << count_ << ' ' << what_ << "  " << rate_text(rate) << " per second";
    }
    std::cerr << "\033[K" << std::flush;
}

void progress::finish() {
    if (shown_)
        std::cerr << "\r\033[K";
    std::cerr << "lifeguard: " << count_ << ' ' << what_ << " in " << rate_text(seconds()) << " s ("
              << rate_text(static_cast<double>(count_) / seconds()) << " per second)\n";
}

} // namespace lifeguard::cli
