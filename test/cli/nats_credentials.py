#!/usr/bin/env python3
"""Makes what a nats-server needs that trusts an operator's signature, and one who may use it.

Argument: a folder, into which server.conf and user.creds are written. The keys are openssl's.
"""

import base64
import json
import pathlib
import subprocess
import sys

FOLDER = pathlib.Path(sys.argv[1])

# The first byte of a key in NATS's notation, which decides its first letter.
OPERATOR, ACCOUNT, USER, SEED = 14 << 3, 0, 20 << 3, 18 << 3

NO_LIMITS = {"subs": -1, "data": -1, "payload": -1}


def openssl(*arguments, given=None):
    return subprocess.run(["openssl", *arguments], input=given, capture_output=True, check=True).stdout


def notation(data):
    crc = 0  # CRC-16/XMODEM
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
    return base64.b32encode(data + crc.to_bytes(2, "little")).decode().rstrip("=")


def base64url(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


class Key:
    def __init__(self, kind):
        self._pem = openssl("genpkey", "-algorithm", "ed25519")
        private = openssl("pkey", "-outform", "DER", given=self._pem)[-32:]
        public = openssl("pkey", "-pubout", "-outform", "DER", given=self._pem)[-32:]
        self.name = notation(bytes([kind]) + public)
        self.seed = notation(bytes([SEED | kind >> 5, (kind & 31) << 3]) + private)

    def signed(self, subject, claims):
        """A JWT that says of `subject` what is in `claims`."""
        whole = {"jti": "test", "iat": 0, "iss": self.name, "sub": subject.name, "name": "test",
                 "nats": claims | {"version": 2}}
        header = {"typ": "JWT", "alg": "ed25519-nkey"}
        text = ".".join(base64url(json.dumps(part).encode()) for part in (header, whole))
        key, said = FOLDER / "key.pem", FOLDER / "text"
        key.write_bytes(self._pem)
        said.write_text(text)
        signature = openssl("pkeyutl", "-sign", "-rawin", "-inkey", str(key), "-in", str(said))
        return f"{text}.{base64url(signature)}"


operator, system, account, user = Key(OPERATOR), Key(ACCOUNT), Key(ACCOUNT), Key(USER)
limits = NO_LIMITS | {"imports": -1, "exports": -1, "wildcards": True, "conn": -1, "leaf": -1}
storage = {"mem_storage": -1, "disk_storage": -1, "streams": -1, "consumer": -1}
may = account.signed(user, {"type": "user", "pub": {}, "sub": {}} | NO_LIMITS)

(FOLDER / "server.conf").write_text(f"""
operator: {operator.signed(operator, {"type": "operator"})}
system_account: {system.name}
resolver: MEMORY
resolver_preload: {{
  {system.name}: {operator.signed(system, {"type": "account", "limits": limits})}
  {account.name}: {operator.signed(account, {"type": "account", "limits": limits | storage})}
}}
""")
(FOLDER / "user.creds").write_text(f"""-----BEGIN NATS USER JWT-----
{may}
------END NATS USER JWT------

-----BEGIN USER NKEY SEED-----
{user.seed}
------END USER NKEY SEED------
""")
