"""The package's examples, and the Python of the README and of docs/python.md, run as they stand."""

import importlib.util
import os
import re
import subprocess
import sys

import pytest
import secrethub

from server import ROOT, make_key

EXAMPLES = ROOT / "vault-py/examples"
BLOCK = re.compile(r"^```python ci\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def run(*args: object, cwd=None, **env: str) -> str:
    """What a Python program prints, in a bare environment."""
    bare = {"PATH": os.environ["PATH"], **env}
    ran = subprocess.run([sys.executable, *map(str, args)], cwd=cwd, env=bare, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_the_script_keeps_its_secret(tmp_path):
    key = tmp_path / "master.key"
    key.write_text(make_key() + "\n")
    for records in (3, 5):
        told = run(EXAMPLES / "script.py", tmp_path / "vault.db", key)
        assert told.startswith("version 1, 21 characters\n") and told.endswith("verified: True\n"), (records, told)


def test_the_settings_come_from_the_vault_and_are_not_shown(vault):
    with secrethub.Client(vault.url, token=vault.token) as client:
        client.kv().put("app/settings", database_password="hunter2", database_host="db.example")
    env = {"SECRETHUB_ADDR": vault.url, "SECRETHUB_TOKEN": vault.token}
    assert run(EXAMPLES / "settings.py", **env) == "Settings(database_host='db.example', database_password=SecretStr('**********'))\n"
    assert "'other'" in run(EXAMPLES / "settings.py", DATABASE_HOST="other", VAULT_ADDR=vault.url, VAULT_TOKEN=vault.token)


def test_the_service_reads_its_database_password(vault, monkeypatch):
    from fastapi.testclient import TestClient

    monkeypatch.setenv("SECRETHUB_ADDR", vault.url)
    monkeypatch.setenv("SECRETHUB_TOKEN", vault.token)
    with secrethub.Client.from_env() as client:
        client.kv().put("app/database", user="app", password="hunter2")
        spec = importlib.util.spec_from_file_location("service", EXAMPLES / "service.py")
        service = importlib.util.module_from_spec(spec)
        sys.modules["service"] = service
        spec.loader.exec_module(service)
        with TestClient(service.app) as http:
            assert http.get("/ready").json() == {"database": True}
            before = http.get("/secret-version").json()["version"]
            client.kv().patch("app/database", password="changed")
            assert http.get("/secret-version").json()["version"] == before + 1
    with pytest.raises(secrethub.Closed):
        client.kv().get("app/database")


DOCUMENTS = ["README.md", "docs/python.md", "vault-py/README.md"]


def blocks() -> list[tuple[str, str]]:
    """Every block that is marked, with where it stands."""
    return [(path, block) for path in DOCUMENTS for block in BLOCK.findall((ROOT / path).read_text())]


def test_the_documents_have_their_blocks():
    assert {path for path, _ in blocks()} == set(DOCUMENTS) and len(blocks()) >= 6


@pytest.mark.parametrize(("path", "block"), blocks())
def test_a_block_does_what_it_says(vault, tmp_path, path, block):
    """It runs in a folder of its own, with a server that has the secret `app`; what it prints stands in `#> ` lines."""
    with secrethub.Client(vault.url, token=vault.token) as client:
        client.kv().put("app", password="correct horse")
        (tmp_path / "master.key").write_text(make_key())
        printed = run("-c", block, cwd=tmp_path, SECRETHUB_ADDR=vault.url, SECRETHUB_TOKEN=vault.token)
    missing = [line for line in re.findall(r"#> (.*)$", block, re.MULTILINE) if line not in printed]
    assert missing == [], printed
