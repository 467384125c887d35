"""Snapshots by the real binary: saved while it serves, restored with and without a server, copied from store to store."""

import subprocess

import pytest
import requests

from bao import bao
from server import Server, Vault, binary


@pytest.fixture(name="run")
def run_fixture(tmp_path):
    """Runs one command against a vault; its exit code and what it printed."""

    def run(*args: object, vault: Vault | None = None):
        env = {"HOME": str(tmp_path)}
        if vault:
            env |= {"SECRETHUB_ADDR": vault.url, "SECRETHUB_TOKEN": vault.token}
        command = [binary(), *map(str, args)]
        ran = subprocess.run(command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False)
        return ran.returncode, ran.stdout + ran.stderr

    return run


@pytest.fixture(name="folders")
def folders_fixture(tmp_path):
    """Folders for servers."""

    def make(name: str):
        made = tmp_path / name
        made.mkdir()
        return made

    return make


def revived(vault: Vault, server: Server) -> Vault:
    """The same vault, on another server."""
    found = Vault.__new__(Vault)
    found.server, found.url, found.share, found.token = server, server.url, vault.share, vault.token
    found.unseal()
    return found


def check(vault: Vault) -> None:
    """What was saved is there, it can be written on, and the log is whole and tells of the restoring."""
    assert vault.ask("GET", "secret/data/app").json()["data"]["data"] == {"v": "1"}
    assert vault.ask("PUT", "secret/data/new", json={"data": {}}).status_code == 200
    verified = vault.ask("PUT", "audit/verify").json()["data"]
    assert verified["verified"] is True, verified


def test_saved_and_restored(tmp_path, folders, run):
    passphrase = tmp_path / "pass"
    passphrase.write_text("correct horse battery\n")
    plain, covered = tmp_path / "plain.snap", tmp_path / "covered.snap"
    with Server(folders("first")) as server:
        vault = Vault(server)
        vault.ask("PUT", "secret/data/app", json={"data": {"v": "1"}})
        assert run("operator", "snapshot", "save", plain, vault=vault)[0] == 0
        assert run("operator", "raft", "snapshot", "save", "--passphrase-file", passphrase, covered, vault=vault)[0] == 0
        code, said = run("operator", "snapshot", "save", plain, vault=vault)
        assert (code, "is there already" in said) == (1, True), said
        posted = vault.ask("POST", "sys/storage/raft/snapshot", data=plain.read_bytes())
        assert (posted.status_code, "never overwritten" in posted.text) == (400, True), posted.text
        assert vault.ask("GET", "sys/storage/raft/snapshot", token="").status_code == 403
        # The form that other tools expect, and one of them.
        packed = tmp_path / "packed.snap"
        env = {"VAULT_ADDR": vault.url, "VAULT_TOKEN": vault.token, "HOME": str(tmp_path)}
        command = [bao(), "operator", "raft", "snapshot", "save", packed]
        subprocess.run(command, env=env, capture_output=True, timeout=60, check=True)
        assert packed.read_bytes()[:2] == b"\x1f\x8b"
        code, said = run("operator", "snapshot", "inspect", packed)
        assert code == 0, said
    assert b"secret/" in plain.read_bytes() and b"secret/" not in covered.read_bytes()
    assert plain.stat().st_mode & 0o777 == 0o600

    # Into a store, with no server.
    second = folders("second")
    store = f"sqlite:{second / 'vault.db'}"
    code, said = run("operator", "snapshot", "restore", "--store", store, covered)
    assert (code, "under a passphrase" in said) == (1, True), said
    code, said = run("operator", "snapshot", "restore", "--store", store, "--passphrase-file", passphrase, covered)
    assert code == 0, said
    code, said = run("operator", "snapshot", "restore", "--store", store, plain)
    assert (code, "not empty" in said) == (1, True), said
    with Server(second) as server:
        check(revived(vault, server))
        assert [row["path"] for row in server.audit("operation = 'restore'")] == ["sys/storage/raft/snapshot"]
        server.terminate()

    # From that store into another.
    third = folders("third")
    code, said = run("store", "copy", "--from", store, "--to", f"sqlite:{third / 'vault.db'}")
    assert code == 0, said
    with Server(third) as server:
        check(revived(vault, server))

    # Into a server that has no vault.
    with Server(folders("fourth")) as server:
        cut = plain.read_bytes()[:-1]
        posted = requests.post(f"{server.url}/v1/sys/storage/raft/snapshot", data=cut, timeout=30)
        assert (posted.status_code, "cut short" in posted.text) == (400, True), posted.text
        refused = requests.put(f"{server.url}/v1/sys/init", json={}, timeout=30)
        assert (refused.status_code, "already holds data" in refused.text) == (400, True), refused.text
        posted = requests.post(f"{server.url}/v1/sys/storage/raft/snapshot", data=plain.read_bytes(), timeout=30)
        assert posted.status_code == 204, posted.text
        check(revived(vault, server))
    with Server(folders("fifth")) as server:
        posted = requests.post(f"{server.url}/v1/sys/storage/raft/snapshot", data=packed.read_bytes(), timeout=30)
        assert posted.status_code == 204, posted.text
        check(revived(vault, server))


def test_wrong_files_are_named_for_what_they_are(tmp_path, run):
    """Nothing is written for any of them."""
    passphrase = tmp_path / "pass"
    passphrase.write_text("correct horse battery\n")
    store = tmp_path / "new.db"
    for content, said in ((b"", "cut short"), (b"SQLite format 3\0", "no snapshot"), (b"SHSNAP\x09\x00rest", "does not know")):
        file = tmp_path / "wrong.snap"
        file.write_bytes(content)
        for args in (("inspect",), ("restore", "--store", f"sqlite:{store}")):
            code, told = run("operator", "snapshot", *args, file)
            assert (code, said in told) == (1, True), told
    code, told = run("operator", "snapshot", "inspect", "--passphrase-file", passphrase, file)
    assert (code, "no snapshot under a passphrase" in told or "failed to fill" in told) == (1, True), told
