#pragma once

#include "chat_server.hpp"
#include "common/claims.hpp"

/// Plays a few clients, checks what the server claims, and stops it.
boost::asio::awaitable<void> self_test(chat_server& server, claims& account);
