#include "checksum.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <stdexcept>

namespace asio = boost::asio;

namespace {

/// So often a file that cannot be read is tried. Attempts that a kill cut off count, too.
constexpr unsigned attempts_max = 3;
constexpr std::size_t chunk_size = 256 * 1024;

/// The file cannot be read, or not now.
struct file_error : std::runtime_error {
    using runtime_error::runtime_error;
};

std::int64_t change_time(const struct stat& s) {
    return std::int64_t{s.st_ctim.tv_sec} * 1'000'000'000 + s.st_ctim.tv_nsec;
}

class file {
  public:
    // Not blocking: what was a file when it was listed may be a pipe by now.
    explicit file(const std::string& path)
        : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)) {
        if (fd_ < 0)
            throw file_error(std::strerror(errno));
    }
    ~file() { ::close(fd_); }
    file(const file&) = delete;
    file& operator=(const file&) = delete;

    struct stat status() const {
        struct stat s = {};
        if (::fstat(fd_, &s) != 0)
            throw file_error(std::strerror(errno));
        if (!S_ISREG(s.st_mode))
            throw file_error("is not a regular file any more");
        return s;
    }

    /// Zero at the end.
    std::size_t read(std::string& chunk) const {
        const ssize_t n = ::read(fd_, chunk.data(), chunk.size());
        if (n < 0)
            throw file_error(std::strerror(errno));
        return static_cast<std::size_t>(n);
    }

  private:
    int fd_;
};

class sha256 {
  public:
    sha256() : context_(EVP_MD_CTX_new()) {
        check(EVP_DigestInit_ex(context_, EVP_sha256(), nullptr));
    }
    ~sha256() { EVP_MD_CTX_free(context_); }
    sha256(const sha256&) = delete;
    sha256& operator=(const sha256&) = delete;

    void update(const void* data, std::size_t size) {
        check(EVP_DigestUpdate(context_, data, size));
    }
    std::string finish() {
        std::string digest(32, '\0');
        check(
            EVP_DigestFinal_ex(context_, reinterpret_cast<unsigned char*>(digest.data()), nullptr));
        return digest;
    }

  private:
    static void check(int ok) {
        if (ok != 1)
            throw std::runtime_error("OpenSSL refuses to compute SHA-256");
    }
    EVP_MD_CTX* context_;
};

std::string to_hex(const std::string& bytes) {
    std::string hex;
    for (const char c : bytes) {
        hex += "0123456789abcdef"[static_cast<unsigned char>(c) >> 4U];
        hex += "0123456789abcdef"[static_cast<unsigned char>(c) & 0xfU];
    }
    return hex;
}

std::string from_hex(const std::string& hex) {
    std::string bytes;
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
        bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
    return bytes;
}

asio::awaitable<lifeguard::json> hash_file(std::string path) {
    const file input(path);
    const struct stat before = input.status();
    std::string chunk(chunk_size, '\0');
    sha256 digest;
    std::int64_t bytes = 0;
    while (const std::size_t n = input.read(chunk)) {
        digest.update(chunk.data(), n);
        bytes += static_cast<std::int64_t>(n);
        // Others may run now. A kill or a timeout takes effect here, too: by an exception.
        co_await asio::post(asio::use_awaitable);
    }
    const struct stat after = input.status();
    if (change_time(before) != change_time(after) || bytes != after.st_size)
        throw file_error(changed_while_read);
    lifeguard::json result = {
        {"sha256", to_hex(digest.finish())}, {"bytes", bytes}, {"ctime_ns", change_time(after)}};
    co_return result;
}

} // namespace

lifeguard::json payload_of(const std::string& path) {
    try {
        lifeguard::json payload = {{"path", path}};
        (void)payload.dump(); // throws when it is not UTF-8
        return payload;
    } catch (const lifeguard::json::type_error&) {
        return {{"path_hex", to_hex(path)}};
    }
}

std::string path_in(const lifeguard::json& payload) {
    const auto plain = payload.find("path");
    return plain != payload.end() ? plain->get<std::string>()
                                  : from_hex(payload.at("path_hex").get<std::string>());
}

std::int64_t change_time(const std::string& path) {
    struct stat s = {};
    return ::lstat(path.c_str(), &s) == 0 ? change_time(s) : 0;
}

asio::awaitable<lifeguard::json> checksum(lifeguard::job_context& job) {
    try {
        co_return co_await hash_file(path_in(job.payload()));
    } catch (const file_error& e) {
        // A plain exception fails this attempt, and the job comes again after a short while; this
        // one says not to try any more.
        if (job.attempt() >= attempts_max)
            throw lifeguard::discard_job(e.what());
        throw;
    }
}
