"""Forks and ends. A fork takes the vault's random numbers and its chain along, and leaves its threads behind: the child must not use it."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time

import pytest
import requests
import secrethub

from server import START_MAX, free_port


@pytest.fixture()
def opened(tmp_path):
    """An unsealed vault on SQLite."""
    with secrethub.Vault.open(f"sqlite://{tmp_path}/vault.db") as vault:
        keys = vault.init(shares=1)
        vault.unseal(*keys.shares)
        vault.token = keys.root_token
        vault.kv().put("a", b="c")
        yield vault


def in_child(work):
    """What the work gives in a forked child; a child that hangs is a failure."""
    with multiprocessing.get_context("fork").Pool(1) as pool:
        return pool.apply_async(work).get(timeout=60)


def test_a_forked_child_is_told_to_open_again(opened, tmp_path):
    client = secrethub.Client("http://127.0.0.1:1")

    def use():
        told = []
        for call in (lambda: opened.kv().get("a"), opened.seal_status, lambda: client.read("x")):
            try:
                call()
            except secrethub.Forked as error:
                told.append(str(error))
        # Closing what is the parent's does nothing; the file is still the parent's; and the child may open its own.
        opened.close()
        try:
            secrethub.Vault.open(f"sqlite://{tmp_path}/vault.db")
        except secrethub.InUse:
            told.append("in use")
        with secrethub.Vault.open("memory:") as own:
            keys = own.init(shares=1)
            own.unseal(*keys.shares)
            own.token = keys.root_token
            own.kv().put("mine", x="y")
            told.append(own.kv().get("mine")["x"].reveal())
        return told

    global _work
    _work = use
    told = in_child(_run)
    assert len(told) == 5 and all("open it again" in line for line in told[:3]) and told[3:] == ["in use", "y"], told
    assert opened.kv().get("a")["b"].reveal() == "c", "the parent goes on"
    assert opened.audit.verify()["verified"] is True


def test_a_child_ends_though_it_inherited_an_open_vault(opened):
    child = os.fork()
    if child == 0:
        # What a child does at its end: everything is dropped, and nothing waits for threads that are not there.
        import gc

        opened.__dict__.clear()
        gc.collect()
        os._exit(0)
    deadline = time.monotonic() + 60
    while (ended := os.waitpid(child, os.WNOHANG)) == (0, 0):
        assert time.monotonic() < deadline, "the child hangs"
        time.sleep(0.02)
    assert ended[1] == 0


def test_the_asynchronous_twin_is_told_too():
    script = """
import asyncio, os, secrethub

vault = asyncio.run(secrethub.AsyncVault.open("memory:"))

async def again():
    try:
        await vault.seal_status()
    except secrethub.Forked:
        async with await secrethub.AsyncVault.open("memory:") as own:
            return 3 if (await own.seal_status()).initialized is False else 4

child = os.fork()
if child == 0:
    os._exit(asyncio.run(again()))
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
asyncio.run(vault.close())
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert ran.stdout == "3\n", ran.stderr


APP = """
import os
import secrethub

vault = secrethub.Vault.open("memory:")
keys = vault.init(shares=1)
vault.unseal(*keys.shares)
vault.token = keys.root_token
vault.kv().put("a", b="c")
preloaded = os.getpid()


def app(environ, start_response):
    try:
        told = vault.kv().get("a")["b"].reveal()
    except secrethub.Forked as error:
        told = f"Forked: {error}"
    with secrethub.Vault.open("memory:") as own:
        body = f"{os.getpid() == preloaded} {own.seal_status().initialized} {told}".encode()
    start_response("200 OK", [("content-type", "text/plain")])
    return [body]
"""


def test_gunicorn_with_preload(tmp_path):
    (tmp_path / "preloaded.py").write_text(APP)
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "--preload", "--workers", "2", "--bind", f"127.0.0.1:{port}", "preloaded:app"]
    with open(tmp_path / "log", "wb") as log:
        server = subprocess.Popen(command, cwd=tmp_path, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + START_MAX
        while True:
            try:
                told = requests.get(f"http://127.0.0.1:{port}/", timeout=30).text
                break
            except requests.ConnectionError:
                assert server.poll() is None and time.monotonic() < deadline, (tmp_path / "log").read_text()
                time.sleep(0.05)
        assert told.startswith("False False Forked: ") and "open it again" in told
    finally:
        server.send_signal(signal.SIGTERM)
        code = server.wait(timeout=60)
    assert code == 0, (tmp_path / "log").read_text()


def test_what_is_open_at_the_end_is_closed(tmp_path):
    """The audit chain of a program that forgot `close` is flushed, and its file is free."""
    url = f"sqlite://{tmp_path}/vault.db"
    script = f"""
import json, secrethub
vault = secrethub.Vault.open({url!r})
keys = vault.init(shares=1)
vault.unseal(*keys.shares)
vault.token = keys.root_token
vault.kv().put("a", b="c")
print(json.dumps([keys.shares[0].reveal(), keys.root_token.reveal()]))
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    share, token = json.loads(ran.stdout)
    with secrethub.Vault.open(url, token=token) as vault:
        vault.unseal(share)
        assert vault.kv().get("a").reveal() == {"b": "c"}
        assert 0 in [chain["last"] - chain["covered"] for chain in vault.audit.verify()["chains"]]


SHORT = """
import asyncio, secrethub

async def main():
    async with await secrethub.AsyncVault.open("memory:") as vault:
        await vault.seal_status()

asyncio.run(main())
"""


def test_a_short_program_ends_without_a_crash():
    """A thread that is inside Python while the interpreter goes would take the process down: one time in three, without the wait for it."""
    ends = [subprocess.run([sys.executable, "-c", SHORT], capture_output=True, text=True, timeout=60) for _ in range(20)]
    assert [(end.returncode, end.stderr) for end in ends] == [(0, "")] * 20


def _run():
    return _work()
