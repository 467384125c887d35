"""Ceremonies on the real server: shares come to one process after the other, and hvac and our command line lead them."""

import base64
import json
import subprocess

import hvac
import pytest
from hvac import exceptions

from bao import bao
from server import Server, binary, make_key


class House:
    """A server with three shares of which two suffice."""

    def __init__(self, server: Server):
        self.server = server
        self.client = hvac.Client(url=server.url)
        born = self.client.sys.initialize(secret_shares=3, secret_threshold=2)
        self.keys, self.client.token = born["keys"], born["root_token"]
        self.unseal()

    def unseal(self):
        self.client.sys.submit_unseal_keys(self.keys[:2])
        assert not self.client.sys.is_sealed()

    def restart(self):
        """SIGKILL, and the next process on the same store."""
        self.server.kill()
        self.server.start()
        self.unseal()


@pytest.fixture()
def house(start):
    return House(start())


def decode(encoded: str, otp: str) -> str:
    raw = base64.b64decode(encoded + "=" * (-len(encoded) % 4))
    return bytes(a ^ b for a, b in zip(raw, otp.encode(), strict=True)).decode()


def test_a_root_token_over_a_kill(house):
    sys = house.client.sys
    idle = sys.read_root_generation_progress()
    assert (idle["started"], idle["required"], idle["otp_length"]) == (False, 2, 28)
    begun = sys.start_root_token_generation()
    assert sys.generate_root(house.keys[0], begun["nonce"])["progress"] == 1
    house.restart()
    assert sys.read_root_generation_progress()["progress"] == 1
    done = sys.generate_root(house.keys[2], begun["nonce"])
    assert done["complete"] is True
    other = hvac.Client(url=house.server.url, token=decode(done["encoded_root_token"], begun["otp"]))
    assert other.lookup_token()["data"]["policies"] == ["root"]
    assert sys.read_root_generation_progress()["started"] is False


def test_new_shares_over_a_kill(house):
    sys = house.client.sys
    begun = sys.start_rekey(secret_shares=5, secret_threshold=3, require_verification=True)
    assert (begun["started"], begun["t"], begun["n"], begun["verification_required"]) == (True, 3, 5, True)
    assert sys.rekey(house.keys[1], nonce=begun["nonce"])["progress"] == 1
    house.restart()
    done = sys.rekey_multi(house.keys[2:], nonce=begun["nonce"])
    assert done["complete"] and len(done["keys"]) == 5 and done["verification_required"]
    house.restart()  # With the old shares: the new ones have not proved themselves.
    sys.rekey_verify(done["keys"][0], nonce=done["verification_nonce"])
    house.server.kill()
    house.server.start()
    house.client.sys.submit_unseal_keys(house.keys[:2])
    assert sys.read_rekey_verify_progress()["progress"] == 1
    assert sys.rekey_verify_multi(done["keys"][1:3], nonce=done["verification_nonce"])["complete"] is True
    old, house.keys = house.keys, done["keys"]
    house.server.kill()
    house.server.start()
    with pytest.raises(exceptions.InvalidRequest, match="do not open this vault"):
        sys.submit_unseal_keys(old)
    house.client.sys.submit_unseal_keys(done["keys"][1:4])
    assert not sys.is_sealed()


def test_strangers_neither_begin_nor_cancel(house):
    begun = house.client.sys.start_rekey(secret_shares=1, secret_threshold=1)
    weak = house.client.auth.token.create(policies=["default"])["auth"]["client_token"]
    for token, error in (("", exceptions.UnexpectedError), (weak, exceptions.Forbidden)):
        stranger = hvac.Client(url=house.server.url, token=token)
        for act in (
            stranger.sys.cancel_rekey,
            stranger.sys.start_root_token_generation,
            stranger.sys.cancel_root_generation,
            stranger.sys.read_rekey_progress,
        ):
            with pytest.raises(error):
                act()
    assert house.client.sys.read_rekey_progress()["nonce"] == begun["nonce"]
    assert house.client.sys.cancel_rekey().status_code == 204
    assert house.client.sys.read_rekey_progress()["started"] is False


def run(house: House, *args: str, stdin: str = "", token: bool = True) -> subprocess.CompletedProcess:
    env = {"SECRETHUB_ADDR": house.server.url, "HOME": str(house.server.folder)}
    env |= {"SECRETHUB_TOKEN": house.client.token} if token else {}
    return subprocess.run([binary(), "operator", *args], env=env, input=stdin, capture_output=True, text=True, timeout=60)


def test_the_command_line_leads(house):
    otp = run(house, "generate-root", "-generate-otp").stdout
    assert len(otp) == 28
    begun = json.loads(run(house, "generate-root", "-init", f"-otp={otp}", "-format=json").stdout)
    assert run(house, "generate-root", "-init").returncode == 2
    first = run(house, "generate-root", stdin=house.keys[0] + "\n")
    assert "Progress" in first.stdout and "1/2" in first.stdout and begun["nonce"] in first.stderr
    done = json.loads(run(house, "generate-root", f"-nonce={begun['nonce']}", "-format=json", "-", stdin=house.keys[1]).stdout)
    token = run(house, "generate-root", f"-decode={done['encoded_token']}", f"-otp={otp}").stdout.strip()
    assert hvac.Client(url=house.server.url, token=token).is_authenticated()

    assert run(house, "rotate-keys", "-status", "-verify").returncode == 2
    assert run(house, "rotate-keys", "-init", "-key-shares=2", "-key-threshold=2", "-verify").returncode == 0
    assert "true" in run(house, "rekey", "-status").stdout
    run(house, "rotate-keys", stdin=house.keys[0])
    made = json.loads(run(house, "rotate-keys", "-format=json", stdin=house.keys[1]).stdout)
    for key in made["keys_base64"]:
        last = run(house, "rotate-keys", "-verify", f"-nonce={made['verification_nonce']}", stdin=key)
    assert "in force" in last.stdout, last
    house.keys = made["keys"]
    house.restart()
    begun = json.loads(run(house, "rotate-keys", "-init", "-format=json", "-key-shares=2", "-key-threshold=2").stdout)
    assert begun["verification_required"] is True, "unless somebody says otherwise"
    assert run(house, "rotate-keys", "-cancel").returncode == 0
    # Without it, an answer that got lost is told again to whoever was to hear it.
    run(house, "rotate-keys", "-init", "-verify=false", "-key-shares=2", "-key-threshold=2")
    nonce = json.loads(run(house, "rotate-keys", "-status", "-format=json").stdout)["nonce"]
    run(house, "rotate-keys", stdin=house.keys[0])
    told = run(house, "rotate-keys", "-format=json", stdin=house.keys[1])
    house.server.kill()
    house.server.start()
    assert "do not open" in run(house, "unseal", stdin=house.keys[0]).stderr + run(house, "unseal", stdin=house.keys[1]).stderr
    for key in json.loads(told.stdout)["keys"]:
        run(house, "unseal", stdin=key)
    again = run(house, "rotate-keys", f"-nonce={nonce}", "-format=json", stdin=house.keys[1])
    assert again.stdout == told.stdout, again
    assert run(house, "generate-root", "-cancel", token=False).returncode == 2


def test_from_shares_to_a_master_key_and_back(house):
    house.client.secrets.kv.v2.create_or_update_secret("a", secret={"k": "v"})
    read = lambda: house.client.secrets.kv.v2.read_secret_version("a", raise_on_deleted_version=True)["data"]["data"]
    house.server.kill()
    house.server.env = {"MASTER_KEY": make_key()}
    house.server.start()
    assert house.client.sys.read_seal_status()["migration"] is True
    with pytest.raises(exceptions.InvalidRequest, match="migrate=true"):
        house.client.sys.submit_unseal_key(house.keys[0])
    assert run(house, "unseal", "-migrate", stdin=house.keys[0]).returncode == 0
    house.client.sys.submit_unseal_key(house.keys[1], migrate=True)
    assert read() == {"k": "v"} and house.client.sys.read_seal_status()["type"] == "static"
    house.server.kill()
    house.server.start()
    assert read() == {"k": "v"}, "it unseals itself"
    house.server.kill()
    house.server.env = {}
    house.server.start()
    assert house.client.sys.read_seal_status()["migration"] is True
    for key in house.keys[1:]:
        house.client.sys.submit_unseal_key(key, migrate=True)
    house.restart()
    assert read() == {"k": "v"} and house.client.sys.read_seal_status()["type"] == "shamir"


def test_unmodified_bao_leads_it_too(house):
    env = {"BAO_ADDR": house.server.url, "BAO_TOKEN": house.client.token, "HOME": str(house.server.folder)}

    def plain(*args: str) -> str:
        ran = subprocess.run([bao(), "operator", *args], env=env, capture_output=True, text=True, timeout=60, check=False)
        assert ran.returncode == 0, ran
        return ran.stdout

    def operator(command: str, *args: str) -> dict:
        return json.loads(plain(command, "-format=json", *args))

    begun = operator("generate-root", "-init")
    for key in house.keys[:2]:
        done = operator("generate-root", f"-nonce={begun['nonce']}", key)
    token = plain("generate-root", f"-decode={done['encoded_token']}", f"-otp={begun['otp']}").strip()
    assert hvac.Client(url=house.server.url, token=token).is_authenticated()

    begun = operator("rotate-keys", "-init", "-key-shares=2", "-key-threshold=2", "-verify")
    for key in house.keys[1:]:
        made = operator("rotate-keys", f"-nonce={begun['nonce']}", key)
    for key in made["keys_base64"]:
        last = plain("rotate-keys", "-verify", f"-nonce={made['verification_nonce']}", key)
    assert "verification successful" in last, last
    house.keys = made["keys"]
    house.restart()


def test_the_first_root_token_of_a_vault_that_unseals_itself(start):
    key = make_key()
    server = start(MASTER_KEY=key, SECRETHUB_UNAUTHENTICATED_CEREMONIES="true")
    house = House.__new__(House)
    house.server, house.client, house.keys = server, hvac.Client(url=server.url, token=""), [key]
    begun = json.loads(run(house, "generate-root", "-init", "-format=json", token=False).stdout)
    wrong = run(house, "generate-root", stdin=make_key(), token=False)
    assert wrong.returncode == 2 and "another key" in wrong.stderr, wrong
    done = json.loads(run(house, "generate-root", "-format=json", stdin=key, token=False).stdout)
    house.client.token = decode(done["encoded_token"], begun["otp"])

    # Recovery shares, and their successors over a kill; from then on strangers are not heard.
    run(house, "rotate-keys", "-target=recovery", "-init", "-key-shares=3", "-key-threshold=2", "-verify=false")
    made = json.loads(run(house, "rotate-keys", "-target=recovery", "-format=json", stdin=key).stdout)
    server.env = {"MASTER_KEY": key}
    server.kill()
    server.start()
    assert run(house, "rotate-keys", "-target=recovery", "-init", token=False).returncode == 2
    sys = house.client.sys
    begun = sys.start_rekey(secret_shares=2, secret_threshold=2, recovery_key=True)
    assert begun["required"] == 2
    sys.rekey(made["keys"][0], nonce=begun["nonce"], recovery_key=True)
    server.kill()
    server.start()
    assert sys.read_rekey_progress(recovery_key=True)["progress"] == 1
    done = sys.rekey(made["keys"][1], nonce=begun["nonce"], recovery_key=True)
    assert done["complete"] and len(done["keys"]) == 2
    assert run(house, "rotate-keys", "-target=recovery", "-cancel").returncode == 0


def test_a_passphrase_is_typed_and_hands_over_from_one_process_to_the_next(start):
    """Two processes on one store: one that knows the passphrase alone, one that is to take over; the first share's process dies."""
    phrase = "correct horse battery staple"
    server = start(SECRETHUB_SEAL="passphrase")
    house = House.__new__(House)
    house.server, house.client, house.keys = server, hvac.Client(url=server.url, token=""), []
    short = run(house, "init", stdin="fourteen chars\n", token=False)
    assert short.returncode == 2 and "six words" in short.stderr, short
    made = run(house, "init", "-format=json", stdin=f"{phrase}\n", token=False)
    house.client.token = json.loads(made.stdout)["root_token"]
    wrong = run(house, "unseal", stdin="wrong horse battery staple\n")
    assert wrong.returncode == 2 and "wrong passphrase" in wrong.stderr, wrong
    assert run(house, "unseal", stdin=f"{phrase}\n").returncode == 0
    house.client.secrets.kv.v2.create_or_update_secret("a", secret={"k": "v"})
    read = lambda: house.client.secrets.kv.v2.read_secret_version("a", raise_on_deleted_version=True)["data"]["data"]
    run(house, "rotate-keys", "-target=recovery", "-init", "-key-shares=3", "-key-threshold=2", "-verify=false")
    done = json.loads(run(house, "rotate-keys", "-target=recovery", "-format=json", stdin=f"{phrase}\n").stdout)
    house.keys = done["keys"]

    def handed(seal: str, **env: str):
        server.kill()
        server.env = env
        server.start()
        assert house.client.sys.read_seal_status()["migration"] is True
        assert house.client.sys.submit_unseal_key(house.keys[0], migrate=True)["progress"] == 1
        server.kill()
        server.start()
        for key in house.keys[1:]:
            house.client.sys.submit_unseal_key(key, migrate=True)
        assert read() == {"k": "v"} and house.client.sys.read_seal_status()["type"] == seal

    key = make_key()
    handed("static", MASTER_KEY=key)
    (server.folder / "passphrase").write_text(f"{phrase} too\n")
    handed("passphrase", SECRETHUB_PASSPHRASE_FILE=str(server.folder / "passphrase"))
    server.kill()
    server.start()
    assert read() == {"k": "v"}, "it unseals itself"
    server.kill()
    server.env = {"SECRETHUB_SEAL": "passphrase"}
    server.start()
    assert house.client.sys.is_sealed() and run(house, "unseal", stdin=f"{phrase} too\n").returncode == 0
    assert read() == {"k": "v"}
    assert phrase not in server.log()
    handed("shamir")
    handed("passphrase", SECRETHUB_PASSPHRASE_FILE=str(server.folder / "passphrase"))
