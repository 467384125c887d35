"""The real `secrethub` binary as a child process."""

import base64
import os
import pathlib
import secrets
import signal
import socket
import sqlite3
import subprocess
import time

import requests

ROOT = pathlib.Path(__file__).resolve().parents[2]
START_MAX = 60


def binary() -> pathlib.Path:
    """What `cargo build` made; a missing binary is a failure, never a skip."""
    target = ROOT / os.environ.get("CARGO_TARGET_DIR", "target")
    found = pathlib.Path(os.environ.get("SECRETHUB_BIN", target / "debug/secrethub"))
    assert found.is_file(), f"{found} is missing: run `cargo build -p secrethub-cli` first"
    return found


def make_key() -> str:
    """A master key as the first seed's README makes it."""
    return base64.b64encode(secrets.token_bytes(32)).decode()


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return bound.getsockname()[1]


class Server:
    """A server on `folder/vault.db`; it answers when the constructor returns."""

    def __init__(self, folder: pathlib.Path, args: tuple[str, ...] = (), **env: str):
        self.folder, self.port = folder, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.store = folder / "vault.db"
        self.args, self.env = args, env
        self.start()

    def start(self) -> None:
        """Starts the process and waits until it answers."""
        self.process = self.spawn()
        deadline = time.monotonic() + START_MAX
        while not self.answers():
            assert self.process.poll() is None, f"the server ended: {self.log()}"
            assert time.monotonic() < deadline, f"the server does not answer: {self.log()}"
            time.sleep(0.02)

    def spawn(self) -> subprocess.Popen:
        """Starts the process and does not wait."""
        command = [binary(), "server", "--store", f"sqlite:{self.store}", "--listen", f"127.0.0.1:{self.port}", *self.args]
        env = {"PATH": os.environ["PATH"], "HOME": str(self.folder)} | self.env
        with open(self.folder / "server.log", "ab") as log:
            return subprocess.Popen(command, cwd=self.folder, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def answers(self) -> bool:
        """Does it answer any HTTP at all? Sealed is an answer."""
        try:
            requests.get(f"{self.url}/v1/sys/seal-status", timeout=5)
        except requests.ConnectionError:
            return False
        return True

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.wait()

    def terminate(self) -> int:
        """SIGTERM; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=START_MAX)

    def log(self) -> str:
        """What it wrote on its output so far."""
        return (self.folder / "server.log").read_text()

    def audit(self, where: str = "1", *args: object) -> list[dict]:
        """Rows of the audit table, as an operator's own SQL shell sees them."""
        with sqlite3.connect(f"file:{self.store}?mode=ro", uri=True) as database:
            database.row_factory = sqlite3.Row
            rows = database.execute(f"SELECT * FROM audit_logs WHERE {where} ORDER BY timestamp", args)
            return [dict(row) for row in rows]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()


class Vault:
    """A server that was initialised with one share and unsealed."""

    def __init__(self, server: Server):
        self.server, self.url, self.token = server, server.url, None
        born = self.ask("PUT", "sys/init", json={"secret_shares": 1, "secret_threshold": 1}).json()
        self.share, self.token = born["keys_base64"][0], born["root_token"]
        self.unseal()

    def unseal(self) -> None:
        """Gives the one share."""
        state = self.ask("PUT", "sys/unseal", json={"key": self.share}).json()
        assert state["sealed"] is False, state

    def ask(self, method: str, path: str, token: str | None = None, headers: dict | None = None, **body):
        """One request on /v1; `token=""` sends none."""
        token = self.token if token is None else token
        headers = ({"X-Vault-Token": token} if token else {}) | (headers or {})
        return requests.request(method, f"{self.url}/v1/{path}", headers=headers, timeout=30, allow_redirects=False, **body)
