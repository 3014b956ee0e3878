#include "file_tree.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <stdexcept>

namespace fs = std::filesystem;

file_list list_files(const fs::path& directory) {
    file_list list;
    const auto options = fs::directory_options::skip_permission_denied;
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(directory, options)) {
        std::error_code vanished;
        if (entry.symlink_status(vanished).type() != fs::file_type::regular)
            continue;
        const std::uintmax_t size = entry.file_size(vanished);
        list.bytes += vanished ? 0 : size;
        list.paths.push_back(entry.path().string());
    }
    std::ranges::sort(list.paths);
    return list;
}

temporary_folder::temporary_folder() {
    std::string name = (fs::temp_directory_path() / "checksum-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr)
        throw std::runtime_error(name + ": " + std::strerror(errno));
    path_ = name;
}

temporary_folder::~temporary_folder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
}

seeded_tree::seeded_tree(std::uint64_t seed) : random_(seed), noise_(1U << 20U, '\0') {
    for (char& c : noise_)
        c = static_cast<char>(random_());
}

std::string seeded_tree::add(const std::string& name, std::uint64_t size) {
    const fs::path path = folder_.path() / name;
    fs::create_directories(path.parent_path());
    std::ofstream out(path, std::ios::binary);
    while (size > 0) {
        // Blocks of noise that begin with something new, so that no two files are the same.
        const std::uint64_t fresh = random_();
        std::memcpy(noise_.data(), &fresh, sizeof fresh);
        const std::uint64_t part = std::min<std::uint64_t>(size, noise_.size());
        out.write(noise_.data(), static_cast<std::streamsize>(part));
        size -= part;
    }
    if (!out.flush())
        throw std::runtime_error(path.string() + ": cannot be written");
    return path.string();
}

void seeded_tree::grow(std::size_t files, std::uint64_t bytes) {
    for (const char* odd : {"line\nbreak", "\"double\" and 'single' quotes", "back\\slash",
                            "-starts with a dash", "* $(true) ; ?", "not \xff UTF-8 \xc3(",
                            "\xc3\xbc\xe2\x82\xac\xf0\x9f\x8f\x8a", " ", vanishing_file})
        add(odd, 1000);
    add("empty", 0);
    // Not for us: to follow this link is to walk in circles, to open this pipe is to wait for ever.
    fs::create_directory_symlink(".", path() / "circle");
    if (::mkfifo((path() / "pipe").c_str(), 0600) != 0)
        throw std::runtime_error("mkfifo: " + std::string(std::strerror(errno)));

    const std::size_t count = std::max<std::size_t>(files, bytes / 1'000'000 + 1);
    const std::uint64_t mean = bytes / count;
    for (std::size_t n = 0; n < count; ++n) {
        const std::string folder = "folder " + std::to_string(n / 100);
        // Between half and one and a half times the mean.
        add(folder + "/file " + std::to_string(n), mean / 2 + (mean == 0 ? 0 : random_() % mean));
    }
}
