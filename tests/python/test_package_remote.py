"""The Python package's client, against the real server and against servers that misbehave."""

import asyncio
import collections
import http.server
import json
import os
import signal
import socket
import subprocess
import sys
import threading

import hvac
import pytest
import secrethub

from server import free_port


@pytest.fixture()
def client(vault):
    """A client as root of the real server."""
    with secrethub.Client(vault.url, token=vault.token) as opened:
        yield opened


class Fake(http.server.BaseHTTPRequestHandler):
    """Answers with what the test put down, in this process: who waits for it must not hold the GIL."""

    answers: collections.deque = collections.deque()
    seen: list = []

    def answer(self):
        length = int(self.headers.get("content-length") or 0)
        self.seen.append((self.command, self.path, self.headers.get("x-vault-token"), json.loads(self.rfile.read(length) or "null")))
        status, headers, body = self.answers.popleft()
        if status == 0:
            self.close_connection = True
            return
        text = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"content-length": str(len(text)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = answer

    def log_message(self, *_):
        """Nothing."""


@pytest.fixture()
def fake():
    """A server that answers as told; `fake.put(status, headers, body)`, status 0 cuts the connection."""
    handler = type("Handler", (Fake,), {"answers": collections.deque(), "seen": []})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.url, server.seen = f"http://127.0.0.1:{server.server_port}", handler.seen
    server.put = lambda status, headers=None, body=None: handler.answers.append((status, headers or {}, body))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture()
def deaf():
    """A port that accepts and never answers."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        bound.listen()
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"


def test_hvac_and_the_client_see_the_same(vault, client):
    other = hvac.Client(url=vault.url, token=vault.token)
    client.kv().put("both", {"written by": "secrethub"}, n=1)
    assert other.secrets.kv.v2.read_secret_version("both", raise_on_deleted_version=True)["data"]["data"] == {"written by": "secrethub", "n": 1}
    other.secrets.kv.v2.create_or_update_secret("both", secret={"written by": "hvac"})
    found = client.kv().get("both")
    assert (found.reveal(), found.version.number) == ({"written by": "hvac"}, 2)
    assert client.kv().list() == other.secrets.kv.v2.list_secrets("")["data"]["keys"]
    made = client.tokens.create(policies=["default"], ttl="1h")
    assert hvac.Client(url=vault.url, token=made.token.reveal()).auth.token.lookup_self()["data"]["accessor"] == made.accessor
    other.auth.token.revoke_accessor(made.accessor)
    with pytest.raises(secrethub.Denied):
        client.with_token(made.token).tokens.lookup()


def test_the_whole_interface(client):
    kv = client.kv()
    assert kv.put("remote/a", cas=0, password="x").number == 1
    with pytest.raises(secrethub.Invalid, match="check-and-set"):
        kv.put("remote/a", cas=0, password="y")
    assert kv.patch("remote/a", more="y").number == 2
    assert kv.get("remote/a", version=1).reveal() == {"password": "x"}
    kv.delete("remote/a", 2)
    with pytest.raises(secrethub.NotFound) as gone:
        kv.get("remote/a")
    assert gone.value.status == 404 and gone.value.reply.data["metadata"]["version"] == 2 and gone.value.request_id
    kv.undelete("remote/a", 2)
    kv.destroy("remote/a", 1)
    assert kv.metadata("remote/a").versions[1].destroyed is True
    assert kv.list("remote") == ["a"] and kv.list("remote/none") == []
    assert client.audit.verify()["verified"] is True
    rows = list(client.audit.search(path="secret/data/remote/a", operation="patch"))
    assert len(rows) == 1 and rows[0]["user_agent"].startswith("secrethub/")
    assert client.seal_status().storage_type == "sqlite"
    with pytest.raises(secrethub.Denied):
        client.with_token("shs.wrong").kv().get("remote/a")
    with pytest.raises(secrethub.Unsupported):
        client.patch("sys/seal-status", x=1)


def test_the_asynchronous_twin(vault):
    async def walk():
        async with secrethub.AsyncClient(vault.url, token=vault.token) as client:
            await asyncio.gather(*(client.kv().put(f"async/{number}", n=number) for number in range(20)))
            assert len(await client.kv().list("async")) == 20
            assert (await client.kv().get("async/7"))["n"].reveal_json() == 7
        with pytest.raises(secrethub.Closed):
            await client.kv().get("async/7")

    asyncio.run(walk())


def test_the_first_seeds_interface(seed):
    with secrethub.Client(seed.url) as client:
        secret_id = client.secrets.create(b"\x00\xff")
        assert client.secrets.fetch(secret_id).reveal_bytes() == b"\x00\xff"
        with pytest.raises(secrethub.NotFound, match="Secret not found"):
            client.secrets.fetch("550e8400-e29b-41d4-a716-446655440000")


def test_what_only_reads_is_sent_again_and_what_writes_is_not(fake):
    good = {"data": {"keys": ["a"], "data": {"a": 1}}}
    with secrethub.Client(fake.url, token="t") as client:
        for first in [(0,), (502,), (503, {"retry-after": "0"}, {"errors": ["busy"]}), (429, {"retry-after": "0"}, {"errors": []})]:
            fake.put(*first)
            fake.put(200, {}, good)
            assert client.list("x") == ["a"]
        for first, error in [((0,), secrethub.Broken), ((502,), secrethub.Unavailable), ((429, {"retry-after": "60"}, {"errors": []}), secrethub.RateLimited)]:
            fake.put(*first)
            with pytest.raises(error):
                client.write("x", a=1)
        fake.put(503, {"retry-after": "0"}, {"errors": ["busy"]})
        fake.put(200, {}, good)
        client.write("x", a=1)
        for _ in range(3):
            fake.put(503, {"retry-after": "0"}, {"errors": ["busy"]})
        with pytest.raises(secrethub.Unavailable, match="busy"):
            client.read("x")
        fake.put(503, {}, {"errors": ["Vault is sealed"]})
        with pytest.raises(secrethub.Sealed):
            client.read("x")
    assert len(fake.seen) == 4 * 2 + 3 + 2 + 3 + 1


def test_attempts_are_bounded_by_the_caller(fake):
    with secrethub.Client(fake.url, attempts=1) as client:
        fake.put(0)
        with pytest.raises(secrethub.Broken):
            client.read("x")
    assert len(fake.seen) == 1


def test_a_stranger_and_nobody(fake):
    with secrethub.Client(fake.url, token="t") as client:
        fake.put(307, {"location": "http://127.0.0.1:1/"}, None)
        with pytest.raises(secrethub.Foreign):
            client.read("x")
    with secrethub.Client(f"http://127.0.0.1:{free_port()}", attempts=1) as client, pytest.raises(secrethub.Unreachable):
        client.read("x")
    for bad in ("127.0.0.1:8200", "http://me:hunter2@x"):
        with pytest.raises(secrethub.Invalid) as refused:
            secrethub.Client(bad)
        assert "hunter2" not in str(refused.value)
    with pytest.raises(ValueError, match="timeout"):
        secrethub.Client(timeout=0)


def test_a_deaf_server_times_out(deaf):
    with secrethub.Client(deaf, timeout=0.2) as client, pytest.raises(secrethub.TimedOut):
        client.read("x")

    async def give_up():
        async with secrethub.AsyncClient(deaf) as client:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(client.read("x"), 0.2)

    asyncio.run(give_up())


def test_a_request_under_way_is_told_when_its_client_is_closed(deaf):
    async def close():
        client = secrethub.AsyncClient(deaf)
        asked = asyncio.ensure_future(client.read("x"))
        await asyncio.sleep(0.1)
        await client.close()
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked

    asyncio.run(close())


def test_control_c_ends_the_wait(deaf):
    script = "import secrethub, sys; print('on', flush=True); secrethub.Client(sys.argv[1]).read('x')"
    with subprocess.Popen([sys.executable, "-c", script, deaf], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as waiting:
        assert waiting.stdout.readline() == "on\n"
        os.kill(waiting.pid, signal.SIGINT)
        _, errors = waiting.communicate(timeout=50)
    assert "KeyboardInterrupt" in errors


def login(ttl: int, renewable: bool = True) -> dict:
    """An answer with a token."""
    return {"auth": {"client_token": "shs.new", "accessor": "a", "policies": ["p"], "lease_duration": ttl, "renewable": renewable}}


def test_logins_take_up_their_token_and_renew_it(fake, monkeypatch):
    from secrethub._sync import door

    now = [1000.0]
    monkeypatch.setattr(door.time, "monotonic", lambda: now[0])
    with secrethub.Client(fake.url, token="old") as client:
        fake.put(200, {}, login(60))
        made = client.login_approle("role", secrethub.Secret("s3cret"))
        assert (made.policies, made.lives, client.token) == (["p"], 60, secrethub.Secret("shs.new"))
        fake.put(200, {}, {"data": {}})
        client.read("x")
        now[0] += 41  # A third of its life is left.
        fake.put(200, {}, login(60))
        fake.put(200, {}, {"data": {}})
        client.read("x")
        now[0] += 41
        fake.put(403, {}, {"errors": ["permission denied"]})  # It may not live longer; it still lives.
        fake.put(200, {}, {"data": {}})
        client.read("x")
        fake.put(200, {}, login(60, renewable=False))
        client.login_userpass("me", "p4ss", mount="people/")
        now[0] += 1000
        assert client.renew_if_needed() is False
    assert [(verb, path, token) for verb, path, token, _ in fake.seen] == [
        ("PUT", "/v1/auth/approle/login", None),
        ("GET", "/v1/x", "shs.new"),
        ("PUT", "/v1/auth/token/renew-self", "shs.new"),
        ("GET", "/v1/x", "shs.new"),
        ("PUT", "/v1/auth/token/renew-self", "shs.new"),
        ("GET", "/v1/x", "shs.new"),
        ("PUT", "/v1/auth/people/login/me", None),
    ]
    assert (fake.seen[0][3], fake.seen[-1][3]) == ({"role_id": "role", "secret_id": "s3cret"}, {"password": "p4ss"})


def test_a_token_of_the_real_server_is_renewed(vault, client, monkeypatch):
    from secrethub._sync import door

    made = client.tokens.create(policies=["default"], ttl="1h")
    theirs = client.with_token(None)
    theirs._adopt(made)
    before = theirs.tokens.lookup().fields["expire_time"]
    monkeypatch.setattr(door, "_RENEW_AT", 1.0)
    theirs._adopt(made)
    assert theirs.renew_if_needed() is True
    assert theirs.tokens.lookup().fields["expire_time"] >= before
