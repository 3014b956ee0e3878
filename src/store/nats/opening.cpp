// How the store begins: it connects, and finds or makes what must be on the server.

#include "store/nats/nats_store.hpp"
#include <lifeguard/json.hpp>

namespace lifeguard::detail {
namespace {

using stream_info = std::unique_ptr<jsStreamInfo, nats_free<jsStreamInfo_Destroy>>;

int milliseconds(duration d) {
    return static_cast<int>(std::max<std::int64_t>(
        1, std::chrono::duration_cast<std::chrono::milliseconds>(d).count()));
}

stream_info read_info(jsCtx& js, const std::string& stream, const std::string& subjects) {
    jsOptions options;
    jsOptions_Init(&options);
    options.Stream.Info.SubjectsFilter = subjects.c_str();
    jsStreamInfo* found = nullptr;
    check_nats(js_GetStreamInfo(&found, &js, stream.c_str(), &options, nullptr), errc::store_failed,
               "stream '" + stream + "'");
    return stream_info(found);
}

} // namespace

std::vector<log_record> nats_job_store::load() {
    log_ = logger(shared()->log);
    link_.connect();
    document_max_ =
        static_cast<std::size_t>(natsConnection_GetMaxPayload(link_.connection())) - 512;
    jsOptions wait;
    jsOptions_Init(&wait);
    wait.Wait = milliseconds(options_.answer_wait);
    jsCtx* made = nullptr;
    check_nats(natsConnection_JetStream(&made, link_.connection(), &wait), errc::store_failed,
               "JetStream");
    const nats_js js(made);
    prepare_streams(*js, layout_, options_);
    load_pauses(*js);
    broker_.start([this](std::vector<broker_event> events) { told(std::move(events)); });
    return {};
}

void nats_job_store::load_pauses(jsCtx& js) {
    const stream_info info = read_info(js, layout_.states, layout_.pause_subjects());
    // Servers that are not alone may answer with an older state.
    broker_.set_single_server(info->Config->Replicas <= 1);
    const jsStreamStateSubjects* const paused = info->State.Subjects;
    for (int i = 0; paused != nullptr && i < paused->Count; ++i) {
        const char* const subject = paused->List[i].Subject;
        natsMsg* found = nullptr;
        const natsStatus status =
            js_GetLastMsg(&found, &js, layout_.states.c_str(), subject, nullptr, nullptr);
        check_nats(status, errc::store_failed, std::string("key ") + subject);
        const nats_message m(found);
        const json text = json::parse(m.data(), nullptr, false);
        if (text.is_object() && text.value("paused", false))
            listener().stored_pause(listener().stored_queue(layout_.queue_paused_by(subject)),
                                    text.value("until", std::int64_t{0}));
    }
}

} // namespace lifeguard::detail
