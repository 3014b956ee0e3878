#include "store/nats/layout.hpp"

#include "store/nats/link.hpp"

#include <charconv>
#include <functional>
#include <vector>

namespace lifeguard::detail {
namespace {

constexpr bool is_plain(char c) noexcept {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
}

/// Names of consumers are names of files on the server.
constexpr std::size_t consumer_name_max = 200;

/// The same on every machine, unlike std::hash.
std::uint64_t fnv1a(std::string_view text) noexcept {
    std::uint64_t h = 0xcbf29ce484222325U;
    for (const char c : text)
        h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
    return h;
}

} // namespace

std::string subject_token(std::string_view name) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string token;
    for (const char c : name) {
        if (is_plain(c)) {
            token += c;
            continue;
        }
        const auto byte = static_cast<unsigned char>(c);
        token += {'=', digits[byte >> 4U], digits[byte & 0xfU]};
    }
    return token;
}

std::string name_of_token(std::string_view token) {
    std::string name;
    for (std::size_t i = 0; i < token.size(); ++i) {
        unsigned byte = 0;
        if (token[i] == '=' && i + 2 < token.size() &&
            std::from_chars(&token[i + 1], &token[i + 1] + 2, byte, 16).ec == std::errc()) {
            name += static_cast<char>(byte);
            i += 2;
        } else {
            name += token[i];
        }
    }
    return name;
}

nats_layout::nats_layout(const std::string& prefix)
    : states("KV_" + prefix + "_jobs"),
      references(prefix + "_WORK"),
      dead(prefix + "_DEAD"),
      prefix_(prefix),
      states_subject_("$KV." + prefix + "_jobs.") {}

std::string nats_layout::pause_of(std::string_view queue) const {
    return states_subject_ + "pause." + subject_token(queue);
}

std::string nats_layout::queue_paused_by(std::string_view subject) const {
    const std::string start = states_subject_ + "pause.";
    return subject.starts_with(start) ? name_of_token(subject.substr(start.size())) : std::string();
}

std::optional<job_id> nats_layout::job_of(std::string_view subject) const {
    if (!subject.starts_with(states_subject_))
        return std::nullopt;
    return job_id::parse(subject.substr(states_subject_.size()));
}

std::string nats_layout::reference_in(std::string_view queue, int priority) const {
    return prefix_ + ".work." + subject_token(queue) + "." + std::to_string(priority);
}

std::string nats_layout::dead_in(std::string_view queue) const {
    return prefix_ + ".dead." + subject_token(queue);
}

std::string nats_layout::consumer_of(std::string_view queue, int priority) const {
    std::string name = subject_token(queue);
    if (name.size() > consumer_name_max)
        name = name.substr(0, 100) + "=" + std::to_string(fnv1a(queue));
    return name + "_" + std::to_string(priority);
}

// --- streams

namespace {

using stream_info = std::unique_ptr<jsStreamInfo, nats_free<jsStreamInfo_Destroy>>;

constexpr std::int64_t nanoseconds(duration d) noexcept {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(d).count();
}

/// A stream as it must be.
struct wanted_stream {
    const std::string* name;
    std::string subjects;
    jsRetentionPolicy retention = js_LimitsPolicy;
    std::function<void(jsStreamConfig&)> more = [](jsStreamConfig&) {};
    std::function<const char*(const jsStreamConfig&)> wrong = [](const jsStreamConfig&) {
        return static_cast<const char*>(nullptr);
    };
};

[[noreturn]] void mismatch(const std::string& stream, const std::string& what) {
    throw error(errc::store_failed, "stream '" + stream + "': " + what);
}

void check(const jsStreamConfig& is, const wanted_stream& wanted) {
    const std::string& name = *wanted.name;
    if (is.Storage != js_FileStorage)
        mismatch(name, "is in memory, must be in files");
    if (is.Retention != wanted.retention)
        mismatch(name, wanted.retention == js_WorkQueuePolicy
                           ? "retention is not that of a work queue"
                           : "retention is not by limits");
    if (is.SubjectsLen != 1 || wanted.subjects != is.Subjects[0])
        mismatch(name, "subjects are not " + wanted.subjects + " alone");
    if (is.MaxAge != 0)
        mismatch(name, "loses messages by age");
    if (is.Sealed)
        mismatch(name, "is sealed");
    if (const char* const what = wanted.wrong(is))
        mismatch(name, what);
}

void make(jsCtx& js, const wanted_stream& wanted, const nats_store_options& options) {
    jsStreamConfig config;
    jsStreamConfig_Init(&config);
    const char* subject = wanted.subjects.c_str();
    config.Name = wanted.name->c_str();
    config.Subjects = &subject;
    config.SubjectsLen = 1;
    config.Retention = wanted.retention;
    config.Storage = js_FileStorage;
    config.Discard = js_DiscardNew; // a full stream refuses; it forgets nothing
    config.Replicas = options.replicas;
    config.Duplicates = nanoseconds(options.duplicate_window);
    wanted.more(config);
    jsStreamInfo* made = nullptr;
    const natsStatus status = js_AddStream(&made, &js, &config, nullptr, nullptr);
    const stream_info info(made);
    check_nats(status, errc::store_failed, "stream '" + *wanted.name + "'");
}

void prepare(jsCtx& js, const wanted_stream& wanted, const nats_store_options& options) {
    jsStreamInfo* found = nullptr;
    jsErrCode code{};
    const natsStatus status = js_GetStreamInfo(&found, &js, wanted.name->c_str(), nullptr, &code);
    const stream_info info(found);
    if (status == NATS_NOT_FOUND) {
        if (!options.create_missing)
            mismatch(*wanted.name, "is missing, and is not to be made");
        // Another engine may make it at the same moment, and then it is looked at again.
        make(js, wanted, options);
        wanted_stream again = wanted;
        nats_store_options look = options;
        look.create_missing = false;
        return prepare(js, again, look);
    }
    if (status == NATS_NO_RESPONDERS)
        throw error(errc::store_failed, "the server has no JetStream");
    check_nats(status, status == NATS_TIMEOUT ? errc::store_unavailable : errc::store_failed,
               "stream '" + *wanted.name + "'");
    check(*found->Config, wanted);
}

} // namespace

void prepare_streams(jsCtx& js, const nats_layout& layout, const nats_store_options& options) {
    wanted_stream states{&layout.states, layout.states_subjects()};
    states.more = [](jsStreamConfig& c) { // as the client makes buckets, but that it may be tidied
        c.MaxMsgsPerSubject = 1;
        c.AllowRollup = true;
        c.AllowDirect = true;
    };
    states.wrong = [](const jsStreamConfig& c) -> const char* {
        if (c.MaxMsgsPerSubject != 1)
            return "keeps more than one value of a key";
        return c.AllowDirect ? nullptr : "does not allow direct reads";
    };
    prepare(js, states, options);

    wanted_stream references{&layout.references, layout.references_subjects(), js_WorkQueuePolicy};
    prepare(js, references, options);

    wanted_stream dead{&layout.dead, layout.dead_subjects()};
    dead.more = [&](jsStreamConfig& c) {
        c.Discard = js_DiscardOld;
        c.MaxMsgs = static_cast<std::int64_t>(options.discarded_max);
    };
    prepare(js, dead, options);
}

} // namespace lifeguard::detail
