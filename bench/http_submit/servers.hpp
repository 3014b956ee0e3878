#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace bench {

/// A server on a thread of its own, until it is destroyed.
class server {
  public:
    virtual ~server() = default;
    virtual unsigned short port() const = 0;
    /// How many jobs it has stored; the floor stores none.
    virtual std::uint64_t stored() const = 0;
};

/// The floor: Beast reads a request, nlohmann parses it, and the answer is 201.
std::unique_ptr<server> floor_server();

/// An engine that runs, with its HTTP server. `path`: of its SQLite file; empty: a memory store.
std::unique_ptr<server> lifeguard_server(const std::string& path);

} // namespace bench
