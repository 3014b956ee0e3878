#include "nats/nats_server.hpp"

#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <thread>
#include <utility>

namespace lifeguard::test {
namespace {

std::filesystem::path make_folder() {
    std::string name = (std::filesystem::temp_directory_path() / "lifeguard-nats-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr)
        throw std::runtime_error("no temporary directory " + name);
    return name;
}

} // namespace

nats_server::nats_server(std::vector<std::string> more)
    : more_(std::move(more)), folder_(make_folder()) {
    start();
}

nats_server::~nats_server() {
    end(SIGTERM);
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
}

void nats_server::start() {
    const std::string folder = folder_.string();
    const std::string port = port_ == 0 ? "-1" : std::to_string(port_);
    std::vector<std::string> words = {
        "nats-server",      "-js",  "-sd", folder,         "-a", "127.0.0.1", "-p", port,
        "--ports_file_dir", folder, "-l",  folder + "/log"};
    words.insert(words.end(), more_.begin(), more_.end());
    std::vector<char*> arguments;
    for (std::string& word : words)
        arguments.push_back(word.data());
    arguments.push_back(nullptr);
    const int failed =
        ::posix_spawnp(&pid_, "nats-server", nullptr, nullptr, arguments.data(), environ);
    if (failed != 0)
        throw std::runtime_error("nats-server cannot be started: is it installed?");
    wait_for_port();
}

/// The server writes a file with its ports when it listens.
void nats_server::wait_for_port() {
    const auto file = folder_ / ("nats-server_" + std::to_string(pid_) + ".ports");
    for (int i = 0; i < 2000; ++i) {
        std::ifstream in(file);
        const std::string text{std::istreambuf_iterator<char>(in), {}};
        const auto ports = nlohmann::json::parse(text, nullptr, false);
        if (ports.is_object() && ports.contains("nats")) {
            const auto url = ports["nats"].at(0).get<std::string>();
            port_ = static_cast<unsigned short>(std::stoi(url.substr(url.rfind(':') + 1)));
            return;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    throw std::runtime_error("nats-server does not come up");
}

void nats_server::kill() { end(SIGKILL); }

void nats_server::end(int signal) noexcept {
    if (pid_ <= 0)
        return;
    ::kill(pid_, signal);
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
}

const std::string& shared_nats_url() {
    static const nats_server server;
    static const std::string url = server.url();
    return url;
}

std::string fresh_prefix() {
    static std::atomic<unsigned> last = 0;
    return "t" + std::to_string(++last);
}

} // namespace lifeguard::test
