// The compiled part of Asio's TLS, for the programs that use it.
#include <boost/asio/ssl/impl/src.hpp>
