#pragma once

#include <cstdint>
#include <string>

enum class fault { none, drop_one, wrong_hash };

/// What the command line says.
struct settings {
    std::string directory = "/usr/share/doc";
    unsigned threads = 2;
    unsigned workers = 8;
    std::uint64_t seed = 1;
    bool chaos = false;
    unsigned kills = 250; ///< with chaos; at least half of them in the middle of a job
    bool verify = false;
    fault injected = fault::none;

    /// A directory with less than this is filled up with files of our own.
    std::size_t files_min = 2000;
    std::uint64_t bytes_min = 500'000'000;
};

inline constexpr const char* usage =
    "usage: 03_checksum [option]... [directory]        (default: /usr/share/doc)\n"
    "  --chaos          kill workers at random, half of them at least in the middle of a job\n"
    "  --kills N        how many, with --chaos (250)\n"
    "  --verify         compare every result with the program sha256sum\n"
    "  --threads N      threads that run the jobs (2)\n"
    "  --workers N      supervised workers (8)\n"
    "  --seed N         decides the names and contents of our own files, and who is killed (1)\n"
    "  --files-min N    below so many files,\n"
    "  --mb-min N       or so many megabytes, add files of our own (2000, 500)\n"
    "  --fault KIND     break the demo on purpose, to see it caught: drop-one, wrong-hash\n";

/// Throws std::invalid_argument, saying what is wrong.
settings parse_arguments(int argc, char** argv);
