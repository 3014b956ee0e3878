#include "nats/server_view.hpp"

#include <stdexcept>

namespace lifeguard::test {
namespace {

void check(natsStatus s) {
    if (s != NATS_OK)
        throw std::runtime_error(std::string("server_view: ") + natsStatus_GetText(s));
}

} // namespace

server_view::server_view(const std::string& url) {
    check(natsConnection_ConnectTo(&connection_, url.c_str()));
    check(natsConnection_JetStream(&js_, connection_, nullptr));
}

server_view::~server_view() {
    jsCtx_Destroy(js_);
    natsConnection_Destroy(connection_);
}

std::uint64_t server_view::messages(const std::string& stream) {
    jsStreamInfo* info = nullptr;
    check(js_GetStreamInfo(&info, js_, stream.c_str(), nullptr, nullptr));
    const std::uint64_t n = info->State.Msgs;
    jsStreamInfo_Destroy(info);
    return n;
}

std::vector<std::string> server_view::data(const std::string& stream) {
    std::vector<std::string> all;
    const std::uint64_t n = messages(stream);
    for (std::uint64_t i = 1; i <= n; ++i) {
        natsMsg* msg = nullptr;
        check(js_GetMsg(&msg, js_, stream.c_str(), i, nullptr, nullptr));
        all.emplace_back(natsMsg_GetData(msg),
                         static_cast<std::size_t>(natsMsg_GetDataLength(msg)));
        natsMsg_Destroy(msg);
    }
    return all;
}

std::int64_t server_view::replicas(const std::string& stream) {
    jsStreamInfo* info = nullptr;
    check(js_GetStreamInfo(&info, js_, stream.c_str(), nullptr, nullptr));
    const std::int64_t n = info->Config->Replicas;
    jsStreamInfo_Destroy(info);
    return n;
}

std::int64_t server_view::waiting(const std::string& stream, const std::string& consumer) {
    jsConsumerInfo* info = nullptr;
    check(js_GetConsumerInfo(&info, js_, stream.c_str(), consumer.c_str(), nullptr, nullptr));
    const std::int64_t n = info->NumWaiting;
    jsConsumerInfo_Destroy(info);
    return n;
}

std::uint64_t server_view::deliveries(const std::string& stream, const std::string& consumer) {
    jsConsumerInfo* info = nullptr;
    check(js_GetConsumerInfo(&info, js_, stream.c_str(), consumer.c_str(), nullptr, nullptr));
    const std::uint64_t n = info->Delivered.Consumer;
    jsConsumerInfo_Destroy(info);
    return n;
}

void server_view::add_stream(const std::string& name, const std::string& subject,
                             jsRetentionPolicy keeps, jsStorageType where) {
    jsStreamConfig c;
    jsStreamConfig_Init(&c);
    const char* subjects[] = {subject.c_str()};
    c.Name = name.c_str();
    c.Subjects = subjects;
    c.SubjectsLen = 1;
    c.Retention = keeps;
    c.Storage = where;
    jsStreamInfo* info = nullptr;
    check(js_AddStream(&info, js_, &c, nullptr, nullptr));
    jsStreamInfo_Destroy(info);
}

void server_view::add_bucket(const std::string& name) {
    kvConfig c;
    kvConfig_Init(&c);
    c.Bucket = name.c_str();
    c.StorageType = js_FileStorage;
    kvStore* made = nullptr;
    check(js_CreateKeyValue(&made, js_, &c));
    kvStore_Destroy(made);
}

} // namespace lifeguard::test
