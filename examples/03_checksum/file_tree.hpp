#pragma once

#include <cstdint>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

/// The regular files under a directory, in a fixed order. Symbolic links are not followed, and
/// folders that may not be read are left out.
struct file_list {
    std::vector<std::string> paths;
    std::uint64_t bytes = 0;
};
file_list list_files(const std::filesystem::path& directory);

/// A folder of its own in the system's temporary one, removed with the object.
class temporary_folder {
  public:
    temporary_folder();
    ~temporary_folder();
    temporary_folder(const temporary_folder&) = delete;
    temporary_folder& operator=(const temporary_folder&) = delete;

    const std::filesystem::path& path() const noexcept { return path_; }

  private:
    std::filesystem::path path_;
};

/// Makes files whose names and contents depend on a seed only.
class seeded_tree {
  public:
    explicit seeded_tree(std::uint64_t seed);

    /// At least `files` files that hold about `bytes` in all, among them names, links and special
    /// files that careless programs stumble over.
    void grow(std::size_t files, std::uint64_t bytes);
    /// One more; answers its path.
    std::string add(const std::string& name, std::uint64_t size);

    const std::filesystem::path& path() const noexcept { return folder_.path(); }

  private:
    temporary_folder folder_;
    std::mt19937_64 random_;
    std::string noise_;
};

/// A file in a seeded tree that is removed after the tree was listed, so that its job must fail.
inline constexpr const char* vanishing_file = "vanishes before its turn";
