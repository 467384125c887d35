"""The `secrethub` command line as a person uses it, against a development server."""

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
