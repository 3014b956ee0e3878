#include "crash/answer_log.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace lifeguard::test {
namespace {

[[noreturn]] void fail(const std::string& path) {
    throw std::system_error(errno, std::generic_category(), path);
}

} // namespace

answer_log::answer_log(std::string path)
    : path_(std::move(path)),
      file_(::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644)) {
    if (file_ < 0)
        fail(path_);
}

answer_log::~answer_log() { ::close(file_); }

void answer_log::sync() {
    if (waiting_.empty())
        return;
    const std::string lines = std::exchange(waiting_, {});
    if (::write(file_, lines.data(), lines.size()) != static_cast<ssize_t>(lines.size()) ||
        ::fdatasync(file_) != 0)
        fail(path_);
}

void answer_log::forget() {
    if (::ftruncate(file_, 0) != 0)
        fail(path_);
}

} // namespace lifeguard::test
