#!/usr/bin/env python3
"""A worker in Python for `lifeguard serve`: takes jobs over HTTP, runs them, says what became of them.

    remote_worker.py [--server URL] [--token-file FILE] [--queue NAME] [--jobs N] [--lease SECONDS]

Only the standard library is used. To run kinds of your own, import it:

    import remote_worker

    def resize(job):
        return {"bytes": make_thumbnail(job["payload"]["path"])}

    remote_worker.main({"resize": resize})

A handler gets the job as the server describes it (docs/http-api.md) and returns its result. What it raises
is a failed attempt, tried again later; `Retry`, `Snooze` and `Discard` say more. While it runs, the
job's lease is renewed; a worker that dies loses it after `--lease`, and another one gets the job.

SIGTERM and SIGINT stop it: running handlers have `--grace` seconds, then their jobs are given back.
"""

import argparse
import hashlib
import http.client
import json
import os
import signal
import sys
import threading
import time
import traceback
import urllib.parse


class Retry(Exception):
    """A failed attempt; tried again after `delay` seconds, or with backoff."""

    def __init__(self, error, delay=None):
        super().__init__(error)
        self.delay = delay


class Snooze(Exception):
    """Not now, in `delay` seconds; not an attempt."""

    def __init__(self, delay):
        super().__init__(f"snoozed for {delay} s")
        self.delay = delay


class Discard(Exception):
    """Never again."""


class Refused(Exception):
    """The server's answer is an error."""

    def __init__(self, status, code, message):
        super().__init__(f"{message} ({code}, status {status})")
        self.status = status
        self.code = code


class Api:
    """One keep-alive connection. For one thread at a time."""

    def __init__(self, url, token):
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path not in ("", "/"):
            raise ValueError(f"not the URL of a server: {url}")
        self._kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._at = (parts.hostname, parts.port)
        self._fields = {"Content-Type": "application/json"}
        if token:
            self._fields["Authorization"] = f"Bearer {token}"
        self._connection = None

    def post(self, path, body, timeout=30):
        """Raises Refused, or OSError / http.client.HTTPException when there is no answer."""
        try:
            if self._connection is None:
                self._connection = self._kind(*self._at, timeout=timeout)
            if self._connection.sock is not None:
                self._connection.sock.settimeout(timeout)
            self._connection.timeout = timeout
            self._connection.request("POST", path, json.dumps(body), self._fields)
            answer = self._connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException):
            self.close()
            raise
        if answer.status >= 400:
            try:
                said = json.loads(text)
                raise Refused(answer.status, said["code"], said["message"])
            except (ValueError, KeyError, TypeError):
                raise Refused(answer.status, "unknown", "the server refused") from None
        return json.loads(text) if text else None

    def close(self):
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def log(text):
    print(f"remote_worker: {text}", file=sys.stderr, flush=True)


class Worker:
    """Runs the jobs of some kinds, `jobs` at a time, until it is told to stop."""

    def __init__(self, handlers, url, token="", queues=("default",), jobs=1, lease=30.0, poll=5.0):
        self._handlers = handlers
        self._new_api = lambda: Api(url, token)
        self._new_api()  # a wrong URL is told now
        self._queues = list(queues)
        self._jobs = jobs
        self._lease = lease
        self._poll = poll
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._held = {}  # by id; who takes a job out of it tells the server what became of it
        self._polling = set()  # threads that wait for the server's answer with jobs
        self.failed = None  # why it cannot go on

    def stop(self):
        self._stop.set()

    def run(self, grace=5.0):
        """Until stop(). Jobs whose handlers take longer than `grace` then are given back."""
        threads = [threading.Thread(target=self._work, daemon=True) for _ in range(self._jobs)]
        heart = threading.Thread(target=self._beat, daemon=True)
        for t in threads + [heart]:
            t.start()
        while not self._stop.wait(0.5):  # a signal's handler runs in between
            pass
        until = time.monotonic() + grace
        # Whoever waits for a job has an answer soon; it must not be lost.
        for t in threads:
            t.join(max(0.0, until - time.monotonic()))
        api = self._new_api()
        while True:
            with self._lock:
                if not self._held:
                    break
                job = self._held.pop(next(iter(self._held)))
            self._give_back(api, job)
        with self._lock:
            polling = list(self._polling)
        for t in polling:
            t.join(self._poll + 5)

    def _work(self):
        api = self._new_api()
        pause = 1.0
        me = threading.current_thread()
        while not self._stop.is_set():
            with self._lock:
                self._polling.add(me)
            try:
                taken = api.post("/v1/take", {
                    "queues": self._queues, "kinds": list(self._handlers), "jobs_max": 1,
                    "wait_ms": int(self._poll * 1000), "lease_ms": int(self._lease * 1000),
                    "worker": f"python-{os.getpid()}",
                }, timeout=self._poll + 30)["jobs"]
            except Refused as e:
                if e.status < 500 and e.status != 429:
                    self.failed = str(e)
                    self._stop.set()
                    return
                log(f"cannot take jobs: {e}; again in {pause:.0f} s")
                self._stop.wait(pause)
                pause = min(pause * 2, 30.0)
                continue
            except (OSError, http.client.HTTPException) as e:
                log(f"cannot reach the server: {e}; again in {pause:.0f} s")
                self._stop.wait(pause)
                pause = min(pause * 2, 30.0)
                continue
            pause = 1.0
            for job in taken:
                if self._stop.is_set():
                    self._give_back(api, job)
                    continue
                self._run(api, job)

    def _run(self, api, job):
        with self._lock:
            self._polling.discard(threading.current_thread())
            self._held[job["id"]] = job
        job["lost"] = False  # for handlers that want to know
        try:
            outcome = {"outcome": "done", "result": self._handlers[job["kind"]](job)}
            json.dumps(outcome)
        except Retry as e:
            outcome = {"outcome": "retry", "error": str(e)}
            if e.delay is not None:
                outcome["delay_ms"] = int(e.delay * 1000)
        except Snooze as e:
            outcome = {"outcome": "snooze", "delay_ms": int(e.delay * 1000)}
        except Discard as e:
            outcome = {"outcome": "discard", "error": str(e)}
        except Exception as e:  # pylint: disable=broad-except
            outcome = {"outcome": "retry", "error": "".join(traceback.format_exception_only(type(e), e)).strip()}
        with self._lock:
            if self._held.pop(job["id"], None) is None:
                return  # lost, or given back
        self._tell(api, job, outcome)

    def _give_back(self, api, job):
        log(f"job {job['id']}: given back")
        self._tell(api, job, {"outcome": "release"})

    def _tell(self, api, job, outcome):
        """Says what became of a job; tries as long as the lease may last."""
        until = time.monotonic() + self._lease
        while True:
            try:
                api.post(f"/v1/jobs/{job['id']}/finish", {"token": job["token"], **outcome})
                return
            except Refused as e:
                if e.code == "already_done":  # an answer of ours got lost
                    return
                if e.status < 500 and e.status != 429:
                    log(f"job {job['id']}: {outcome['outcome']} was refused: {e}")
                    return
                problem = e
            except (OSError, http.client.HTTPException) as e:
                problem = e
            if time.monotonic() > until:
                log(f"job {job['id']}: could not say that it is {outcome['outcome']}: {problem}")
                return
            time.sleep(0.5)

    def _beat(self):
        api = self._new_api()
        while True:
            time.sleep(self._lease / 3)
            with self._lock:
                held = list(self._held.values())
            for job in held:
                try:
                    api.post(f"/v1/jobs/{job['id']}/extend",
                             {"token": job["token"], "lease_ms": int(self._lease * 1000)},
                             timeout=self._lease)
                except Refused as e:
                    if e.status in (404, 409):
                        with self._lock:
                            mine = self._held.pop(job["id"], None)
                        if mine is not None:
                            job["lost"] = True
                            log(f"job {job['id']}: the lease is lost: {e}")
                    else:
                        log(f"job {job['id']}: the lease was not renewed: {e}")
                except (OSError, http.client.HTTPException) as e:
                    log(f"job {job['id']}: the lease was not renewed: {e}")


def checksum(job):
    """{"path": FILE} or {"text": TEXT}: its SHA-256."""
    payload = job["payload"]
    if not isinstance(payload, dict) or not ("path" in payload or "text" in payload):
        raise Discard('the payload must be {"path": FILE} or {"text": TEXT}')
    digest = hashlib.sha256()
    if "text" in payload:
        digest.update(payload["text"].encode())
    else:
        with open(payload["path"], "rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return {"sha256": digest.hexdigest()}


def main(handlers):
    options = argparse.ArgumentParser(description="Runs jobs of lifeguard's: " + ", ".join(handlers))
    options.add_argument("--server", default=os.environ.get("LIFEGUARD_URL", "http://127.0.0.1:8080"))
    options.add_argument("--token-file", default=os.environ.get("LIFEGUARD_TOKEN_FILE"))
    options.add_argument("--queue", action="append", help="may be repeated; default: default")
    options.add_argument("--jobs", type=int, default=1, help="how many at a time; default: 1")
    options.add_argument("--lease", type=float, default=30.0, help="seconds, 1 at least; default: 30")
    options.add_argument("--poll", type=float, default=5.0, help="seconds that a request for jobs waits; default: 5")
    options.add_argument("--grace", type=float, default=5.0, help="seconds that handlers have when stopped; default: 5")
    o = options.parse_args()
    if o.jobs < 1 or not 1 <= o.lease <= 86400 or not 0 <= o.poll <= 60 or o.grace < 0:
        options.error("--jobs must be at least 1, --lease 1 to 86400, --poll 0 to 60, --grace not negative")
    token = ""
    if o.token_file:
        try:
            with open(o.token_file, encoding="utf-8") as file:
                token = file.readline().strip()
        except OSError as e:
            options.error(f"cannot read the token: {e}")
        if not token:
            options.error(f"there is no token in '{o.token_file}'")
    try:
        worker = Worker(handlers, o.server, token, o.queue or ["default"], o.jobs, o.lease, o.poll)
    except ValueError as e:
        options.error(str(e))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: worker.stop())
    log(f"takes {', '.join(handlers)} from {o.server}")
    worker.run(o.grace)
    if worker.failed:
        log(f"stopped: {worker.failed}")
        sys.exit(1)
    log("stopped")


if __name__ == "__main__":
    main({"checksum": checksum})
