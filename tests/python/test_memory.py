"""What a sealed server leaves in its memory, its log and its arguments: no key, no AES schedule, no share, no value."""

import base64
import json
import os
import re
import secrets
import sqlite3
import struct
import time
import uuid
from datetime import datetime

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from server import Server, Vault

REQUESTS = 1_000
CANARY = "canary-" + secrets.token_hex(12)


def hkdf(key: bytes, label: bytes, context: bytes) -> bytes:
    return HKDF(SHA256(), 32, None, label + b"\0" + context).derive(key)


def envelope(key: bytes, name: bytes, sealed: bytes) -> bytes:
    return AESGCM(key).decrypt(sealed[21:33], sealed[33:], sealed[:33] + name)


def keys_of(store: os.PathLike, share: bytes) -> dict[str, bytes]:
    """Every key of the vault, computed from the database and its only share as docs/formats.md says."""
    with sqlite3.connect(f"file:{store}?mode=ro", uri=True) as database:
        rows = dict(database.execute("SELECT key, value FROM kv"))
    wrap = json.loads(rows.pop("sys/seal"))["wraps"][0]
    at = datetime.fromisoformat(wrap["created"])
    created = int(at.timestamp()) * 10**6 + at.microsecond
    about = b"secrethub v1 wrap\0" + uuid.UUID(wrap["id"]).bytes + struct.pack(">QB", created, 6) + b"shamir\1\1"
    guard, wrapped = share[:32], bytes.fromhex(wrap["wrapped"])
    wrapping = hkdf(guard, b"secrethub v1 shamir seal", about)
    root = AESGCM(wrapping).decrypt(wrapped[:12], wrapped[12:], about)
    above = hkdf(root, b"secrethub v1 keyring", b"")
    ring = envelope(above, b"sys/keyring", rows.pop("sys/keyring"))
    count = struct.unpack(">H", ring[9:11])[0]
    keys = {"share": guard, "wrapping": wrapping, "root": root, "keyring": above}
    terms = {}
    for at in range(11, 11 + 52 * count, 52):
        number = struct.unpack(">I", ring[at : at + 4])[0]
        terms[number] = keys[f"term {number}"] = ring[at + 20 : at + 52]
    for at in range(12 + 52 * count, len(ring), 33):
        keys[f"named {ring[at]}"] = ring[at + 1 : at + 33]
    for key, sealed in rows.items():
        if not key.startswith("checkpoint/"):  # Those are public.
            term, boot = struct.unpack(">xI16s", sealed[:21])
            keys[f"data {boot.hex()}"] = hkdf(terms[term], b"secrethub v1 data key", boot)
    return keys


def schedule(key: bytes) -> list[bytes]:
    """The round keys of AES-256 beyond the key itself (FIPS 197, §5.2)."""
    box = sbox()
    words = [key[i : i + 4] for i in range(0, 32, 4)]
    turn = 1
    for i in range(8, 60):
        word = words[i - 1]
        if i % 8 == 0:
            word = bytes(box[b] for b in word[1:] + word[:1])
            word, turn = bytes([word[0] ^ turn]) + word[1:], (turn << 1) ^ (0x11B if turn & 0x80 else 0)
        elif i % 8 == 4:
            word = bytes(box[b] for b in word)
        words.append(bytes(a ^ b for a, b in zip(words[i - 8], word)))
    return [b"".join(words[i : i + 4]) for i in range(8, 60, 4)]


def sbox() -> list[int]:
    """AES's S-box from its definition."""
    box, p, q = [0x63] * 256, 1, 1
    while True:
        p ^= (p << 1 & 0xFF) ^ (0x1B if p & 0x80 else 0)
        for shift in (1, 2, 4):
            q ^= q << shift & 0xFF
        q ^= 0x09 if q & 0x80 else 0
        box[p] = 0x63 ^ q ^ (q << 1 | q >> 7) & 0xFF ^ (q << 2 | q >> 6) & 0xFF ^ (q << 3 | q >> 5) & 0xFF ^ (q << 4 | q >> 4) & 0xFF
        if p == 1:
            return box


def spellings(secret: bytes) -> list[bytes]:
    """Raw, hex, and base64 at any of its three alignments, without the characters that neighbours decide."""
    encoded = [base64.b64encode(b"\0" * shift + secret)[-(-8 * shift // 6) :].rstrip(b"=")[:-1] for shift in range(3)]
    return [secret, secret.hex().encode(), secret.hex().upper().encode(), *encoded]


PIECE = 1 << 16
BLANK = bytes(PIECE)


def dump(pid: int) -> list[tuple[str, bytes]]:
    """All memory that the process can write, without what was never written (the allocator reserves gigabytes)."""
    regions = []
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            bounds, rights, *_ = line.split()
            start, end = (int(bound, 16) for bound in bounds.split("-"))
            run = b""
            for at in range(start, end, PIECE) if rights.startswith("rw") else ():
                try:
                    memory.seek(at)
                    piece = memory.read(min(PIECE, end - at))
                except OSError:
                    piece = b""  # A guard page.
                if piece != BLANK:
                    run += piece
                elif run:
                    regions.append((line.strip(), run))
                    run = b""
            regions.append((line.strip(), run))
    return regions


def found(regions: list[tuple[str, bytes]], needles: dict[str, list[bytes]]) -> dict[str, list[str]]:
    """Which secrets are there, and where."""
    hits = {}
    for name, spelled in needles.items():
        where = [line for line, memory in regions if any(spelling in memory for spelling in spelled)]
        if where:
            hits[name] = where
    return hits


@pytest.fixture(scope="module")
def sealed(tmp_path_factory):
    """A server that has served and was sealed: what to look for, and what was there before and after the seal."""
    with Server(tmp_path_factory.mktemp("memory"), args=("--log-level", "trace")) as server:
        vault = Vault(server)
        for n in range(REQUESTS // 4):
            value = f"{CANARY}-{n}"
            assert vault.ask("POST", f"secret/data/{n}", json={"data": {"value": value}}).status_code == 200
            assert vault.ask("GET", f"secret/data/{n}").json()["data"]["data"]["value"] == value
            vault.ask("POST", "cubbyhole/x", json={"value": value})
            vault.ask("POST", f"secret/data/{n}", token=value, json={"data": {"value": value}})
        share = base64.b64decode(vault.share)
        keys = keys_of(server.store, share)
        needles = {name: spellings(key) for name, key in keys.items()}
        needles |= {f"schedule of {name}": schedule(key) for name, key in keys.items()}
        needles["value"] = spellings(CANARY.encode())
        needles["root token"] = spellings(vault.token.encode())
        before = found(dump(server.process.pid), needles)
        assert vault.ask("PUT", "sys/seal").status_code == 204
        time.sleep(1)  # Tasks of the sealed half end, connections close.
        after = found(dump(server.process.pid), needles)
        arguments = open(f"/proc/{server.process.pid}/cmdline", "rb").read()
        environment = open(f"/proc/{server.process.pid}/environ", "rb").read()
        yield needles, before, after, server.log().encode(), arguments + environment


def test_what_a_working_vault_holds_is_found(sealed):
    """The search itself works: a vault that serves holds its data key's schedule."""
    _, before, *_ = sealed
    assert any(name.startswith("schedule of data") for name in before), before.keys()


def test_a_sealed_vault_holds_no_secret(sealed):
    _, _, after, *_ = sealed
    assert not after, after


def test_the_log_at_trace_level_and_the_arguments_hold_no_secret(sealed):
    needles, _, _, log, arguments = sealed
    assert len(re.findall(rb"DEBUG.*answered", log)) >= REQUESTS, "the log is loud"
    assert found([("log", log), ("arguments", arguments)], needles) == {}
