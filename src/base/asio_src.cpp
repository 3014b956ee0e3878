// The compiled part of Asio, when LIFEGUARD_ASIO_SEPARATE is on.
#include <boost/asio/impl/src.hpp>
