#include "http/sample_history.hpp"

namespace lifeguard::detail::web {

void sample_history::add(std::int64_t at, event_hub::published sample) {
    bytes_ += sample.length;
    fine_.push_back({at, std::move(sample)});
    trim();
}

void sample_history::add_coarse(std::int64_t at, std::string sample) {
    event_hub::published p;
    p.length = sample.size();
    p.text = std::make_shared<const std::string>(std::move(sample));
    bytes_ += p.length;
    coarse_.push_back({at, std::move(p)});
    trim();
}

void sample_history::drop(std::deque<entry>& from) {
    bytes_ -= from.front().text.length;
    from.pop_front();
}

void sample_history::trim() {
    if (fine_.size() > fine_max)
        drop(fine_);
    if (coarse_.size() > coarse_max)
        drop(coarse_);
    while (bytes_ > bytes_max && coarse_.size() > 1)
        drop(coarse_);
    while (bytes_ > bytes_max && fine_.size() > 1)
        drop(fine_);
}

std::string sample_history::since(std::int64_t since) const {
    std::string text = "[";
    const std::int64_t fine_from = fine_.empty() ? INT64_MAX : fine_.front().at;
    const auto append = [&](const entry& e) {
        if (e.at < since)
            return;
        if (text.size() > 1)
            text += ',';
        text += e.text.data();
    };
    for (const entry& e : coarse_)
        if (e.at < fine_from)
            append(e);
    for (const entry& e : fine_)
        append(e);
    return text += ']';
}

} // namespace lifeguard::detail::web
