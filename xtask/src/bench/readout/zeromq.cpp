// A rival of `bench readout`: an event builder over ZeroMQ, as its guide would have it written.
//
//   zeromq SOURCES BYTES SECONDS
//
// One PUSH socket for each source, all in one thread, and one message per fragment: the 40 bytes of head that
// our frames have, and the payload. One PULL socket in another thread takes them, and a hash map joins them by
// event. Rows of fragments are those of our own sender. Nothing is pinned to a core: with the threads of the
// library that is faster. Prints one line of JSON.

#include <zmq.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <unordered_map>
#include <vector>

namespace {

constexpr size_t HEAD_BYTES = 40, AT_SOURCE = 12, AT_EVENT = 16;
constexpr uint64_t UNKNOWN = UINT64_MAX;
using Clock = std::chrono::steady_clock;

struct Shape {
    uint16_t sources;
    size_t bytes;
    uint64_t row;
    double seconds;
};

// An event that is being built: its messages, by source.
struct Open {
    std::vector<zmq_msg_t> parts;
    std::vector<bool> present;
    size_t count = 0;
};

std::atomic<uint64_t> sent_events{UNKNOWN};

void must(bool is_well, const char *what) {
    if (is_well) return;
    std::fprintf(stderr, "zeromq: %s: %s\n", what, zmq_strerror(zmq_errno()));
    std::exit(1);
}

// Bounds the messages that wait at each end of each connection. With its default of 1000, 126 sources of 16 KiB
// may have 2 GB at each end. Whether 64, 100, 200 or 1000 is fastest was not settled: too much else ran.
bool limit(void *socket) {
    const int messages = 100;
    return zmq_setsockopt(socket, ZMQ_SNDHWM, &messages, sizeof messages) == 0 &&
           zmq_setsockopt(socket, ZMQ_RCVHWM, &messages, sizeof messages) == 0;
}

void send(const Shape &shape, const char *endpoint) {
    void *context = zmq_ctx_new();
    std::vector<void *> sockets;
    for (uint16_t source = 0; source < shape.sources; source++) {
        void *socket = zmq_socket(context, ZMQ_PUSH);
        must(socket != nullptr && limit(socket) && zmq_connect(socket, endpoint) == 0, "connect");
        sockets.push_back(socket);
    }
    const std::vector<unsigned char> payload(shape.bytes, 7);
    const auto end = Clock::now() + std::chrono::duration<double>(shape.seconds);
    uint64_t sent = 0;
    for (; Clock::now() < end; sent += shape.row) {
        for (uint16_t source = 0; source < shape.sources; source++) {
            for (uint64_t event = sent; event < sent + shape.row; event++) {
                zmq_msg_t message;
                must(zmq_msg_init_size(&message, HEAD_BYTES + shape.bytes) == 0, "message");
                auto *bytes = static_cast<unsigned char *>(zmq_msg_data(&message));
                std::memset(bytes, 0, HEAD_BYTES);
                std::memcpy(bytes + AT_SOURCE, &source, sizeof source);
                std::memcpy(bytes + AT_EVENT, &event, sizeof event);
                std::memcpy(bytes + HEAD_BYTES, payload.data(), shape.bytes);
                must(zmq_msg_send(&message, sockets[source], 0) >= 0, "send");
            }
        }
    }
    sent_events = sent;
    for (void *socket : sockets) zmq_close(socket);
    zmq_ctx_term(context);
}

// Takes a message in; says whether its event is complete with it, which is then over.
bool take(const Shape &shape, std::unordered_map<uint64_t, Open> &open, zmq_msg_t &message) {
    must(zmq_msg_size(&message) == HEAD_BYTES + shape.bytes, "a fragment has another size");
    const auto *bytes = static_cast<const unsigned char *>(zmq_msg_data(&message));
    uint16_t source;
    uint64_t number;
    std::memcpy(&source, bytes + AT_SOURCE, sizeof source);
    std::memcpy(&number, bytes + AT_EVENT, sizeof number);
    Open &event = open[number];
    if (event.parts.empty()) {
        event.parts.resize(shape.sources);
        event.present.resize(shape.sources);
    }
    must(source < shape.sources && !event.present[source], "a fragment came twice");
    zmq_msg_init(&event.parts[source]);
    zmq_msg_move(&event.parts[source], &message);
    event.present[source] = true;
    if (++event.count < shape.sources) return false;
    for (zmq_msg_t &part : event.parts) zmq_msg_close(&part);
    open.erase(number);
    return true;
}

}  // namespace

int main(int argc, char **argv) {
    must(argc == 4, "zeromq SOURCES BYTES SECONDS");
    Shape shape{static_cast<uint16_t>(std::atoi(argv[1])), std::strtoull(argv[2], nullptr, 10), 0, std::atof(argv[3])};
    shape.row = std::min<uint64_t>(64, std::max<uint64_t>(1, (256 << 10) / std::max<size_t>(1, shape.bytes)));
    void *context = zmq_ctx_new();
    void *socket = zmq_socket(context, ZMQ_PULL);
    int patience_ms = 100;
    zmq_setsockopt(socket, ZMQ_RCVTIMEO, &patience_ms, sizeof patience_ms);
    char endpoint[128];
    size_t endpoint_bytes = sizeof endpoint;
    must(limit(socket) && zmq_bind(socket, "tcp://127.0.0.1:*") == 0, "bind");
    must(zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, endpoint, &endpoint_bytes) == 0, "endpoint");
    std::thread sender(send, std::cref(shape), endpoint);

    std::unordered_map<uint64_t, Open> open;
    uint64_t complete = 0;
    Clock::time_point first, last;
    while (sent_events != complete) {
        zmq_msg_t message;
        zmq_msg_init(&message);
        if (zmq_msg_recv(&message, socket, 0) < 0) {
            must(zmq_errno() == EAGAIN, "receive");
            continue;
        }
        if (complete == 0 && open.empty()) first = Clock::now();
        if (take(shape, open, message)) complete++;
        zmq_msg_close(&message);
    }
    last = Clock::now();
    must(open.empty(), "an event is left open");
    sender.join();
    zmq_close(socket);
    zmq_ctx_term(context);
    const double seconds = std::chrono::duration<double>(last - first).count();
    const uint64_t fragments = complete * shape.sources;
    std::printf("{\"events\": %llu, \"fragments\": %llu, \"bytes\": %llu, \"seconds\": %f}\n",
                static_cast<unsigned long long>(complete), static_cast<unsigned long long>(fragments),
                static_cast<unsigned long long>(fragments * shape.bytes), seconds);
}
