"""`operator diagnose` and `operator bootstrap`, as an operator runs them."""

import contextlib
import json
import os
import socket
import stat
import subprocess

import pytest

from server import Server, binary, free_port


def run(folder, *args: str, **env: str):
    """Runs `operator …` in a folder; its exit code and what it printed."""
    env = {"PATH": os.environ["PATH"], "HOME": str(folder)} | env
    ran = subprocess.run([binary(), "operator", *args], cwd=folder, env=env, capture_output=True, text=True, timeout=60, check=False)
    return ran.returncode, ran.stdout + ran.stderr


@pytest.fixture()
def diagnose(tmp_path):
    """Writes settings and diagnoses them; findings by check, with the exit code under `code`."""

    def begin(settings: str = "", **env: str):
        tmp_path.chmod(0o700)
        base = f"store = 'sqlite:{tmp_path}/vault.db'\nlisten = ['127.0.0.1:{free_port()}']\ndisk_watermark_mib = 1\n"
        (tmp_path / "secrethub.toml").write_text(settings if "store =" in settings else base + settings)
        code, printed = run(tmp_path, "diagnose", "-config=secrethub.toml", "-format=json", **env)
        assert "hunter2" not in printed
        checks = json.loads(printed)["checks"]
        return {"code": code} | {check["check"]: (check["status"], check["message"]) for check in checks}

    begin.folder = tmp_path
    return begin


def test_a_good_machine_is_good(diagnose):
    found = diagnose()
    # Whether swap is on, and memory may be locked, is the machine's own.
    own = {"code", "swap", "memory lock"}
    assert {found[check][0] for check in found.keys() - own} == {"ok"} and {"swap", "memory lock"} <= found.keys(), found
    assert found["code"] == (0 if found["swap"][0] == "ok" else 2), found
    assert not (diagnose.folder / "vault.db").exists(), "it makes nothing"


def test_a_running_server_is_named(diagnose):
    with Server(diagnose.folder) as server:
        found = diagnose(f"store = 'sqlite:{server.store}'\nlisten = ['127.0.0.1:{server.port}']\ndisk_watermark_mib = 1\n")
        pid = str(server.process.pid)
        assert pid in found["store in use"][1] and found["listen"][0] == "ok" and pid in found["listen"][1], found
        assert found["store opens"][0] == "ok" and "WAL" in found["store opens"][1], found
        assert server.answers() and server.terminate() == 0
    assert diagnose()["store in use"] == ("ok", "by nobody")


def make_certificate(folder, days: str):
    """A key and a certificate for it, by openssl."""
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=x"]
    files = ["-keyout", folder / "key.pem", "-out", folder / "cert.pem", "-days", days]
    subprocess.run([*command, *files], check=True, capture_output=True)
    (folder / "key.pem").chmod(0o600)


TLS = "tls_cert_file = 'cert.pem'\ntls_key_file = 'key.pem'\n"


@pytest.mark.parametrize(("days", "code", "status"), [("90", 0, "ok"), ("3", 2, "warn")])
def test_certificates(diagnose, days, code, status):
    make_certificate(diagnose.folder, days)
    found = diagnose(TLS)
    assert (found["code"], found["tls certificate"][0]) == (code, status), found


def test_another_key_does_not_fit(diagnose):
    make_certificate(diagnose.folder, "90")
    kept = (diagnose.folder / "cert.pem").read_text()
    make_certificate(diagnose.folder, "90")
    (diagnose.folder / "cert.pem").write_text(kept)
    found = diagnose(TLS)
    assert (found["code"], found["tls certificate"][0]) == (1, "fail"), found


@pytest.mark.parametrize(
    ("settings", "check", "status"),
    [
        ("master_key = 'hunter2'", "configuration", "fail"),
        ("master_key_file = 'none'", "configuration", "fail"),
        (TLS, "tls certificate", "fail"),
        ("tls_cert_file = 'cert.pem'", "tls certificate", "fail"),
        ("store = 'memory:'\nlisten = ['0.0.0.0:0']", "listen", "warn"),
        ("store = 'memory:'\nlisten = ['192.0.2.1:8200']\ntls_cert_file = 'x'", "listen", "fail"),
        ("store = 'postgres://u:hunter2@h/d'\nlisten = ['127.0.0.1:0']", "store", "fail"),
        ("store = 'sqlite:secrethub.toml'\nlisten = ['127.0.0.1:0']", "store opens", "fail"),
    ],
)
def test_what_is_wrong_is_found(diagnose, settings, check, status):
    found = diagnose(settings)
    assert found[check][0] == status and found["code"] == {"fail": 1, "warn": 2}[status], found


def test_an_address_in_use_and_a_file_for_all_to_write(diagnose):
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        bound.listen()
        database = diagnose.folder / "vault.db"
        database.touch()
        database.chmod(0o666)
        port = bound.getsockname()[1]
        found = diagnose(f"store = 'sqlite:{database}'\nlisten = ['127.0.0.1:{port}']\n")
    assert (found["code"], found["listen"][0], found["store file"][0]) == (1, "fail", "fail"), found


PLAN = """
[init]
shares = 3
threshold = 2
keys_file = "keys.json"

[[mounts]]
path = "team"
type = "kv"
description = "what applications read"
options = { version = "2" }

[[auth]]
path = "token"
type = "token"

[[policies]]
name = "app-read"
text = 'path "secret/data/app/*" { capabilities = ["read"] }'

[[tokens]]
display_name = "app"
policies = ["app-read"]
period = "24h"
file = "app.token"
"""


@pytest.fixture()
def bootstrap(tmp_path):
    """Writes a plan and has it made; the exit code, what was done, and all that was printed."""
    with Server(tmp_path) as server:

        def begin(plan: str = PLAN, **env: str):
            (tmp_path / "plan.toml").write_text(plan)
            code, printed = run(tmp_path, "bootstrap", "plan.toml", SECRETHUB_ADDR=server.url, **env)
            return code, printed

        begin.folder, begin.server = tmp_path, server
        yield begin


def test_a_second_run_changes_nothing(bootstrap):
    code, printed = bootstrap()
    assert code == 0 and printed.count("made") == 4 and printed.count("there already") == 1, printed
    keys, token = bootstrap.folder / "keys.json", bootstrap.folder / "app.token"
    for file in (keys, token):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    kept = json.loads(keys.read_text())
    assert len(kept["unseal_keys_b64"]) == 3
    assert kept["root_token"] not in printed and token.read_text() not in printed
    before = (keys.read_text(), token.read_text())
    code, printed = bootstrap()
    assert code == 0 and "made" not in printed and printed.count("there already") == 5, printed
    assert before == (keys.read_text(), token.read_text())

    keys.rename(bootstrap.folder / "safe.json")
    code, printed = bootstrap()
    assert code == 2 and "denied" in printed, "without its keys it needs a token"
    assert bootstrap(SECRETHUB_TOKEN=kept["root_token"])[0] == 0
    token.write_text("s.gone")
    code, printed = bootstrap(SECRETHUB_TOKEN=kept["root_token"])
    assert code == 0 and printed.count("made") == 1 and token.read_text() != "s.gone", printed


def test_another_type_in_its_place_changes_nothing(bootstrap):
    assert bootstrap()[0] == 0
    more = PLAN + '\n[[mounts]]\npath = "new"\ntype = "kv"\n[[mounts]]\npath = "secret"\ntype = "kv"\noptions = { version = "1" }\n'
    code, printed = bootstrap(more)
    assert code == 2 and "secret/ exists" in printed, printed
    code, printed = bootstrap(PLAN + '\n[[mounts]]\npath = "new"\ntype = "kv"\n')
    assert code == 0 and "new/" in printed and printed.count("made") == 1, "the failed run had not made it"


def test_a_policy_that_was_changed_since_is_not_written_over(bootstrap):
    assert bootstrap()[0] == 0
    code, printed = bootstrap(PLAN.replace('"read"', '"read", "update"'))
    assert code == 2 and "exists with another text" in printed, printed
    code, printed = bootstrap(PLAN.replace('capabilities = ["read"]', 'capabilities = ["reed"]').replace("app-read", "app-reed"))
    assert code == 2 and "reed" in printed, printed


def test_an_interrupted_run_is_run_again(bootstrap):
    """Ended before init, between init and unseal, and killed anywhere."""
    keys = bootstrap.folder / "keys.json"
    keys.touch(mode=0o644)
    assert bootstrap()[0] == 0 and stat.S_IMODE(keys.stat().st_mode) == 0o600
    kept = json.loads(keys.read_text())
    assert run(bootstrap.folder, "seal", SECRETHUB_ADDR=bootstrap.server.url, SECRETHUB_TOKEN=kept["root_token"])[0] == 0
    code, printed = bootstrap()
    assert code == 0 and "unseal" in printed and kept["root_token"] not in printed, printed
    keys.rename(bootstrap.folder / "safe.json")
    keys.touch()
    code, printed = bootstrap()
    assert code == 1 and "nobody has them" in printed, printed


def test_a_run_that_is_killed_anywhere_is_run_again(bootstrap):
    command = [binary(), "operator", "bootstrap", "plan.toml"]
    env = {"PATH": os.environ["PATH"], "HOME": str(bootstrap.folder), "SECRETHUB_ADDR": bootstrap.server.url}
    (bootstrap.folder / "plan.toml").write_text(PLAN)
    for step in range(1, 9):
        process = subprocess.Popen(command, cwd=bootstrap.folder, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=0.02 * step)
        process.kill()
        process.wait()
    code, printed = bootstrap()
    # It may have hit the one instant that loses the keys; then it says so.
    assert (code == 0 and (bootstrap.folder / "app.token").exists()) or "nobody has them" in printed, printed


@pytest.mark.parametrize(
    ("plan", "code", "says"),
    [
        ("[[mount]]\npath = 'a'", 1, "unknown field `mount`"),
        ("[[mounts]]\npath = 'a'\ntype = 'kv'", 2, "not initialised"),
        (PLAN.replace('"keys.json"', '"plan.toml"'), 1, "keys_file plan.toml"),
        (PLAN.replace("threshold = 2", "threshold = 4"), 2, "threshold"),
        (PLAN.replace('"app.token"', '"server.log"'), 1, "something else than a token"),
    ],
)
def test_mistakes_are_named(bootstrap, plan, code, says):
    have, printed = bootstrap(plan)
    assert (have, says in printed) == (code, True), printed
    made_keys = (bootstrap.folder / "keys.json").exists()
    assert made_keys == ("server.log" in plan), "no empty file stays"
