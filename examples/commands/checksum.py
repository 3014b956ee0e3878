#!/usr/bin/env python3
"""A command for lifeguard: the SHA-256 of the file that the payload names.

Payload on stdin, result on stdout, complaints on stderr. Exit status 75 means: try again later.
"""
import hashlib
import json
import os
import signal
import sys

job = json.load(sys.stdin)
attempt = int(os.environ["LIFEGUARD_ATTEMPT"])

# What commands do on a bad day.
if job.get("trouble") == "segfault" and attempt == 1:
    os.kill(os.getpid(), signal.SIGSEGV)
if job.get("trouble") == "busy" and attempt == 1:
    print("the disk is busy", file=sys.stderr)
    sys.exit(75)
if job.get("trouble") == "hang":
    signal.pause()

try:
    with open(job["path"], "rb") as file:
        digest = hashlib.sha256(file.read())
except OSError as e:
    print(e, file=sys.stderr)
    sys.exit(1)
if os.environ.get("FAULT") == "wrong-hash":
    digest.update(b"!")
json.dump({"path": job["path"], "sha256": digest.hexdigest()}, sys.stdout)
