// Stands in for libFuzzer where there is none: runs a fuzz target once with every file of the
// folders that are named.
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const char* data, std::size_t size);

int main(int argc, char** argv) {
    std::set<std::filesystem::path> files;
    for (int i = 1; i < argc; ++i)
        for (const auto& entry : std::filesystem::directory_iterator(argv[i]))
            files.insert(entry.path());
    for (const auto& path : files) {
        // The last one named is the one that ended the program.
        std::printf("%s\n", path.c_str());
        std::fflush(stdout);
        std::ifstream file(path, std::ios::binary);
        const std::string text(std::istreambuf_iterator<char>(file), {});
        if (!file) {
            std::fprintf(stderr, "cannot be read: %s\n", path.c_str());
            return 2;
        }
        LLVMFuzzerTestOneInput(text.data(), text.size());
    }
    std::printf("%zu inputs\n", files.size());
    return files.empty() ? 2 : 0;
}
