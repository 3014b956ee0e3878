#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

namespace lifeguard::test {

/// A nats-server with JetStream in a temporary directory, on a free port of the loopback. Ended by
/// its process id.
class nats_server {
  public:
    /// With `more` arguments than those it always has.
    explicit nats_server(std::vector<std::string> more = {});
    ~nats_server();
    nats_server(const nats_server&) = delete;
    nats_server& operator=(const nats_server&) = delete;

    /// "nats://127.0.0.1:PORT"; the same after a restart.
    std::string url() const { return "nats://127.0.0.1:" + std::to_string(port_); }
    unsigned short port() const noexcept { return port_; }

    /// Throws std::runtime_error when it does not come up.
    void start();
    /// With SIGKILL. What it has stored stays.
    void kill();

  private:
    void end(int signal) noexcept;
    void wait_for_port();

    const std::vector<std::string> more_;
    std::filesystem::path folder_;
    pid_t pid_ = -1;
    unsigned short port_ = 0;
};

/// One that lives as long as the program, and a prefix on it that nobody has used.
const std::string& shared_nats_url();
std::string fresh_prefix();

} // namespace lifeguard::test
