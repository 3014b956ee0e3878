// A callable that owns what it captures, for the functions that refuse it as a temporary.
#pragma once

#include <lifeguard/resource_pool.hpp>
#include <lifeguard/shared_breaker.hpp>

#include <string>

namespace asio = boost::asio;
