#pragma once

#include <nats/nats.h>

#include <cstdint>
#include <string>
#include <vector>

namespace lifeguard::test {

/// The server as somebody else sees it who knows the streams' names.
class server_view {
  public:
    explicit server_view(const std::string& url);
    ~server_view();
    server_view(const server_view&) = delete;
    server_view& operator=(const server_view&) = delete;

    /// How many messages are in a stream.
    std::uint64_t messages(const std::string& stream);
    /// The data of all of them; it must be one without gaps.
    std::vector<std::string> data(const std::string& stream);
    /// On how many servers it is.
    std::int64_t replicas(const std::string& stream);
    /// Requests that wait at a consumer.
    std::int64_t waiting(const std::string& stream, const std::string& consumer);
    /// How often a consumer has delivered anything.
    std::uint64_t deliveries(const std::string& stream, const std::string& consumer);
    void add_stream(const std::string& name, const std::string& subject, jsRetentionPolicy keeps,
                    jsStorageType where);
    /// A key-value bucket, as the client makes it.
    void add_bucket(const std::string& name);

  private:
    natsConnection* connection_ = nullptr;
    jsCtx* js_ = nullptr;
};

} // namespace lifeguard::test
