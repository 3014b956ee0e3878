// The client: plain epoll and sockets, so that it is faster than what it measures.
#include "http_submit/client.hpp"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <deque>
#include <sstream>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <vector>

namespace bench {
namespace {

using clock_type = std::chrono::steady_clock;

[[noreturn]] void fail(const char* what) {
    throw std::system_error(errno, std::generic_category(), what);
}

/// A job with a payload of 120 bytes.
constexpr std::string_view job =
    R"({"kind":"resize","payload":{"image":"/photos/2026/11/21/IMG_20261121_00421.jpg",)"
    R"("width":640,"height":480,"format":"webp","quality":82,"strip":true}})";

std::string post(int batch) {
    std::string body;
    for (int i = 0; i < batch; ++i)
        body.append(i == 0 ? "[" : ",").append(job);
    body += batch == 0 ? std::string(job) : "]";
    return "POST /v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
           "Content-Length: " +
           std::to_string(body.size()) + "\r\n\r\n" + body;
}

void write_all(int fd, std::string_view text) {
    while (!text.empty()) {
        const ssize_t n = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
        if (n < 0 && errno != EINTR)
            fail("send");
        text.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
    }
}

struct connection {
    int fd = -1;
    std::string in;
    clock_type::time_point due;
};

/// The status of the answer at the front of `in`, which is taken off; 0: it is not all there.
int take_answer(std::string& in) {
    const std::size_t head = in.find("\r\n\r\n");
    if (head == std::string::npos)
        return 0;
    constexpr std::string_view field = "Content-Length: ";
    const std::size_t at = in.find(field);
    std::size_t size = 0;
    if (at < head)
        std::from_chars(in.data() + at + field.size(), in.data() + head, size);
    if (in.size() < head + 4 + size)
        return 0;
    int status = 0;
    std::from_chars(in.data() + 9, in.data() + 12, status);
    in.erase(0, head + 4 + size);
    return status;
}

class client {
  public:
    client() : epoll_(::epoll_create1(0)) {}

    void open(unsigned short port, int count) {
        for (int i = 0; i < count; ++i) {
            connection c;
            c.fd = ::socket(AF_INET, SOCK_STREAM, 0);
            sockaddr_in to{};
            to.sin_family = AF_INET;
            to.sin_port = htons(port);
            to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
            if (c.fd < 0 || ::connect(c.fd, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0)
                fail("connect");
            const int on = 1;
            ::setsockopt(c.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
            epoll_event e{};
            e.events = EPOLLIN;
            e.data.u64 = connections_.size();
            if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, c.fd, &e) != 0)
                fail("epoll_ctl");
            connections_.push_back(std::move(c));
        }
        run(count, 0, 0);
    }

    load_result run(int requests, int batch, int pace_ms) {
        text_ = post(batch);
        left_ = requests;
        pace_ = std::chrono::milliseconds(pace_ms);
        result_ = {};
        us_.clear();
        due_.clear();
        const auto start = clock_type::now();
        for (std::size_t i = 0; i < connections_.size(); ++i) {
            connections_[i].due =
                start + pace_ * static_cast<int>(i) / static_cast<int>(connections_.size());
            due_.push_back(i);
        }
        send_due();
        while (waiting_ != 0 || (left_ != 0 && !due_.empty()))
            turn();
        result_.seconds = std::chrono::duration<double>(clock_type::now() - start).count();
        std::sort(us_.begin(), us_.end());
        if (!us_.empty()) {
            result_.p50_us = us_[us_.size() / 2];
            result_.p99_us = us_[us_.size() * 99 / 100];
        }
        return result_;
    }

    void close() {
        for (const connection& c : connections_)
            ::close(c.fd);
        connections_.clear();
    }

  private:
    /// Sends on the connections whose time has come.
    void send_due() {
        const auto now = clock_type::now();
        while (left_ != 0 && !due_.empty() && connections_[due_.front()].due <= now) {
            --left_;
            ++waiting_;
            write_all(connections_[due_.front()].fd, text_);
            due_.pop_front();
        }
    }

    void turn() {
        std::array<epoll_event, 256> events{};
        const int wait = left_ != 0 && !due_.empty() ? 1 : -1;
        const int n = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), wait);
        for (int i = 0; i < n; ++i)
            receive(events[static_cast<std::size_t>(i)].data.u64);
        send_due();
    }

    void receive(std::size_t index) {
        connection& c = connections_[index];
        std::array<char, 65536> piece; // NOLINT(cppcoreguidelines-pro-type-member-init)
        const ssize_t n = ::recv(c.fd, piece.data(), piece.size(), MSG_DONTWAIT);
        if (n <= 0) {
            if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return;
            ::epoll_ctl(epoll_, EPOLL_CTL_DEL, c.fd, nullptr);
            ++result_.others;
            --waiting_;
            return;
        }
        c.in.append(piece.data(), static_cast<std::size_t>(n));
        const int status = take_answer(c.in);
        if (status == 0)
            return;
        ++(status == 201 ? result_.created : result_.others);
        --waiting_;
        const auto now = clock_type::now();
        us_.push_back(std::chrono::duration<double, std::micro>(now - c.due).count());
        c.due = std::max(now, c.due + pace_);
        due_.push_back(index);
    }

    int epoll_;
    std::vector<connection> connections_;
    std::string text_;
    std::deque<std::size_t> due_; // connections that wait for their moment
    std::vector<double> us_;
    std::chrono::nanoseconds pace_{};
    int left_ = 0;    // requests that are not sent yet
    int waiting_ = 0; // those that are not answered yet
    load_result result_;
};

/// A line, without its end; empty when the other side has gone.
std::string read_line(int fd, std::string& seen) {
    for (;;) {
        const std::size_t end = seen.find('\n');
        if (end != std::string::npos) {
            std::string line = seen.substr(0, end);
            seen.erase(0, end + 1);
            return line;
        }
        std::array<char, 256> piece{};
        const ssize_t n = ::recv(fd, piece.data(), piece.size(), 0);
        if (n <= 0)
            return {};
        seen.append(piece.data(), static_cast<std::size_t>(n));
    }
}

} // namespace

int run_client(int control) {
    client c;
    std::string seen;
    for (std::string line = read_line(control, seen); !line.empty();
         line = read_line(control, seen)) {
        std::istringstream in(line);
        std::string command;
        int a = 0;
        int b = 0;
        int pace = 0;
        in >> command >> a >> b >> pace;
        std::ostringstream out;
        try {
            if (command == "open") {
                c.open(static_cast<unsigned short>(a), b);
                out << "ok";
            } else if (command == "run") {
                const load_result r = c.run(a, b, pace);
                out << r.seconds << ' ' << r.p50_us << ' ' << r.p99_us << ' ' << r.created << ' '
                    << r.others;
            } else {
                c.close();
                out << "ok";
            }
        } catch (const std::exception& e) {
            out << "failed: " << e.what();
        }
        write_all(control, out.str() + "\n");
    }
    return 0;
}

client_process::client_process() {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
        fail("socketpair");
    pid_ = ::fork();
    if (pid_ < 0)
        fail("fork");
    if (pid_ == 0) {
        ::dup2(ends[1], 3);
        ::execl("/proc/self/exe", "http_submit", "--client", static_cast<char*>(nullptr));
        ::_exit(127);
    }
    ::close(ends[1]);
    control_ = ends[0];
}

client_process::~client_process() {
    ::close(control_);
    ::waitpid(pid_, nullptr, 0);
}

std::string client_process::ask(const std::string& command) {
    write_all(control_, command + "\n");
    std::string line = read_line(control_, seen_);
    if (line.empty() || line.starts_with("failed"))
        throw std::runtime_error("the client: " + command + ": " + line);
    return line;
}

void client_process::open(unsigned short port, int connections) {
    ask("open " + std::to_string(port) + " " + std::to_string(connections));
}

load_result client_process::run(int requests, int batch, int pace_ms) {
    std::istringstream in(ask("run " + std::to_string(requests) + " " + std::to_string(batch) +
                              " " + std::to_string(pace_ms)));
    load_result r;
    in >> r.seconds >> r.p50_us >> r.p99_us >> r.created >> r.others;
    return r;
}

void client_process::close() { ask("close"); }

} // namespace bench
