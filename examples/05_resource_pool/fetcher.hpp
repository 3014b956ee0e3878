#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>

#include <memory>
#include <string>

/// A connection to a web server that is kept open and asked for one page after another. This is
/// the resource: costly to make, and of use to one at a time.
class fetcher {
  public:
    static boost::asio::awaitable<std::unique_ptr<fetcher>>
    connect(unsigned number, boost::asio::ip::tcp::endpoint server);

    /// The page at `path`. When it throws the conversation has been cut in two, and the fetcher is
    /// of no more use: it hangs up, so that nobody reads the rest of this answer.
    boost::asio::awaitable<std::string> get(std::string path);

    unsigned number() const noexcept { return number_; }

  private:
    fetcher(unsigned number, boost::asio::ip::tcp::socket connected)
        : number_(number), socket_(std::move(connected)) {}

    boost::asio::awaitable<std::string> ask(std::string path);

    const unsigned number_;
    boost::asio::ip::tcp::socket socket_;
    boost::beast::flat_buffer buffer_; // what was read too far belongs to the next answer
};
