"""A secret is a type: it is not shown, not pickled, not compared by accident, and its memory is wiped."""

import copy
import dataclasses
import json
import pathlib
import pickle
import secrets
import subprocess
import sys
import traceback

import pytest
import secrethub
from secrethub import Secret

VALUE = "hunter2-hunter2"


@pytest.mark.parametrize("show", [
    repr, str, "{}".format, "{:>40}".format, "%s".__mod__, lambda secret: f"{secret!r}", lambda secret: repr([secret]),
    lambda secret: repr({"a": secret}), lambda secret: repr(secrethub.MasterKey(secret)), lambda secret: repr(dir(secret)),
])
def test_it_is_not_shown(show):
    text = show(Secret(VALUE))
    assert VALUE not in text


@pytest.mark.parametrize("value", ["", "text", "ümlaut \x00", b"\x00\xff", bytearray(b"x"), 7, 2.5, True, None, [1, {"a": None}]])
def test_what_goes_in_comes_out(value):
    secret = Secret(value)
    if isinstance(value, str):
        assert secret.reveal() == value and secret.reveal_bytes() == value.encode() and secret.reveal_json() == value
    elif isinstance(value, bytes | bytearray):
        assert secret.reveal_bytes() == value
        for reveal in (secret.reveal, secret.reveal_json):
            with pytest.raises(TypeError):
                reveal()
    else:
        assert secret.reveal_json() == value
        for reveal in (secret.reveal, secret.reveal_bytes):
            with pytest.raises(TypeError, match="reveal_json"):
                reveal()
    assert Secret(secret) == secret


def test_it_is_compared_with_secrets_only():
    assert Secret("a") == Secret("a") and Secret("a") != Secret("b") and Secret("1") != Secret(1) and Secret("a") != Secret(b"a")
    refused = [lambda: Secret("a") == "a", lambda: "a" == Secret("a"), lambda: Secret("a") != "a", lambda: Secret("a") < Secret("b"),
               lambda: hash(Secret("a")), lambda: Secret("a") in ["a"]]
    for use in refused:
        with pytest.raises(TypeError):
            use()


def test_it_leaves_by_no_back_door():
    for use in (pickle.dumps, json.dumps, iter, len, bytes, vars):
        with pytest.raises(TypeError):
            use(Secret(VALUE))
    secret = Secret(VALUE)
    assert copy.copy(secret) is secret and copy.deepcopy(secret) is secret
    with pytest.raises((AttributeError, TypeError)):
        secret.value = "x"
    with pytest.raises(TypeError):
        type("Open", (Secret,), {})


def test_a_failure_does_not_show_it():
    with secrethub.Vault.open("memory:") as vault:
        try:
            vault.unseal(Secret(VALUE))
        except secrethub.Error as error:
            assert VALUE not in "".join(traceback.format_exception(error))
        with pytest.raises(secrethub.Error) as refused:
            vault.with_token(Secret(VALUE)).write("sys/init", secret_shares=Secret(VALUE))
        assert VALUE not in "".join(traceback.format_exception(refused.value))


def test_shapes_do_not_show_theirs():
    with secrethub.Vault.open("memory:") as vault:
        keys = vault.init(shares=1)
        vault.unseal(*keys.shares)
        vault.token = keys.root_token
        vault.kv().put("a", password=VALUE)
        made = vault.tokens.create(policies=["default"])
        found = vault.kv().get("a")
        shown = repr([keys, made, found, vault.tokens.lookup(), vault.__dict__, vault.read("secret/data/a"), dataclasses.asdict(made)])
        for secret in (VALUE, keys.root_token.reveal(), keys.shares[0].reveal(), made.token.reveal()):
            assert secret not in shown
        assert "password" in repr(found), "names are shown"


# It reads a secret that another process wrote, holds it, and lets it go; whoever started it looks into its memory.
READER = """
import sys, secrethub
url, share, token = sys.stdin.readline().split()
vault = secrethub.Vault.open(url, token=token)
vault.unseal(share)
held = vault.kv().get("canary")
print("held", flush=True)
sys.stdin.readline()
del held
for _ in range(20):
    vault.kv().get("canary")
print("gone", flush=True)
sys.stdin.readline()
print(vault.kv().get("canary")["value"].reveal() != "", flush=True)
"""


def copies(pid: int, text: bytes) -> int:
    """How often a text stands in the memory of a process."""
    found = 0
    spaces = [line.split() for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines()]
    with open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for space in (space for space in spaces if space[1].startswith("rw") and not space[-1].startswith("[v")):
            begin, end = (int(part, 16) for part in space[0].split("-"))
            memory.seek(begin)
            found += memory.read(end - begin).count(text)
    return found


def test_a_hidden_value_is_wiped_with_its_last_reference(tmp_path):
    canary, url = "canary-" + secrets.token_hex(12), f"sqlite://{tmp_path}/vault.db"
    with secrethub.Vault.open(url) as vault:
        keys = vault.init(shares=1)
        vault.unseal(*keys.shares)
        vault.token = keys.root_token
        vault.kv().put("canary", value=canary)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", READER], **pipes) as reader:
        tell = lambda line: (reader.stdin.write(line + "\n"), reader.stdin.flush())  # noqa: E731
        tell(f"{url} {keys.shares[0].reveal()} {keys.root_token.reveal()}")
        assert reader.stdout.readline() == "held\n"
        held = copies(reader.pid, canary.encode())
        tell("go on")
        assert reader.stdout.readline() == "gone\n"
        gone = copies(reader.pid, canary.encode())
        tell("go on")
        assert reader.stdout.readline() == "True\n"
    assert held >= 1 and gone == 0, (held, gone)
