#include "campaign.hpp"

#include "checksum.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <unistd.h>

#include <cstdio>
#include <iostream>

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

/// So many jobs are unfinished at most: enough for any number of workers, and far fewer than the
/// finished jobs that the store keeps (1,000), so that no result is forgotten before it is fetched.
constexpr std::size_t in_flight_max = 256;
constexpr std::uint64_t spare_file_size = 2'000'000;

} // namespace

asio::awaitable<void> campaign::run() {
    const std::size_t listed = files_.size();
    for (std::size_t n = 0; n < listed; ++n) {
        if (wanted_.injected != fault::drop_one || n != listed / 2)
            co_await submit(files_[n]);
        co_await collect(in_flight_max);
        if (wanted_.chaos)
            co_await kill_until(wanted_.kills * (n + 1) / listed); // evenly over the run
    }
    co_await collect(0);
    if (wanted_.chaos)
        co_await kill_on_spare_files();
    show_progress(true);
    status_ = pool_.status();
}

asio::awaitable<void> campaign::submit(std::string path) {
    lifeguard::new_job job("checksum", payload_of(path));
    // The handler gives up by itself, much earlier; this is for attempts that kills cut off.
    job.max_attempts = 25;
    in_flight_.push_back(co_await pool_.submit(std::move(job)));
}

/// Waits for results, the oldest job first, until `leave` are unfinished at most.
asio::awaitable<void> campaign::collect(std::size_t leave) {
    while (in_flight_.size() > leave) {
        const lifeguard::job_id id = in_flight_.front();
        in_flight_.pop_front();
        outcome o;
        try {
            const lifeguard::json result = co_await pool_.result(id);
            o.ok = true;
            o.sha256 = result.at("sha256");
            o.ctime_ns = result.at("ctime_ns");
        } catch (const lifeguard::error& e) {
            o.why = e.detail();
        }
        // Not what we believe to have submitted, but what the queue has.
        const std::optional<lifeguard::job_info> info = pool_.queue().find(id);
        if (!info || !is_final(info->state))
            continue; // no trace of it: that is for the reckoning at the end to find out
        for (const lifeguard::attempt_error& e : info->errors)
            o.cut_off += e.text.ends_with("was killed") ? 1 : 0;
        if (!o.ok && !info->errors.empty())
            o.why =
                "after " + std::to_string(info->attempt) + " attempts: " + info->errors.back().text;
        cut_off_ += o.cut_off;
        outcomes_.emplace(path_in(lifeguard::json::parse(info->payload)), std::move(o));
        show_progress(false);
    }
}

/// Kills workers one after the other, three times out of four one in the middle of a job.
asio::awaitable<void> campaign::kill_until(std::size_t kills) {
    while (killed_ < kills) {
        std::vector<lifeguard::worker_status> alive = pool_.workers();
        std::erase_if(alive, [](const auto& w) { return !w.alive; });
        std::vector<lifeguard::worker_status> busy = alive;
        std::erase_if(busy, [](const auto& w) { return w.busy == 0; });
        const auto& choice = busy.empty() || random_() % 4 == 0 ? alive : busy;
        if (choice.empty()) { // the pool is just being started
            co_await asio::post(asio::use_awaitable);
            continue;
        }
        const lifeguard::worker_status& victim = choice[random_() % choice.size()];
        co_await pool_.kill(victim.id);
        ++killed_;
        const auto patience = std::chrono::steady_clock::now() + 10s;
        while (pool_.worker(victim.id).incarnation == victim.incarnation) {
            if (std::chrono::steady_clock::now() > patience)
                throw std::runtime_error("worker " + victim.id + " is not restarted");
            co_await asio::post(asio::use_awaitable);
        }
    }
}

/// The files are done and there was not enough chaos: larger ones of our own, a kill for each.
asio::awaitable<void> campaign::kill_on_spare_files() {
    for (std::size_t n = 0; killed_ < wanted_.kills || cut_off_ < (wanted_.kills + 1) / 2; ++n) {
        if (n == 0 && isatty(STDOUT_FILENO) == 0)
            std::cout << "the files have run out after " << killed_ << " kills, " << cut_off_
                      << " in the middle of a job: adding larger ones" << std::endl;
        if (n == 20 * wanted_.kills)
            throw std::runtime_error("workers cannot be killed in the middle of a job");
        files_.push_back(spare_.add("spare/" + std::to_string(n), spare_file_size));
        co_await submit(files_.back());
        for (unsigned turns = 0; turns < 1000 && pool_.status().busy == 0; ++turns)
            co_await asio::post(asio::use_awaitable);
        co_await kill_until(killed_ + 1);
        co_await collect(0);
    }
}

/// A bar that is redrawn on a terminal, a line for each tenth of the files anywhere else.
void campaign::show_progress(bool last) {
    const std::size_t done = outcomes_.size();
    const std::size_t all = files_.size();
    if (isatty(STDOUT_FILENO) == 0) {
        const std::size_t tenth = all == 0 ? 10 : 10 * done / all;
        if (tenth == shown_tenth_)
            return;
        shown_tenth_ = tenth;
        std::printf("%zu of %zu files, %zu workers killed\n", done, all, killed_);
    } else {
        const auto now = std::chrono::steady_clock::now();
        if (!last && now - shown_ < std::chrono::milliseconds(50))
            return;
        shown_ = now;
        const std::size_t width = all == 0 ? 40 : 40 * done / all;
        const std::string bar = std::string(width, '#') + std::string(40 - width, '.');
        std::printf("\r[%s] %zu of %zu files, %zu workers killed%s", bar.c_str(), done, all,
                    killed_, last ? "\n" : "");
    }
    std::fflush(stdout);
}
