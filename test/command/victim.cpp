// An engine that runs one command, and is killed while it does: argv are the command's.
#include <lifeguard/lifeguard.hpp>

using namespace lifeguard;

int main(int argc, char** argv) {
    asio::io_context io;
    engine app(io.get_executor());
    command_options o;
    o.argv.assign(argv + 1, argv + argc);
    app.handle_command("command", o);
    asio::co_spawn(io, app.run(), rethrow);
    asio::co_spawn(io, app.pool("default").submit(new_job("command")), asio::detached);
    io.run();
}
