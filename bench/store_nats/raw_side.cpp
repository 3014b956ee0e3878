#include "store_nats/raw_side.hpp"

#include <nats/nats.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>

namespace bench {
namespace {

template <auto Destroy>
struct deleter {
    template <typename T>
    void operator()(T* p) const {
        Destroy(p);
    }
};

template <typename T, auto Destroy>
using owned = std::unique_ptr<T, deleter<Destroy>>;

void check(natsStatus status, const char* doing) {
    if (status == NATS_OK)
        return;
    std::fprintf(stderr, "store_nats: %s: %s\n", doing, natsStatus_GetText(status));
    std::exit(1);
}

constexpr std::int64_t patience_ms = 10'000;

class raw_client {
  public:
    explicit raw_client(const std::string& url) {
        natsConnection* connection = nullptr;
        check(natsConnection_ConnectTo(&connection, url.c_str()), "connect");
        connection_.reset(connection);
        jsOptions options;
        jsOptions_Init(&options);
        options.PublishAsync.MaxPending = in_flight;
        options.PublishAsync.StallWait = patience_ms;
        jsCtx* js = nullptr;
        check(natsConnection_JetStream(&js, connection, &options), "JetStream");
        js_.reset(js);
    }

    void add_stream(const std::string& name) {
        jsStreamConfig config;
        jsStreamConfig_Init(&config);
        const char* subjects[] = {name.c_str()}; // its only one
        config.Name = name.c_str();
        config.Subjects = subjects;
        config.SubjectsLen = 1;
        config.Retention = js_WorkQueuePolicy;
        config.Storage = js_FileStorage;
        check(js_AddStream(nullptr, js_.get(), &config, nullptr, nullptr), "stream");
        subject_ = name;
    }

    /// A subject for each job, of which the last message is kept: a key-value bucket.
    void add_bucket(const std::string& name) {
        jsStreamConfig config;
        jsStreamConfig_Init(&config);
        const std::string all = name + ".*";
        const char* subjects[] = {all.c_str()};
        config.Name = name.c_str();
        config.Subjects = subjects;
        config.SubjectsLen = 1;
        config.MaxMsgsPerSubject = 1;
        config.Storage = js_FileStorage;
        check(js_AddStream(nullptr, js_.get(), &config, nullptr, nullptr), "bucket");
        bucket_ = name;
    }

    void remove_stream(const std::string& name) {
        const natsStatus status = js_DeleteStream(js_.get(), name.c_str(), nullptr, nullptr);
        if (status != NATS_NOT_FOUND)
            check(status, "delete");
    }

    void publish(int jobs) {
        for (int i = 0; i < jobs; ++i)
            publish(subject_);
    }

    /// Of `in_flight` jobs, beginning with this number.
    void write_states(int first) {
        for (int i = first; i < first + in_flight; ++i)
            publish(bucket_ + "." + std::to_string(i));
    }

    void until_published() {
        jsPubOptions options;
        jsPubOptions_Init(&options);
        options.MaxWait = patience_ms;
        check(js_PublishAsyncComplete(js_.get(), &options), "acks of publishing");
    }

    void subscribe() {
        natsSubscription* jobs = nullptr;
        check(
            js_PullSubscribe(&jobs, js_.get(), subject_.c_str(), "raw", nullptr, nullptr, nullptr),
            "pull subscription");
        jobs_.reset(jobs);
        natsInbox* inbox = nullptr;
        check(natsInbox_Create(&inbox), "inbox");
        inbox_ = inbox;
        natsInbox_Destroy(inbox);
        natsSubscription* answers = nullptr;
        check(natsConnection_SubscribeSync(&answers, connection_.get(), inbox_.c_str()), "inbox");
        answers_.reset(answers);
    }

    void fetch_and_ack(int jobs) {
        while (jobs > 0) {
            natsMsgList list{};
            check(natsSubscription_Fetch(&list, jobs_.get(), jobs, patience_ms, nullptr), "fetch");
            for (int i = 0; i < list.Count; ++i)
                check(natsConnection_PublishRequestString(connection_.get(),
                                                          natsMsg_GetReply(list.Msgs[i]),
                                                          inbox_.c_str(), "+ACK"),
                      "ack");
            for (int i = 0; i < list.Count; ++i) {
                natsMsg* answer = nullptr;
                check(natsSubscription_NextMsg(&answer, answers_.get(), patience_ms),
                      "answer to an ack");
                natsMsg_Destroy(answer);
            }
            jobs -= list.Count;
            natsMsgList_Destroy(&list);
        }
    }

  private:
    void publish(const std::string& subject) {
        check(js_PublishAsync(js_.get(), subject.c_str(), payload.data(),
                              static_cast<int>(payload.size()), nullptr),
              "publish");
    }

    owned<natsConnection, natsConnection_Destroy> connection_;
    owned<jsCtx, jsCtx_Destroy> js_;
    owned<natsSubscription, natsSubscription_Destroy> jobs_;
    owned<natsSubscription, natsSubscription_Destroy> answers_;
    std::string subject_;
    std::string bucket_;
    std::string inbox_;
};

template <typename Body>
double per_second(const std::string& url, const std::string& stream, int jobs, Body body) {
    raw_client client(url);
    client.add_stream(stream);
    client.subscribe();
    const auto start = std::chrono::steady_clock::now();
    body(client);
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    client.remove_stream(stream);
    return jobs / seconds;
}

template <typename Body>
double per_second_with_states(const std::string& url, const std::string& stream, int jobs,
                              Body body) {
    const std::string bucket = stream + "-states";
    const double rate = per_second(url, stream, jobs, [&](raw_client& client) {
        client.add_bucket(bucket);
        body(client);
    });
    remove_stream(url, bucket);
    return rate;
}

} // namespace

double raw_pushes(const std::string& url, const std::string& stream, int jobs) {
    return per_second(url, stream, jobs, [&](raw_client& client) {
        client.publish(jobs);
        client.until_published();
    });
}

double raw_lives(const std::string& url, const std::string& stream, int jobs) {
    return per_second(url, stream, jobs, [&](raw_client& client) {
        for (int n = 0; n < jobs; n += in_flight) {
            client.publish(in_flight);
            client.until_published();
            client.fetch_and_ack(in_flight);
        }
    });
}

double raw_stateful_pushes(const std::string& url, const std::string& stream, int jobs) {
    return per_second_with_states(url, stream, jobs, [&](raw_client& client) {
        client.write_states(0);
        for (int n = in_flight; n <= jobs; n += in_flight) {
            client.until_published();
            client.publish(in_flight);
            if (n < jobs)
                client.write_states(n);
        }
        client.until_published();
    });
}

double raw_stateful_lives(const std::string& url, const std::string& stream, int jobs) {
    return per_second_with_states(url, stream, jobs, [&](raw_client& client) {
        for (int n = 0; n < jobs; n += in_flight) {
            client.write_states(n);
            client.until_published();
            client.publish(in_flight);
            client.until_published();
            client.write_states(n); // they begin
            client.until_published();
            client.write_states(n); // and end
            client.until_published();
            client.fetch_and_ack(in_flight);
        }
    });
}

void remove_stream(const std::string& url, const std::string& stream) {
    raw_client(url).remove_stream(stream);
}

} // namespace bench
