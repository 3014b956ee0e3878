#pragma once

#include "chat_room.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <memory>
#include <string>

/// Talks with one client until it leaves. `id` is the child's: "connection/7" is guest-7.
/// Throws when the client says /crash, or finds another way.
boost::asio::awaitable<void> serve_client(std::shared_ptr<boost::asio::ip::tcp::socket> socket,
                                          chat_room& room, std::string id);
