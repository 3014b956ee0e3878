#!/usr/bin/env python3
"""Three engines share their jobs through a nats-server. Jobs are submitted to all of them over HTTP; in the
middle one engine is killed, and later the nats-server is killed and started again. At the end every
job is accounted for. Standard library only; needs nats-server.

    cluster.py LIFEGUARD [--jobs 20000] [--work-ms 2] [--fault forget-one]

Exit status 0 when no job was lost and none completed twice.
"""

import argparse
import asyncio
import collections
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import uuid

from jetstream import Connection

PREFIX = "cluster"
STATES = f"KV_{PREFIX}_jobs"
STREAM_AUDIT = "AUDIT"
CONNECTIONS = 12  # to each engine
ACK_WAIT_MS = 5000
PATIENCE_S = 90


class NatsServer:
    """With files, so that what it has answered is there after a kill."""

    def __init__(self, folder):
        self._folder = folder / "nats"
        self._folder.mkdir()
        self.port = -1
        self.start()

    def start(self):
        self._process = subprocess.Popen(
            ["nats-server", "-js", "-sd", self._folder, "-a", "127.0.0.1", "-p", str(self.port),
             "--ports_file_dir", self._folder, "-l", self._folder / "log"])
        ports = self._folder / f"nats-server_{self._process.pid}.ports"
        for _ in range(500):
            try:
                self.port = int(json.loads(ports.read_text())["nats"][0].rsplit(":", 1)[1])
                return
            except (FileNotFoundError, json.JSONDecodeError):
                time.sleep(0.02)
        raise RuntimeError("nats-server does not come up")

    def kill(self):
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()

    def connect(self):
        return Connection(self.port)


class Engine:
    """A `lifeguard serve` of its own."""

    def __init__(self, program, folder, number, environment):
        self._log = open(folder / f"engine-{number}.log", "wb")
        self.name = f"engine {number}"
        self.process = subprocess.Popen(
            [program, "serve", "--listen", "127.0.0.1:0", "--demo", "--options",
             folder / "options.json"],
            stdout=subprocess.PIPE, stderr=self._log, env=environment)
        line = self.process.stdout.readline().decode()
        if "listening on" not in line:
            raise RuntimeError(f"{self.name} does not start: see {folder}")
        self.port = int(line.rsplit(":", 1)[1])

    def is_alive(self):
        return self.process.poll() is None

    def end(self, how):
        if self.is_alive():
            self.process.send_signal(how)
        status = self.process.wait(30)
        self.process.stdout.close()
        self._log.close()
        return status


def audited_streams(nats):
    """A bucket keeps the last state of a job. So that a second completion would be seen, the server
    repeats every state that it stores into a stream of our own. The engines find the bucket there."""
    connection = nats.connect()
    connection.ask(f"STREAM.CREATE.{STATES}", {
        "name": STATES, "subjects": [f"$KV.{PREFIX}_jobs.>"], "storage": "file",
        "max_msgs_per_subject": 1, "allow_rollup_hdrs": True, "deny_delete": True,
        "allow_direct": True, "discard": "new",
        "republish": {"src": f"$KV.{PREFIX}_jobs.>", "dest": "audit.>"}})
    connection.ask(f"STREAM.CREATE.{STREAM_AUDIT}",
                   {"name": STREAM_AUDIT, "subjects": ["audit.>"], "storage": "file"})
    connection.close()


class Submitters:
    """Send every job until somebody has said that it is stored."""

    def __init__(self, engines, jobs, work_ms):
        self._engines = engines
        self._left = iter([str(uuid.uuid4()) for _ in range(jobs)])
        self._body = json.dumps({"kind": "journal", "payload": {"ms": work_ms}}).encode()
        self.stored = []
        self.again = collections.Counter()
        self._marks = []

    def when_stored(self, count):
        """An event that is set then."""
        event = asyncio.Event()
        self._marks.append((count, event))
        return event

    async def run(self):
        await asyncio.gather(*(self._send_all(first) for first in range(len(self._engines))
                               for _ in range(CONNECTIONS)))

    async def _send_all(self, at):
        streams = None
        for job in self._left:
            while True:
                try:
                    if streams is None:
                        streams = await asyncio.open_connection("127.0.0.1", self._engines[at].port)
                    status, body = await self._post(streams, job)
                except (OSError, asyncio.IncompleteReadError):
                    # Whether it is stored nobody knows: its id makes it safe to ask another engine.
                    self.again["engine gone"] += 1
                    streams = None
                    at = (at + 1) % len(self._engines)
                    continue
                if status in (200, 201):
                    break
                error = json.loads(body)["code"]
                if error not in ("store_unavailable", "outcome_unknown", "store_failed"):
                    raise RuntimeError(f"POST /v1/jobs: {status} {body.decode()}")
                self.again[error] += 1
                await asyncio.sleep(0.1)
            self.stored.append(job)
            for count, event in self._marks:
                if len(self.stored) >= count:
                    event.set()
        if streams is not None:
            streams[1].close()

    async def _post(self, streams, job):
        reader, writer = streams
        writer.write(b"POST /v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                     b"Idempotency-Key: %s\r\nContent-Length: %d\r\n\r\n%s"
                     % (job.encode(), len(self._body), self._body))
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line.split(b":")[1]) for line in head.lower().split(b"\r\n")
                      if line.startswith(b"content-length:"))
        return int(head.split()[1]), await reader.readexactly(length)


class Account:
    """What became of the jobs: from the server's streams and the journal of the runs."""

    def __init__(self, nats, journal):
        self.completions = {}  # by job: who has completed it, and when first
        connection = nats.connect()
        for stream in (STREAM_AUDIT, STATES):
            for subject, at, body in connection.read_stream(stream):
                job = subject.rsplit(".", 1)[1]
                if not body.startswith(b"{") or subject.split(".")[-2] == "pause":
                    continue
                head = json.loads(body.split(b"\n", 1)[0])
                if head["state"] == "completed":
                    by = self.completions.setdefault(job, {})
                    # An engine repeats what was not answered; that is the same completion.
                    by.setdefault((head["writer"], head["delivery"]), at)
        connection.close()
        self.runs = collections.defaultdict(list)  # by job: process and time
        for line in journal.read_text().splitlines():
            job, _, process, ms = line.split()
            self.runs[job].append((int(process), int(ms) / 1000))

    def lost(self, stored):
        return [job for job in stored if job not in self.completions]

    def twice(self):
        return [job for job, by in self.completions.items() if len(by) > 1]

    def duplicates(self):
        return sum(len(runs) - 1 for runs in self.runs.values())

    def completed_at(self, job):
        return min(self.completions[job].values()) if job in self.completions else None

    def first_after(self, when):
        """How long it took until a job that began after that moment was complete."""
        return min((self.completed_at(job) - when for job, runs in self.runs.items()
                    if job in self.completions and min(at for _, at in runs) > when), default=None)

    def orphans(self, process, killed_at):
        """What the engine had begun and not completed: how many jobs, and when the last was done."""
        theirs = [job for job, runs in self.runs.items() if any(by == process for by, _ in runs)
                  and (self.completed_at(job) or killed_at + 1e9) > killed_at]
        ends = [self.completed_at(job) for job in theirs if job in self.completions]
        return len(theirs), max(ends, default=killed_at) - killed_at


def unfinished(nats):
    connection = nats.connect()
    try:
        return connection.ask(f"STREAM.INFO.{PREFIX}_WORK")["state"]["messages"]
    finally:
        connection.close()


async def until_done(nats, journal, stored):
    """The account when every job is complete, or when nothing has moved for long; and the references
    that are left, which should be none."""
    before, since = None, time.time()
    while True:
        left = await asyncio.to_thread(unfinished, nats)
        if left != before:
            before, since = left, time.time()
        quiet = time.time() - since
        if left == 0 or quiet > 2:
            account = await asyncio.to_thread(Account, nats, journal)
            if not account.lost(stored) or left == 0 or quiet > PATIENCE_S:
                return account, left
        await asyncio.sleep(0.1)


async def campaign(o, folder, nats, engines):
    journal = folder / "journal"
    (folder / "options.json").write_text(json.dumps({
        "store": {"type": "nats", "server": f"nats://127.0.0.1:{nats.port}", "prefix": PREFIX,
                  "ack_wait_ms": ACK_WAIT_MS, "finished_max": o.jobs + 1},
        "pools": [{"size": 8, "max_overflow": 0, "concurrency": 4, "pull_size": 8}]}))
    environment = dict(os.environ, LIFEGUARD_DEMO_JOURNAL=str(journal))
    for number in range(1, 4):
        engines.append(Engine(o.lifeguard, folder, number, environment))
    submitters = Submitters(engines, o.jobs, o.work_ms)
    third, middle = (submitters.when_stored(o.jobs * part // 6) for part in (2, 3))
    began = time.time()
    sending = asyncio.create_task(submitters.run())

    async def reached(mark):
        waiting = asyncio.create_task(mark.wait())
        await asyncio.wait({waiting, sending}, return_when=asyncio.FIRST_COMPLETED)
        if sending.done():
            await sending  # it may have failed
        await waiting

    await reached(third)
    victim = engines[-1]
    killed_at = time.time()
    victim.end(signal.SIGKILL)
    print(f"{victim.name} is killed after {len(submitters.stored)} jobs", flush=True)
    await reached(middle)
    gone_at = time.time()
    nats.kill()
    print(f"nats-server is killed after {len(submitters.stored)} jobs", flush=True)
    await asyncio.sleep(1)
    await asyncio.to_thread(nats.start)
    back_at = time.time()
    await sending
    sent = time.time() - began
    again = ", ".join(f"{n} {why}" for why, n in submitters.again.items()) or "none"
    print(f"{len(submitters.stored)} jobs stored in {sent:.1f} s; sent again: {again}", flush=True)
    account, left = await until_done(nats, journal, submitters.stored)
    done = max((account.completed_at(job) for job in account.completions), default=began) - began
    for engine in engines[:-1]:
        if engine.end(signal.SIGTERM) != 0:
            raise RuntimeError(f"{engine.name} did not stop in good order")

    if o.fault == "forget-one":
        submitters.stored.append(str(uuid.uuid4()))
    orphans, orphans_wait = account.orphans(victim.process.pid, killed_at)
    resumed = account.first_after(back_at)
    lost, twice = account.lost(submitters.stored), account.twice()
    print(f"the last job was complete after {done:.1f} s: {o.jobs / done:.0f} jobs per second\n")
    print(f"lost             {len(lost):6}")
    print(f"completed twice  {len(twice):6}")
    print(f"duplicates run   {account.duplicates():6}  of {sum(map(len, account.runs.values()))} runs")
    if left != 0:
        print(f"references left  {left:6}  of jobs that are complete: acks that were lost")
    print(f"recovery: {orphans} jobs that {victim.name} had begun were complete {orphans_wait:.1f} s "
          f"after its death (ack_wait {ACK_WAIT_MS / 1000:.0f} s);")
    print(f"          nats-server was gone for {back_at - gone_at:.1f} s, and a job was begun and complete "
          + (f"{resumed:.1f} s after it was back" if resumed is not None else "never again"))
    for what, jobs in (("lost", lost), ("completed twice", twice)):
        for job in jobs[:5]:
            print(f"FAILED: {what}: {job}: runs {account.runs.get(job)}, "
                  f"completions {account.completions.get(job)}")
    return 1 if lost or twice else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("lifeguard", type=pathlib.Path, help="the program")
    parser.add_argument("--jobs", type=int, default=20_000)
    parser.add_argument("--work-ms", type=int, default=2, help="what a job takes")
    parser.add_argument("--fault", choices=["forget-one"], help="something wrong, to be noticed")
    parser.add_argument("--keep", action="store_true", help="leave the folder with logs and files")
    o = parser.parse_args()
    if o.jobs < 6:
        parser.error("--jobs must be 6 at least")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="lifeguard-cluster-"))
    engines = []
    nats = None
    try:
        nats = NatsServer(folder)
        audited_streams(nats)
        status = asyncio.run(campaign(o, folder, nats, engines))
    finally:
        for engine in engines:
            if engine.is_alive():
                engine.end(signal.SIGKILL)
        if nats is not None:
            nats.kill()
        if o.keep:
            print(f"kept: {folder}")
        else:
            subprocess.run(["rm", "-rf", folder], check=False)
    return status


if __name__ == "__main__":
    sys.exit(main())
