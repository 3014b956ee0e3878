#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

namespace bench {

/// What a client saw of a load.
struct load_result {
    double seconds = 0;
    double p50_us = 0;
    double p99_us = 0;
    std::uint64_t created = 0; ///< answers of 201
    std::uint64_t others = 0;  ///< any other answer, and connections that broke
};

/// A client in a process of its own, so that what it takes of the processor is not the server's.
class client_process {
  public:
    client_process();
    ~client_process();
    client_process(const client_process&) = delete;
    client_process& operator=(const client_process&) = delete;

    /// Connects so often, and has a first request answered on each connection.
    void open(unsigned short port, int connections);
    /// Posts `requests` bodies, the next on each connection once the last is answered, and not
    /// before `pace_ms` have passed since it was due. `batch`: an array of so many jobs; 0: one
    /// job.
    load_result run(int requests, int batch = 0, int pace_ms = 0);
    void close();

  private:
    std::string ask(const std::string& command);

    int control_ = -1;
    pid_t pid_ = -1;
    std::string seen_;
};

/// The client process itself: does what comes in through `control` until that ends.
int run_client(int control);

} // namespace bench
