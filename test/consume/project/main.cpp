// A program of somebody else, who sees nothing but the public headers.
#include <lifeguard/version.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <cstdio>

#ifdef BOOST_ASIO_SEPARATE_COMPILATION
#error "the way lifeguard compiles Asio must not reach its consumers"
#endif

int main() {
    boost::asio::io_context context;
    boost::asio::post(context, [] { std::printf("lifeguard %s\n", lifeguard::version()); });
    return context.run() == 1 ? 0 : 1;
}
