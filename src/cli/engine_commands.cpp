// Commands about queues, pools and workers.
#include "cli/commands.hpp"
#include "cli/table.hpp"

#include <iostream>

namespace lifeguard::cli {
namespace {

/// Rows of objects with the same members, as a table.
void print_table(const json& rows, const std::vector<const char*>& columns) {
    std::vector<std::vector<std::string>> cells;
    for (const json& row : rows)
        for (std::vector<std::string>& line = cells.emplace_back(); const char* column : columns)
            line.push_back(text_of(row.at(column)));
    std::cout << table_of({columns.begin(), columns.end()}, cells);
}

exit_status list(const common& with, const char* what, const std::vector<const char*>& columns) {
    const json answer = client(with.server).get(std::string("/v1/") + what);
    if (with.as_json)
        std::cout << answer.dump() << '\n';
    else
        print_table(answer.at(what), columns);
    return exit_status::ok;
}

template <typename F>
void add(CLI::App& program, const char* name, const char* about, action& chosen, F run) {
    program.add_subcommand(name, about)->callback([run, &chosen] { chosen = run; });
}

} // namespace

void add_engine_commands(CLI::App& program, const common& with, action& chosen) {
    add(program, "queues", "List the queues with their jobs by state", chosen, [&with] {
        return list(with, "queues",
                    {"name", "available", "executing", "scheduled", "retryable", "completed",
                     "cancelled", "discarded", "waiting_for_handler", "paused"});
    });
    add(program, "pools", "List the worker pools", chosen, [&with] {
        return list(with, "pools",
                    {"name", "workers", "idle", "busy", "breakers_open", "available", "executing",
                     "restarts_total", "timeouts_total"});
    });
    add(program, "workers", "List the workers", chosen, [&with] {
        return list(
            with, "workers",
            {"id", "alive", "breaker", "busy", "incarnation", "restarts", "processed", "failed"});
    });
    add(program, "tree", "Draw the supervision tree", chosen, [&with] {
        const json answer = client(with.server).get("/v1/tree");
        std::cout << (with.as_json ? answer.dump() + "\n" : answer.at("tree").get<std::string>());
        return exit_status::ok;
    });

    auto queue = std::make_shared<std::string>();
    auto for_ms = std::make_shared<std::uint64_t>(0);
    CLI::App* pause = program.add_subcommand("pause", "Let nobody take jobs from a queue");
    pause->add_option("queue", *queue, "Its name")->required();
    pause->add_option("--for-ms", *for_ms, "Only for so long");
    pause->callback([queue, for_ms, &with, &chosen] {
        chosen = [queue, for_ms, &with] {
            client(with.server)
                .post("/v1/queues/" + escaped(*queue) + "/pause",
                      json({{"for_ms", *for_ms}}).dump());
            return done(with);
        };
    });
    CLI::App* resume = program.add_subcommand("resume", "End a pause");
    resume->add_option("queue", *queue, "Its name")->required();
    resume->callback([queue, &with, &chosen] {
        chosen = [queue, &with] {
            client(with.server).post("/v1/queues/" + escaped(*queue) + "/resume");
            return done(with);
        };
    });

    auto worker = std::make_shared<std::string>();
    CLI::App* kill = program.add_subcommand("kill", "Kill a worker; its supervisor restarts it");
    kill->add_option("worker", *worker, "Its id, as default/3")->required();
    kill->callback([worker, &with, &chosen] {
        chosen = [worker, &with] {
            const std::size_t slash = worker->rfind('/');
            if (slash == std::string::npos)
                throw failure(exit_status::usage, "a worker's id is POOL/NUMBER");
            client(with.server)
                .post("/v1/workers/" + escaped(worker->substr(0, slash)) + "/" +
                      escaped(worker->substr(slash + 1)) + "/kill");
            return done(with);
        };
    });
}

} // namespace lifeguard::cli
