#!/usr/bin/env python3
"""examples/remote_worker.py against a server of its own. Arguments: the program, the examples' folder."""

import json
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

PROGRAM, EXAMPLES = sys.argv[1:3]
SECRET = "the-secret-of-this-test"

KINDS = '''
import sys, time
sys.path.insert(0, sys.argv.pop(1))
import remote_worker as w

def flaky(job):
    if job["attempt"] == 1:
        raise w.Retry("not yet", delay=0)
    return job["attempt"]

def hopeless(job):
    raise w.Discard("never")

def crashing(job):
    raise KeyError("who")

def sleep(job):
    time.sleep(job["payload"]["seconds"])
    return "slept"

w.main({"checksum": w.checksum, "flaky": flaky, "hopeless": hopeless, "crashing": crashing, "sleep": sleep})
'''


def must(so, what):
    if not so:
        raise SystemExit(f"FAILED: {what}")


def wait_for(what, look, seconds=20):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found = look()
        if found:
            return found
        time.sleep(0.02)
    raise SystemExit(f"FAILED: waited {seconds} s for {what}")


class Server:
    def __init__(self, folder):
        with open(f"{folder}/token", "w", encoding="utf-8") as file:
            file.write(SECRET + "\n")
        self.process = subprocess.Popen(
            [PROGRAM, "serve", "--listen", "127.0.0.1:0", "--store", "memory", "--token", f"{folder}/token"],
            stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        self.url = re.search(r"http://\S+", line).group()

    def ask(self, method, path, body=None):
        request = urllib.request.Request(
            self.url + path, method=method, data=json.dumps(body).encode() if body is not None else None,
            headers={"Content-Type": "application/json", "Authorization": f"Bearer {SECRET}"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read()
            return json.loads(text) if text else None

    def submit(self, kind, payload=None, **more):
        return self.ask("POST", "/v1/jobs", {"kind": kind, "payload": payload, **more})["id"]

    def job(self, job_id):
        return self.ask("GET", f"/v1/jobs/{job_id}")

    def until(self, job_id, state, seconds=20):
        return wait_for(f"{state}; it is {self.job(job_id)}", lambda: (
            lambda job: job if job["state"] == state else None)(self.job(job_id)), seconds)


def start_worker(folder, server, *more, token="token"):
    return subprocess.Popen(
        [sys.executable, f"{folder}/kinds.py", EXAMPLES, "--server", server.url, "--token-file",
         f"{folder}/{token}", *more], stderr=subprocess.PIPE, text=True)


def stop(worker, status=0, seconds=10):
    worker.send_signal(signal.SIGTERM)
    begun = time.monotonic()
    said = worker.communicate(timeout=30)[1]
    must(worker.returncode == status, f"the worker ended with {worker.returncode}: {said}")
    must(time.monotonic() - begun < seconds, f"the worker took longer than {seconds} s to stop")
    return said


def outcomes(folder, server):
    worker = start_worker(folder, server, "--jobs", "2", "--poll", "1")
    job = server.until(server.submit("checksum", {"text": "abc"}), "completed")
    must(job["result"]["sha256"].startswith("ba7816bf8f01cfea"), f"a checksum: {job}")
    job = server.until(server.submit("flaky"), "completed")
    must(job["result"] == 2 and [e["text"] for e in job["errors"]] == ["not yet"], f"a second attempt: {job}")
    job = server.until(server.submit("hopeless"), "discarded")
    must(job["errors"][0]["text"] == "never", f"a discarded job: {job}")
    job = server.until(server.submit("crashing", max_attempts=1), "discarded")
    must("KeyError" in job["errors"][0]["text"], f"a handler that crashed: {job}")
    # Longer than the lease, which is renewed.
    stop(worker)
    worker = start_worker(folder, server, "--lease", "1", "--poll", "1")
    job = server.until(server.submit("sleep", {"seconds": 3}), "completed")
    must(job["attempt"] == 1, f"a renewed lease: {job}")
    stop(worker)


def killed(folder, server):
    """Its lease lasts its time, and no longer; then another worker has the job."""
    lease = 3.0
    first = start_worker(folder, server, "--lease", str(lease), "--poll", "1")
    job = server.submit("sleep", {"seconds": 60})
    server.until(job, "executing")
    time.sleep(1.5)  # it has been renewed, not longer ago than a third
    first.kill()
    first.wait()
    at = time.monotonic()
    first.stderr.close()
    second = start_worker(folder, server, "--lease", str(lease), "--poll", "1", "--grace", "0")
    wait_for("the second worker", lambda: server.job(job)["attempt"] == 2)
    took = time.monotonic() - at
    must(lease * 2 / 3 - 0.1 < took < lease + 1.5, f"the lease was over after {took} s")
    # A stop gives it back at once, unattempted.
    said = stop(second, seconds=5)
    must("given back" in said, f"it says so: {said}")
    now = server.job(job)
    must(now["state"] == "available" and now["attempt"] == 1, f"given back: {now}")
    server.ask("POST", f"/v1/jobs/{job}/cancel")


def mistakes(folder, server):
    with open(f"{folder}/wrong", "w", encoding="utf-8") as file:
        file.write("wrong\n")
    worker = start_worker(folder, server, token="wrong")
    said = worker.communicate(timeout=20)[1]
    must(worker.returncode == 1 and "bearer token" in said, f"a wrong token: {worker.returncode}: {said}")
    worker = start_worker(folder, server, token="missing")
    said = worker.communicate(timeout=20)[1]
    must(worker.returncode == 2 and "cannot read the token" in said, f"no token file: {said}")
    nowhere = Server.__new__(Server)
    nowhere.url = "http://127.0.0.1:1"
    worker = start_worker(folder, nowhere)
    must("takes" in worker.stderr.readline(), "it says what it takes")
    must("cannot reach the server" in worker.stderr.readline(), "no server")
    stop(worker)


def main():
    with tempfile.TemporaryDirectory() as folder:
        with open(f"{folder}/kinds.py", "w", encoding="utf-8") as file:
            file.write(KINDS)
        server = Server(folder)
        try:
            for part in (outcomes, killed, mistakes):
                part(folder, server)
                print(f"passed: {part.__name__}", flush=True)
            server.process.send_signal(signal.SIGTERM)
            must(server.process.wait(timeout=20) == 0, "the server stops")
        finally:
            server.process.kill()
            server.process.stdout.close()


main()
