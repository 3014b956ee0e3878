// Devices that are discovered, read periodically, and disappear: one worker each, found by id. One
// of them fails, and is restarted alone.
//
//     09_device_monitor [--self-test]
#include "field.hpp"
#include <lifeguard/dynamic_workers.hpp>
#include <lifeguard/lifeguard.hpp>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <unistd.h>

#include <iomanip>
#include <iostream>
#include <string_view>

namespace asio = boost::asio;
using lifeguard::json;
using lifeguard::worker_outcome;

namespace {

asio::awaitable<void> pause(std::chrono::milliseconds d) {
    asio::steady_timer timer(co_await asio::this_coro::executor, d);
    co_await timer.async_wait(asio::use_awaitable);
}

/// On a terminal a table that is drawn again and again, otherwise a line for whatever happens.
class display {
  public:
    void happens(const std::string& what) {
        last_ = what;
        if (!is_terminal_)
            std::cout << what << std::endl;
    }

    void draw(const lifeguard::dynamic_workers& monitor) const {
        if (!is_terminal_)
            return;
        const lifeguard::dynamic_workers_state state = monitor.state();
        std::cout << "\033[H\033[J" << std::left << std::setw(16) << "device" << std::setw(10)
                  << "reading" << std::setw(10) << "readings" << "incarnation\n";
        for (const auto& [id, device] : state.workers)
            std::cout << std::setw(16) << id << std::setw(10)
                      << (device.value.is_null() ? "-" : device.value.dump()) << std::setw(10)
                      << device.performs << device.incarnation << '\n';
        std::cout << '\n' << last_ << std::endl;
    }

  private:
    const bool is_terminal_ = isatty(STDOUT_FILENO) == 1;
    std::string last_;
};

lifeguard::worker_behaviour reads(field& devices, display& out) {
    lifeguard::worker_behaviour b;
    b.perform = [&](const std::string& id, const json&) -> worker_outcome {
        if (!devices.has(id))
            return worker_outcome::halt(); // it has disappeared
        return devices.read(id);           // the visible value; throwing is a crash
    };
    b.call = [&](const std::string& id, const json&, const json&) { return devices.read(id); };
    b.terminate = [&](const lifeguard::exit_reason& why, const std::string& id, const json&) {
        out.happens(id + ": " + to_string(why));
    };
    return b;
}

/// Looks for devices that nobody watches yet.
asio::awaitable<void> discover(field& devices, lifeguard::dynamic_workers monitor, display& out) {
    for (const auto& [id, device] : devices.devices()) {
        const bool is_new = co_await monitor.put_new(id);
        if (is_new)
            out.happens(id + ": discovered");
    }
}

struct story {
    field& devices;
    display& out;
    lifeguard::dynamic_workers monitor;
    std::chrono::milliseconds interval;
    std::vector<std::string> complaints;

    void expect(bool ok, const char* what) {
        if (!ok)
            complaints.emplace_back(what);
    }

    asio::awaitable<void> wait(int intervals) {
        for (int i = 0; i < intervals; ++i) {
            co_await pause(interval);
            co_await discover(devices, monitor, out);
            out.draw(monitor);
        }
    }

    /// Until something has happened, which takes as long as the machine is busy.
    template <typename Condition>
    asio::awaitable<void> wait_until(Condition& happened, const char* what) {
        for (int i = 0; i < 500 && !happened(); ++i)
            co_await wait(1);
        expect(happened(), what);
    }

    asio::awaitable<void> tell() {
        auto up = [&] { return monitor.state().now == lifeguard::manager_state::up; };
        co_await pause(interval);
        expect(up(), "the manager is up");
        devices.install("thermometer-1", 21);
        devices.install("hygrometer-1", 55);
        devices.install("barometer-1", 1013);
        co_await wait(4);

        devices.break_soon("thermometer-1");
        auto restarted = [&] { return monitor.state().crashes_total == 1; };
        co_await wait_until(restarted, "the thermometer has crashed once");
        co_await wait(4);
        const auto hurt = monitor.get("thermometer-1");
        const auto whole = monitor.get("barometer-1");
        expect(hurt && hurt->incarnation == 2, "it has been restarted");
        expect(whole && whole->incarnation == 1, "alone");

        devices.remove("hygrometer-1");
        auto gone = [&] { return !monitor.get("hygrometer-1"); };
        co_await wait_until(gone, "the hygrometer has gone");
        devices.install("anemometer-1", 5);
        auto there = [&] {
            const auto found = monitor.get("anemometer-1");
            return found && !found->value.is_null();
        };
        co_await wait_until(there, "the anemometer is read");

        const json reading = co_await monitor.call("barometer-1", "now, please");
        expect(reading.is_number(), "the barometer answers");
        const std::vector<std::string> left{"anemometer-1", "barometer-1", "thermometer-1"};
        expect(monitor.ids() == left, "three devices are left");
        const std::string tree = co_await monitor.tree();
        std::cout << tree;
        co_await monitor.stop();
    }
};

int monitor_devices(std::chrono::milliseconds interval) {
    asio::io_context io(1);
    field devices;
    display out;
    lifeguard::dynamic_workers_options options;
    options.name = "devices";
    options.rhythm.interval = interval;
    options.rhythm.lull = 0; // a busy machine is no news here
    lifeguard::dynamic_workers monitor(io.get_executor(), options, reads(devices, out));
    story events{devices, out, monitor, interval, {}};
    asio::co_spawn(io, monitor.run(), lifeguard::rethrow);
    asio::co_spawn(io, events.tell(), lifeguard::rethrow);
    io.run();
    for (const std::string& complaint : events.complaints)
        std::cerr << "FAILED: " << complaint << '\n';
    std::cout << "monitor: " << monitor.state().crashes_total << " crash, "
              << events.complaints.size() << " wrong" << std::endl;
    return events.complaints.empty() ? 0 : 1;
}

} // namespace

int main(int argc, char** argv) {
    const bool tests = argc == 2 && std::string_view(argv[1]) == "--self-test";
    if (argc != 1 && !tests) {
        std::cerr << "usage: 09_device_monitor [--self-test]\n";
        return 2;
    }
    try {
        return monitor_devices(std::chrono::milliseconds(tests ? 20 : 400));
    } catch (const std::exception& e) {
        std::cerr << "09_device_monitor: " << e.what() << '\n';
        return 1;
    }
}
