// lifeguard serve: an engine and its HTTP server, until a signal stops them.
#include "cli/commands.hpp"
#include "cli/demo_kinds.hpp"
#include "cli/nats_location.hpp"
#include <lifeguard/engine.hpp>
#include <lifeguard/http_server.hpp>
#include <lifeguard/log.hpp>
#include <lifeguard/sqlite_store.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/strand.hpp>

#include <atomic>
#include <charconv>
#include <condition_variable>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <stop_token>
#include <thread>

namespace lifeguard::cli {
namespace {

struct serve_options {
    std::string listen = "127.0.0.1:8080";
    std::string store = "sqlite:lifeguard.db";
    std::string options_file;
    std::string token_file;
    std::string tls_certificate;
    std::string tls_key;
    double rate = 0;
    double burst = http_options().burst;
    dashboard_mode dashboard = dashboard_mode::on;
    unsigned threads = 1;
    bool demo = false;
    bool store_given = false;
    nats_flags nats;
};

void set_address(http_options& o, const std::string& listen) {
    const std::size_t colon = listen.rfind(':');
    if (colon == std::string::npos)
        throw failure(exit_status::usage, "--listen: must be ADDRESS:PORT, is " + listen);
    o.address = listen.substr(0, colon);
    if (o.address.starts_with('[') && o.address.ends_with(']'))
        o.address = o.address.substr(1, o.address.size() - 2);
    const char* const end = listen.data() + listen.size();
    const auto read = std::from_chars(listen.data() + colon + 1, end, o.port);
    if (read.ec != std::errc() || read.ptr != end)
        throw failure(exit_status::usage, "--listen: no port: " + listen);
}

void set_store(engine_options& o, const std::string& name, const nats_flags& nats) {
    constexpr std::string_view sqlite = "sqlite:";
    if (is_nats_location(name)) {
        o.make_store = nats_at(name, nats);
        return;
    }
    refuse_nats_flags(nats, name);
    if (name == "memory") {
        o.make_store = nullptr; // whatever the file of options names
        return;
    }
    if (!name.starts_with(sqlite) || name.size() == sqlite.size())
        throw failure(exit_status::usage,
                      "--store: must be memory, sqlite:PATH or nats://HOST:PORT, is " + name);
    sqlite_store_options file;
    file.path = name.substr(sqlite.size());
    o.make_store = [file] { return sqlite_store(file); };
}

std::string token_of(const std::string& path) {
    std::string token;
    if (path.empty())
        return token;
    std::ifstream file(path);
    if (!std::getline(file, token) || token.empty())
        throw failure(exit_status::usage, "--token-file: no token in '" + path + "'");
    return token;
}

/// The program while it serves.
class service {
  public:
    explicit service(const serve_options& o)
        : io_(static_cast<int>(o.threads)),
          strand_(asio::make_strand(io_)),
          engine_(io_.get_executor(), options_of(o)),
          server_(io_.get_executor(), engine_, http_options_of(o)),
          signals_(strand_, SIGINT, SIGTERM) {
        if (o.demo)
            register_demo_kinds(engine_);
        engine_.serve(server_.spec());
        asio::co_spawn(strand_, engine_.run(),
                       asio::bind_cancellation_slot(force_.slot(), [this](std::exception_ptr e) {
                           failed_ = std::move(e);
                           signals_.cancel();
                           limit_what_is_left();
                       }));
        asio::co_spawn(strand_, announce(), rethrow);
        heed_signals();
    }

    exit_status run(unsigned threads) {
        std::vector<std::jthread> others;
        for (unsigned i = 1; i < threads; ++i)
            others.emplace_back([this] { io_.run(); });
        io_.run();
        others.clear();
        last_wait_ = std::jthread(); // ends it, if it still waits
        if (cut_)
            throw failure(exit_status::refused,
                          "the store did not answer: jobs that ran last may run again");
        if (forced_)
            throw failure(exit_status::refused, "stopped in a hurry: jobs that ran were cut");
        if (failed_)
            std::rethrow_exception(failed_);
        std::cerr << "lifeguard: stopped\n";
        return exit_status::ok;
    }

  private:
    static engine_options options_of(const serve_options& o) {
        engine_options options =
            o.options_file.empty() ? engine_options() : load_options(o.options_file);
        if (!options.make_store || o.store_given)
            set_store(options, o.store, o.nats);
        else
            refuse_nats_flags(o.nats, "the store in " + o.options_file);
        options.log = stderr_log(log_level::warning);
        return options;
    }

    static http_options http_options_of(const serve_options& o) {
        http_options options;
        set_address(options, o.listen);
        options.token = token_of(o.token_file);
        options.tls_certificate = o.tls_certificate;
        options.tls_key = o.tls_key;
        options.rate = o.rate;
        options.burst = o.burst;
        options.dashboard = o.dashboard;
        return options;
    }

    asio::awaitable<void> announce() {
        const supervisor root = engine_.root();
        co_await root.which_children(); // answered once all have started
        std::cout << "lifeguard: listening on " << server_.url() << std::endl;
    }

    /// The first signal lets running jobs finish, the second does not.
    void heed_signals() {
        signals_.async_wait([this](const boost::system::error_code& none, int) {
            if (none)
                return;
            if (stopping_) {
                forced_ = true;
                force_.emit(asio::cancellation_type::terminal);
                return;
            }
            stopping_ = true;
            std::cerr << "lifeguard: stopping; once more to hurry\n";
            engine_.request_stop();
            heed_signals();
        });
    }

    /// The engine has ended, but for what it has not stored yet, and the store may be out of reach.
    /// On a thread of its own: a timer would keep the context from ending when all is stored.
    void limit_what_is_left() {
        last_wait_ = std::jthread([this](const std::stop_token& over) {
            constexpr auto most = std::chrono::seconds(5);
            std::mutex mutex;
            std::unique_lock lock(mutex);
            std::condition_variable_any never;
            never.wait_for(lock, over, most, [] { return false; });
            if (over.stop_requested())
                return;
            cut_ = true;
            io_.stop();
        });
    }

    asio::io_context io_;
    asio::strand<asio::io_context::executor_type> strand_;
    engine engine_;
    http_server server_;
    asio::signal_set signals_;
    asio::cancellation_signal force_;
    std::exception_ptr failed_;
    bool stopping_ = false;
    bool forced_ = false;
    std::atomic<bool> cut_ = false;
    std::jthread last_wait_;
};

std::unique_ptr<service> opened(const serve_options& o) {
    try {
        return std::make_unique<service>(o);
    } catch (const boost::system::system_error& e) {
        if (e.code() == errc::store_unavailable)
            throw failure(exit_status::unreachable, e.what());
        throw;
    }
}

} // namespace

void add_serve(CLI::App& program, action& chosen) {
    auto o = std::make_shared<serve_options>();
    CLI::App* serve = program.add_subcommand("serve", "Run an engine with its HTTP/JSON API");
    serve->add_option("--listen", o->listen, "ADDRESS:PORT; port 0 takes any free one")
        ->capture_default_str();
    serve->add_option("--store", o->store, "memory, sqlite:PATH, or nats://HOST:PORT[/PREFIX]")
        ->capture_default_str()
        ->each([o](const std::string&) { o->store_given = true; });
    add_nats_flags(*serve, o->nats);
    serve->add_option("--options", o->options_file, "Pools and queues, as docs/configuration.md");
    serve->add_option("--token", o->token_file, "A file with the token that clients must show");
    serve->add_option("--dashboard", o->dashboard, "The web page: on, read-only or off")
        ->transform(CLI::CheckedTransformer(
            std::map<std::string, dashboard_mode>{{"on", dashboard_mode::on},
                                                  {"read-only", dashboard_mode::read_only},
                                                  {"off", dashboard_mode::off}}))
        ->option_text("on|read-only|off [on]");
    CLI::Option* certificate = serve->add_option(
        "--tls-cert", o->tls_certificate, "Speak TLS: the certificate's file, PEM, with its chain");
    CLI::Option* key = serve->add_option("--tls-key", o->tls_key, "The file of its key");
    certificate->needs(key);
    key->needs(certificate);
    serve->add_option("--rate", o->rate, "Requests per second on one connection; 0: no limit")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    serve->add_option("--burst", o->burst, "How many of them may come at once")
        ->check(CLI::Range(1.0, 1e9))
        ->capture_default_str();
    serve->add_option("--threads", o->threads, "Threads that run the engine")
        ->check(CLI::Range(1U, 256U))
        ->capture_default_str();
    serve->add_flag("--demo", o->demo, "Kinds to try things with: noop, echo, sleep, fail ...");
    serve->callback([o, &chosen] {
        chosen = [o] {
            const auto s = opened(*o);
            return s->run(o->threads);
        };
    });
}

} // namespace lifeguard::cli
