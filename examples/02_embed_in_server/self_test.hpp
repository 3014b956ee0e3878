#pragma once

#include "server.hpp"

/// Opens `connections` connections to the server, all at once, sends jobs on each, good and bad
/// ones, checks every answer, and ends the process's server as an operator would, by SIGTERM.
boost::asio::awaitable<void> self_test(server& tested, unsigned connections, bool& passed);
