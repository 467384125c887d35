"""Taking over the first seed: its MongoDB database as its code leaves it, served at once and imported elsewhere.

The documents are written as the first seed writes them, with the library that it uses. The server is a stand-in for MongoDB
(docs/mongodb.md says what it cannot show)."""

import base64
import datetime
import json
import os
import secrets
import socket
import subprocess
import time
import uuid

import pymongo
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from server import ROOT, START_MAX, Server, Vault, binary, free_port, make_key
from test_first_seed import CREATE, FETCH, b64, post

AT = datetime.datetime(2024, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)


class Database:
    """A MongoDB server of its own, and the first seed's way of writing to it."""

    def __init__(self, folder, *flags: str):
        port = free_port()
        program = ROOT / ".venv/bin/secantusd-py"
        command = [program, "--host", "127.0.0.1", "--port", str(port), "--storage-path", folder, "--log-level", "ERROR", *flags]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        self.url = f"mongodb://127.0.0.1:{port}"
        deadline = time.monotonic() + START_MAX
        while socket.socket().connect_ex(("127.0.0.1", port)) != 0:
            assert self.process.poll() is None and time.monotonic() < deadline, "the MongoDB stand-in does not start"
            time.sleep(0.05)
        self.key = make_key()
        self.vault = pymongo.MongoClient(self.url, directConnection=True)["vault"]

    def create(self, value: bytes, **others) -> str:
        """What `POST /vault/secret/create/` of the first seed leaves behind."""
        nonce, secret_id = os.urandom(12), str(uuid.uuid4())
        sealed = base64.b64encode(nonce + AESGCM(base64.b64decode(self.key)).encrypt(nonce, value, None)).decode()
        document = {"_id": secret_id, "ciphertext": sealed, "created_at": AT} | others
        self.vault["secrets"].insert_one({name: value for name, value in document.items() if value is not None})
        self.audit("create", secret_id)
        return secret_id

    def audit(self, action: str, secret_id: str | None, status: str = "success", **others) -> None:
        """A row of its log."""
        row = {"ts": AT, "action": action, "status": status, "secret_id": secret_id, "ip": "203.0.113.9", "ua": "curl/8"}
        self.vault["audit_logs"].insert_one(row | others)

    def everything(self) -> list:
        """All that the first seed wrote."""
        ours = {"chain": {"$exists": False}}
        return [list(self.vault[name].find(ours).sort("_id")) for name in ("secrets", "audit_logs")]


class OnMongo(Server):
    """A server on that database, as its users start it: by MONGO_URI and MASTER_KEY alone."""

    def spawn(self) -> subprocess.Popen:
        command = [binary(), "server", "--listen", f"127.0.0.1:{self.port}"]
        env = {"PATH": os.environ["PATH"], "HOME": str(self.folder)} | self.env
        with open(self.folder / "server.log", "ab") as log:
            return subprocess.Popen(command, cwd=self.folder, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)


@pytest.fixture(name="database")
def database_fixture(tmp_path):
    """A replica set of one; with other flags, what they make of it."""
    started = []

    def start(*flags: str) -> Database:
        started.append(Database(tmp_path / f"mongo{len(started)}", *flags))
        return started[-1]

    yield start
    for database in started:
        database.process.kill()
        database.process.wait()


def refused(folder, **env: str) -> str:
    """What a server says that does not start."""
    server = OnMongo.__new__(OnMongo)
    server.folder, server.port, server.env = folder, free_port(), env
    process = server.spawn()
    try:
        assert process.wait(timeout=START_MAX) == 1
    finally:
        process.kill()
    return server.log()


def test_existing_ids_are_served_at_once(database, tmp_path):
    seed = database()
    values = {seed.create(value): value for value in (b"my_secret", b"", secrets.token_bytes(100_000))}
    promised = seed.create(b"as its README has it")
    seed.vault["secrets"].update_one({"_id": promised}, {"$rename": {"ciphertext": "data", "created_at": "ts"}})
    values[promised] = b"as its README has it"
    swapped = seed.create(b"x", ciphertext=base64.b64encode(bytes(40)).decode())
    before = seed.everything()
    with OnMongo(tmp_path, MONGO_URI=f"{seed.url}/vault", MASTER_KEY=seed.key) as server:
        for secret_id, value in values.items():
            answer = post(server, FETCH, json={"secret_id": secret_id})
            assert (answer.status_code, answer.json()) == (200, {"secret": b64(value)})
        assert post(server, FETCH, json={"secret_id": swapped}).status_code == 500
        assert swapped in server.log(), "an operator is told which document does not open"
        made = post(server, CREATE, json={"secret": b64(b"new")}).json()["secret_id"]
        assert post(server, FETCH, json={"secret_id": made}).json() == {"secret": b64(b"new")}
        assert post(server, FETCH, json={"secret_id": str(uuid.uuid4())}).status_code == 404
        rows = list(seed.vault["audit_logs"].find({"operation": "fetch", "secret_id": promised}))
        assert [row["status"] for row in rows] == ["success"], "each fetch leaves a record of ours"
    assert seed.everything() == before, "its own documents are never touched"


def test_another_key_does_not_make_a_vault(database, tmp_path):
    seed = database()
    seed.create(b"x")
    key = make_key()
    log = refused(tmp_path, MONGO_URI=f"{seed.url}/vault", MASTER_KEY=key)
    assert "opens none of the secrets" in log and key not in log
    with OnMongo(tmp_path, MONGO_URI=f"{seed.url}/vault", MASTER_KEY=seed.key):
        pass


def run(vault: Vault, folder, *args: object, **env: str):
    """One command against a vault; its exit code, and what it printed."""
    env |= {"HOME": str(folder), "SECRETHUB_ADDR": vault.url, "SECRETHUB_TOKEN": vault.token}
    command = [binary(), *map(str, args)]
    ran = subprocess.run(command, cwd=folder, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False)
    return ran.returncode, ran.stdout + ran.stderr


@pytest.mark.parametrize("flags", [(), ("--standalone",)], ids=["replica set", "standalone"])
def test_import_keeps_ids_and_can_be_repeated(vault, database, tmp_path, flags):
    seed = database(*flags)
    values = {seed.create(str(n).encode()): str(n).encode() for n in range(250)}
    seed.audit("fetch", next(iter(values)))
    seed.audit("create", None, status="bad_request", error="validation failed", extra={"size": 7})
    before = seed.everything()

    def imported(*args: str):
        line = ("import", "secret-manager", "--from", f"{seed.url}/?directConnection=true", "-format=json", *args)
        code, text = run(vault, tmp_path, *line, MASTER_KEY=seed.key)
        assert code == 0, text
        report = json.loads(text)
        return [[report[kind][name] for name in ("found", "imported", "present", "unreadable")] for kind in ("secrets", "records")]

    assert imported("--dry-run") == [[250, 250, 0, 0], [252, 252, 0, 0]]
    assert imported() == [[250, 250, 0, 0], [252, 252, 0, 0]]
    late = seed.create(b"late")
    assert imported() == [[251, 1, 250, 0], [253, 1, 252, 0]]
    assert seed.everything()[0][:1] == before[0][:1]
    for secret_id, value in [*values.items(), (late, b"late")][::50]:
        answer = vault.ask("PUT", "secret-manager/fetch", json={"secret_id": secret_id})
        assert answer.json()["data"] == {"secret": b64(value)}
    code, text = run(vault, tmp_path, "audit", "imported", "--secret-id", next(iter(values)), "-format=json")
    rows = json.loads(text)["records"]
    assert code == 0 and sorted(row["operation"] for row in rows) == ["create", "created_at", "fetch"], rows
    assert {row["timestamp"] for row in rows} == {"2024-01-02T03:04:05.000000Z"}
    assert vault.ask("PUT", "audit/verify").json()["data"]["verified"] is True


def test_what_cannot_be_imported_is_named(vault, database, tmp_path):
    seed = database()
    good, other = seed.create(b"good"), seed.create(b"other", ciphertext=b64(bytes(40)))
    seed.create(b"x", _id="no uuid")
    seed.create(b"x", ciphertext=None)
    seed.vault["audit_logs"].insert_one({"_id": "odd", "action": "fetch"})
    line = ("import", "secret-manager", "--from", f"{seed.url}/vault")
    code, text = run(vault, tmp_path, *line, MASTER_KEY=seed.key)
    assert code == 1, text
    for part in (f"{other}: it does not open", "no uuid: its _id is no UUID", "it has no text `ciphertext`", "odd: it has no date"):
        assert part in text, text
    # Another value under an id that is there stays out.
    seed.vault["secrets"].replace_one({"_id": good}, {"_id": good, "ciphertext": seed.vault["secrets"].find_one({"_id": seed.create(b"evil")})["ciphertext"]})
    code, text = run(vault, tmp_path, *line, MASTER_KEY=seed.key)
    assert code == 1 and f"{good}: the vault holds another value" in text, text
    assert vault.ask("PUT", "secret-manager/fetch", json={"secret_id": good}).json()["data"] == {"secret": b64(b"good")}
    for env, part in [({}, "MASTER_KEY_FILE"), ({"MASTER_KEY": "short"}, "32 bytes")]:
        code, text = run(vault, tmp_path, *line, **env)
        assert code == 1 and part in text, text
    code, text = run(vault, tmp_path, "import", "secret-manager", "--from", f"{seed.url}/elsewhere", MASTER_KEY=seed.key)
    assert code == 1 and "holds neither" in text, text


def test_a_standalone_is_not_served_and_told_how_to_convert(database, tmp_path):
    seed = database("--standalone")
    seed.create(b"x")
    log = refused(tmp_path, MONGO_URI=f"{seed.url}/vault", MASTER_KEY=seed.key)
    assert "mongod --replSet rs0" in log.splitlines()[-1] and "rs.initiate()" in log, log
