// Kinds bound to a program: options.json says which, and no handler is written in C++. Here it is a
// Python script that makes checksums of files. Some of its processes crash, some hang, one says
// that it would like to be called again later.

#include "common/claims.hpp"
#include <lifeguard/lifeguard.hpp>
#include <lifeguard/log.hpp>

#include <openssl/evp.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string_view>
#include <vector>

namespace asio = boost::asio;
namespace fs = std::filesystem;
using lifeguard::json;

namespace {

constexpr std::string_view usage =
    "usage: commands [--fault wrong-hash | no-retry] FOLDER\n"
    "  FOLDER               its files are summed up, 60 at most\n"
    "  --fault wrong-hash   the script lies, to see it found out\n"
    "  --fault no-retry     a job is tried once only, to see what crashes is missed\n";

constexpr std::size_t files_max = 60;

/// The same sum by other means.
std::string sha256_of(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_sha256(), nullptr) != 1)
        throw std::runtime_error("OpenSSL cannot compute SHA-256");
    std::string hex;
    for (unsigned i = 0; i < size; ++i) {
        constexpr std::string_view digits = "0123456789abcdef";
        hex += digits[digest.at(i) >> 4U];
        hex += digits[digest.at(i) & 15U];
    }
    return hex;
}

std::vector<std::string> files_in(const std::string& folder) {
    std::vector<std::string> files;
    for (const auto& entry : fs::recursive_directory_iterator(folder))
        if (entry.is_regular_file() && files.size() < files_max)
            files.push_back(fs::absolute(entry.path()).string());
    return files;
}

/// What a job came to: its result, or its error as text.
asio::awaitable<json> outcome_of(lifeguard::worker_pool pool, lifeguard::job_id id) {
    try {
        co_return co_await pool.result(id);
    } catch (const std::exception& e) {
        co_return e.what();
    }
}

bool says(const json& outcome, std::string_view part) {
    const bool found =
        outcome.is_string() && outcome.get<std::string>().find(part) != std::string::npos;
    std::cout << "          " << outcome.dump() << '\n';
    return found;
}

asio::awaitable<void> sum_up(lifeguard::engine& engine, const std::vector<std::string>& files,
                             unsigned attempts, claims& account) {
    lifeguard::worker_pool jobs = engine.pool("default");
    const auto new_job = [attempts](const char* kind, json payload) {
        lifeguard::new_job job(kind, std::move(payload));
        job.max_attempts = attempts;
        return job;
    };
    std::vector<lifeguard::job_id> ids;
    std::size_t in_trouble = 0;
    for (const std::string& path : files) {
        json payload = {{"path", path}};
        if (ids.size() % 10 == 3 || ids.size() % 10 == 7) {
            payload["trouble"] = ids.size() % 10 == 3 ? "segfault" : "busy";
            ++in_trouble;
        }
        lifeguard::new_job job = new_job("checksum", std::move(payload));
        const lifeguard::job_id id = co_await jobs.submit(std::move(job));
        ids.push_back(id);
    }
    lifeguard::new_job no_file = new_job("checksum", {{"path", "/no/such/file"}});
    const lifeguard::job_id missing = co_await jobs.submit(std::move(no_file));
    lifeguard::new_job hanging = new_job("impatient", {{"path", "/"}, {"trouble", "hang"}});
    const lifeguard::job_id late = co_await jobs.submit(std::move(hanging));

    std::size_t right = 0;
    for (std::size_t i = 0; i < files.size(); ++i) {
        const json sum = co_await outcome_of(jobs, ids[i]);
        const std::string expected = sha256_of(files[i]);
        if (sum.is_object() && sum.at("sha256") == expected)
            ++right;
        else
            std::cout << "          " << files[i] << ": " << sum.dump() << '\n';
    }
    account.check(right == files.size() && in_trouble != 0,
                  std::to_string(right) + " of " + std::to_string(files.size()) +
                      " sums are right, although " + std::to_string(in_trouble) +
                      " processes crashed or asked for another try");
    const json no_sum = co_await outcome_of(jobs, missing);
    account.check(says(no_sum, "No such file"), "a file that is not there: the script says so");
    const json too_late = co_await outcome_of(jobs, late);
    account.check(says(too_late, "timed out after 300 ms"), "one that hangs is ended");
    co_await engine.stop();
}

int run(const std::string& folder, std::string_view fault) {
    lifeguard::engine_options options = lifeguard::load_options(LIFEGUARD_COMMANDS "/options.json");
    options.log = lifeguard::stderr_log(lifeguard::log_level::error);
    for (auto& [kind, command] : options.commands) {
        command.directory = LIFEGUARD_COMMANDS;
        command.env["FAULT"] = fault;
    }
    asio::io_context io(1);
    lifeguard::engine engine(io.get_executor(), std::move(options));
    claims account;
    const std::vector<std::string> files = files_in(folder);
    const unsigned attempts = fault == "no-retry" ? 1 : 3;
    asio::co_spawn(io, engine.run(), lifeguard::rethrow);
    asio::co_spawn(io, sum_up(engine, files, attempts, account), lifeguard::rethrow);
    io.run();
    return account.conclude("commands");
}

} // namespace

int main(int argc, char** argv) {
    std::vector<std::string> arguments(argv + 1, argv + argc);
    if (arguments == std::vector<std::string>{"--help"}) {
        std::cout << usage;
        return 0;
    }
    std::string fault;
    if (arguments.size() == 3 && arguments[0] == "--fault") {
        fault = arguments[1];
        arguments.erase(arguments.begin(), arguments.begin() + 2);
    }
    if (arguments.size() != 1 || !(fault.empty() || fault == "wrong-hash" || fault == "no-retry")) {
        std::cerr << usage;
        return 2;
    }
    try {
        return run(arguments[0], fault);
    } catch (const std::exception& e) {
        std::cerr << "commands: " << e.what() << '\n';
        return 1;
    }
}
