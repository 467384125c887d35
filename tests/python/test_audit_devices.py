"""Files that the API has follow the audit log, over a restart and a rotation, and nowhere but in their folder."""

import json
import signal
import time

import pytest

from server import Server, Vault

ALL = "sys/config/auditing/request-headers"
PATIENCE = 30


@pytest.fixture()
def folder(tmp_path):
    """Where files may lie."""
    made = tmp_path / "logs"
    made.mkdir()
    return made


def wait_for(file, path: str, again=lambda: None) -> dict:
    """The record of a path, once it stands in the file; what makes one may be done again until then."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        lines = file.read_text().splitlines() if file.is_file() else []
        found = [record for record in map(json.loads, lines) if record["path"] == path]
        if found:
            return found[-1]
        time.sleep(0.1)
        again()
    raise AssertionError(f"{path} does not stand in {file}")


def test_a_file_follows_over_restart_and_rotation(tmp_path, folder):
    file = folder / "audit.log"
    with Server(tmp_path, SECRETHUB_AUDIT_DEVICES_FOLDER=str(folder)) as server:
        vault = Vault(server)
        assert vault.ask("PUT", f"{ALL}/X-Trace", json={"hmac": False}).status_code == 204
        device = {"type": "file", "options": {"file_path": str(file)}}
        assert vault.ask("PUT", "sys/audit/logs", json=device).status_code == 204
        vault.ask("GET", "secret/data/one", headers={"X-Trace": "abc"})
        assert wait_for(file, "secret/data/one")["headers"] == {"x-trace": ["abc"]}
        assert file.stat().st_mode & 0o777 == 0o600
        server.terminate()
        server.start()
        vault.unseal()
        vault.ask("GET", "secret/data/two")
        wait_for(file, "secret/data/two")
        file.rename(folder / "audit.log.1")
        server.process.send_signal(signal.SIGHUP)
        wait_for(file, "secret/data/three", again=lambda: vault.ask("GET", "secret/data/three"))
        for outside in (tmp_path / "vault.db", folder / "no" / "such", folder / ".." / "x"):
            device["options"]["file_path"] = str(outside)
            assert vault.ask("PUT", "sys/audit/bad", json=device).status_code == 400, outside
        assert list(vault.ask("GET", "sys/audit").json()["data"]) == ["logs/", "store/"]


def test_switched_off_it_says_which_key_to_set(tmp_path, folder):
    with Server(tmp_path) as server:
        device = {"type": "file", "options": {"file_path": str(folder / "audit.log")}}
        refused = Vault(server).ask("PUT", "sys/audit/logs", json=device)
        assert refused.status_code == 400 and "audit_devices_folder" in refused.text
        assert list(folder.iterdir()) == []
