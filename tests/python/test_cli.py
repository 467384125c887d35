"""The `secrethub` command line as a person uses it, against a development server."""

import json
import os
import stat
import subprocess

import pytest

from bao import ROOT_TOKEN, peers
from server import binary


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Runs one command; its exit code and what it printed."""
    _, server = peers(tmp_path_factory.mktemp("cli"))
    server.start("dev")

    def begin(*args: str, stdin: str = "", **env: str):
        env = server.env() | {"SECRETHUB_ADDR": server.urls["dev"], "SECRETHUB_TOKEN": ROOT_TOKEN} | env
        ran = subprocess.run([binary(), *args], env=env, input=stdin, capture_output=True, text=True, timeout=60, check=False)
        return ran.returncode, ran.stdout + ran.stderr

    begin.home = server.folder
    yield begin
    server.stop()


@pytest.mark.parametrize(
    ("line", "code", "says"),
    [
        ("patch -force secret/none", 2, "error"),
        ("write cubbyhole/deep/er k=v", 0, "Success! Data written to: cubbyhole/deep/er"),
        ("scan cubbyhole", 0, "deep/er"),
        ("secrets list", 0, "secret/"),
        ("secrets list -detailed", 0, "Default TTL"),
        ("auth list", 0, "token/"),
        ("auth help token", 0, "lookup-self"),
        ("path-help secret/data/app", 0, "secret/data/"),
        ("print token", 0, ROOT_TOKEN),
        ("version-history", 0, "1.15.6+secrethub"),
        ("operator members", 0, "127.0.0.1"),
        ("audit list", 0, "store/"),
        ("token capabilities secret/data/x", 0, "root"),
        ("token capabilities " + ROOT_TOKEN + " secret/data/x", 0, "root"),
        ("lease lookup none", 2, "error"),
        ("secrets enable nonsense", 2, "error"),
        ("secrets enable", 1, "TYPE"),
        ("login -method=ldap", 1, "token"),
    ],
)
def test_a_command(run, line, code, says):
    have, printed = run(*line.split())
    assert (have, says in printed) == (code, True), printed


def test_a_mount_s_life(run):
    for line, says in [
        ("secrets enable -path=one -version=1 -description=first kv", "Success! Enabled the kv secrets engine at: one/"),
        ("kv put one/a k=v", "Success!"),
        ("secrets tune -description=second -default-lease-ttl=1h one", "Success! Tuned the secrets engine at: one/"),
        ("secrets move one two", "Success! Finished moving secrets engine one/ to two/"),
        ("kv get -field=k two/a", "v"),
        ("secrets disable two", "Success! Disabled the secrets engine (if it existed) at: two/"),
    ]:
        code, printed = run(*line.split())
        assert code == 0 and says in printed, f"{line}: {printed}"


def test_a_wrapped_answer_is_taken_once(run):
    run("kv", "put", "secret/wrapped", "k=v")
    code, printed = run("kv", "get", "-wrap-ttl=1m", "-field=wrapping_token", "secret/wrapped")
    assert code == 0, printed
    token = printed.strip()
    code, printed = run("unwrap", "-format=json", "-", stdin=token)
    assert code == 0 and json.loads(printed)["data"]["data"] == {"k": "v"}, printed
    assert run("unwrap", "-", stdin=token)[0] == 2, "once"


def test_login_keeps_the_token_for_its_owner_alone(run):
    code, printed = run("login", "-no-print", "-", stdin=ROOT_TOKEN, SECRETHUB_TOKEN="")
    assert code == 0 and ROOT_TOKEN not in printed, printed
    kept = run.home / ".secrethub" / "token"
    assert (kept.read_text(), stat.S_IMODE(os.stat(kept).st_mode)) == (ROOT_TOKEN, 0o600)
    assert run("token", "lookup", SECRETHUB_TOKEN="")[0] == 0, "the commands that follow use it"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_the_commands(run, shell):
    code, script = run("completion", shell)
    assert code == 0 and all(name in script for name in ("secrets", "lease", "unwrap", "path-help"))
