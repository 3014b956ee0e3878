#include "crash/accounting.hpp"

#include <fstream>
#include <stdexcept>

namespace lifeguard::test {

void accounting::read_file(const std::string& path) {
    std::ifstream in(path);
    for (std::string line; std::getline(in, line);)
        read(line);
}

void accounting::read(const std::string& line) {
    const std::string text = line.substr(2);
    if (line[0] == '>')
        asked(json::parse(text));
    else if (line[0] == '<')
        answered(json::parse(text));
    else if (text == "killed" || text == "ended")
        crashed();
    else if (text == "drained")
        drained();
    else if (text != "started")
        throw std::runtime_error("the log says: " + line);
}

void accounting::fault(const std::string& id, const std::string& what) {
    faults_.push_back("job " + id + " " + what);
}

void accounting::asked(const json& r) {
    const std::string what = r.at("do");
    const std::string id = what == "push" ? r.at("job").value("id", "") : r.value("id", "");
    pending_[r.at("n")] = {what, id};
    if (what == "push") {
        ++figures_.attempts;
        jobs_[id].attempted = true;
    } else if (what == "fail" || what == "release" || what == "snooze") {
        jobs_[id].held = false; // it may be given out before we hear of it
    }
}

void accounting::answered(const json& a) {
    if (a.contains("ran"))
        return delivered(a.at("ran"));
    if (!a.contains("n"))
        return;
    const auto found = pending_.find(a.at("n"));
    if (found == pending_.end())
        throw std::runtime_error("an answer that nobody asked for: " + a.dump());
    const request r = found->second;
    pending_.erase(found);
    const bool ok = !a.contains("error");
    if (ok && r.what == "take") {
        for (const json& t : a.at("taken"))
            delivered(t.at("id"));
    } else if (r.what == "push") {
        job& j = jobs_[r.id];
        (ok ? j.acknowledged : j.refused) = true;
        figures_.acknowledged += ok ? 1 : 0;
    } else if (ok && r.what == "complete") {
        job& j = jobs_[r.id];
        ++figures_.completed;
        if (++j.completions > 1) {
            ++figures_.completed_twice;
            fault(r.id, "was completed twice");
        }
    } else if (ok && (r.what == "remove" || r.what == "discard")) {
        jobs_[r.id].removed = true;
    }
}

void accounting::delivered(const std::string& id) {
    job& j = jobs_[id];
    if (!j.attempted || j.refused) {
        ++figures_.unexpected;
        fault(id, j.refused ? "was delivered, and its push had been refused"
                            : "was delivered, and nobody had pushed it");
    }
    if (++j.deliveries == 1)
        ++figures_.delivered;
    if (j.completions != 0)
        fault(id, "was delivered after it had been completed");
    if (j.removed)
        fault(id, "was delivered after it had been removed");
    if (j.held)
        fault(id, "was delivered to two at once");
    if (j.interrupted)
        ++figures_.duplicated;
    j.interrupted = false;
    j.held = true;
}

void accounting::crashed() {
    ++figures_.crashes;
    for (const auto& [n, r] : pending_)
        if (r.what == "complete" || r.what == "remove" || r.what == "discard")
            jobs_[r.id].may_be_gone = true;
    pending_.clear();
    for (auto& [id, j] : jobs_)
        if (j.held) {
            j.held = false;
            j.interrupted = true;
        }
}

void accounting::drained() {
    for (const auto& [id, j] : jobs_) {
        const bool gone = j.removed || j.may_be_gone;
        if (j.acknowledged && j.deliveries == 0 && !gone) {
            ++figures_.lost;
            fault(id, "was acknowledged and never delivered");
        } else if (j.deliveries != 0 && j.completions == 0 && !gone) {
            fault(id, "was delivered and is gone, though nobody completed it");
        }
        if (j.deliveries != 0 && !j.acknowledged && !j.refused)
            ++figures_.recovered;
    }
    jobs_.clear();
}

} // namespace lifeguard::test
