"""What the example reads from a nats-server itself, not through an engine: the protocol is lines of
text, and JetStream's API is requests with JSON."""

import json
import socket


class Connection:
    """One that asks, and waits for the answer."""

    def __init__(self, port, timeout=10.0):
        self._socket = socket.create_connection(("127.0.0.1", port), timeout)
        self._lines = self._socket.makefile("rb")
        self._inbox = "_INBOX.cluster"
        self._last = 0
        self._lines.readline()  # INFO
        options = {"verbose": False, "headers": True, "no_responders": True}
        self._send(f"CONNECT {json.dumps(options)}\r\nSUB {self._inbox}.* 1\r\nPING\r\n".encode())
        while self._lines.readline() != b"PONG\r\n":
            pass

    def close(self):
        self._lines.close()
        self._socket.close()

    def _send(self, data):
        self._socket.sendall(data)

    def publish(self, subject, data, reply=""):
        self._send(f"PUB {subject} {reply} {len(data)}\r\n".encode() + data + b"\r\n")

    def next(self):
        """Subject, reply, status of the headers (or None), body."""
        while True:
            words = self._lines.readline().split()
            if not words:
                raise ConnectionError("the nats-server has gone")
            if words[0] == b"PING":
                self._send(b"PONG\r\n")
            elif words[0] in (b"MSG", b"HMSG"):
                break
            elif words[0] == b"-ERR":
                raise ConnectionError(b" ".join(words).decode())
        with_headers = words[0] == b"HMSG"
        sizes = 2 if with_headers else 1
        reply = words[3].decode() if len(words) == 4 + sizes else ""
        whole = self._lines.read(int(words[-1]) + 2)[:-2]
        headers_size = int(words[-2]) if with_headers else 0
        status = whole[:headers_size].split(b"\r\n", 1)[0].split() if with_headers else []
        return (words[1].decode(), reply, int(status[1]) if len(status) > 1 else None,
                whole[headers_size:])

    def ask(self, subject, question=None):
        """The answer of JetStream's API. Errors: RuntimeError with what the server says."""
        self._last += 1
        mine = f"{self._inbox}.{self._last}"
        self.publish("$JS.API." + subject, json.dumps(question or {}).encode(), mine)
        while True:
            to, _, status, body = self.next()
            if to != mine:
                continue
            if status is not None:
                raise RuntimeError(f"{subject}: no JetStream, status {status}")
            answer = json.loads(body)
            if "error" in answer:
                raise RuntimeError(f"{subject}: {answer['error'].get('description')}")
            return answer

    def read_stream(self, stream):
        """Every message: subject, time at which it was stored (s), body."""
        consumer = self.ask(f"CONSUMER.CREATE.{stream}", {
            "stream_name": stream,
            "config": {"ack_policy": "none", "deliver_policy": "all"}})["name"]
        while True:
            self._last += 1
            mine = f"{self._inbox}.{self._last}"
            self.publish(f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}",
                         b'{"batch": 500, "no_wait": true, "expires": 1000000000}', mine)
            for n in range(500):
                # What is delivered keeps its subject; its reply tells where and when it was stored.
                subject, reply, status, body = self.next()
                if status in (404, 408):
                    if n == 0:
                        return
                    break
                yield subject, int(reply.split(".")[7]) / 1e9, body
