#include "verify.hpp"

#include "checksum.hpp"
#include "file_tree.hpp"

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <stdexcept>

namespace {

/// Hash by path, of those that sha256sum can read. Names go in and come out terminated by zero
/// bytes, so they may hold anything else; xargs makes the batches.
std::map<std::string, std::string> sha256sum(const std::vector<std::string>& files) {
    const temporary_folder folder;
    const std::string names = folder.path() / "names";
    const std::string sums = folder.path() / "sums";
    std::ofstream out(names, std::ios::binary);
    for (const std::string& file : files)
        out << file << '\0';
    out.close();
    ::setenv("CHECKSUM_NAMES", names.c_str(), 1);
    ::setenv("CHECKSUM_SUMS", sums.c_str(), 1);
    // 123: some file could not be read, which is for us to judge.
    const int status = std::system("xargs -0 sha256sum --zero -- < \"$CHECKSUM_NAMES\" "
                                   "> \"$CHECKSUM_SUMS\" 2> /dev/null || [ $? = 123 ]");
    if (status != 0)
        throw std::runtime_error("sha256sum cannot be run");

    std::map<std::string, std::string> hashes;
    std::ifstream in(sums, std::ios::binary);
    for (std::string line; std::getline(in, line, '\0');)
        hashes.emplace(line.substr(64 + 2), line.substr(0, 64));
    return hashes;
}

} // namespace

verification verify(const std::vector<std::string>& files, const ledger& outcomes) {
    verification v;
    const auto hashes = sha256sum(files);
    for (const std::string& path : files) {
        const auto ours = outcomes.find(path);
        if (ours == outcomes.end())
            continue; // lost, which is reported as that
        const outcome& o = ours->second;
        const auto theirs = hashes.find(path);
        const std::string expected = theirs == hashes.end() ? "" : theirs->second;
        if (o.sha256 == expected)
            ++v.agreed;
        else if (o.ok ? change_time(path) != o.ctime_ns : o.why.ends_with(changed_while_read))
            ++v.changed;
        else
            v.wrong.push_back(path + ": " + (o.ok ? o.sha256 : o.why) + ", but sha256sum says " +
                              (expected.empty() ? "it cannot be read" : expected));
    }
    return v;
}
