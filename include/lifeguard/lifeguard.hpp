#pragma once

// Everything that a program which embeds lifeguard needs. The parts can be included one by one.

#include <lifeguard/engine.hpp>
#include <lifeguard/json.hpp>
#include <lifeguard/log.hpp>
#include <lifeguard/shielded.hpp>
#include <lifeguard/version.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
