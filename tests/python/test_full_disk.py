"""A server whose disk runs full: it says so, loses nothing, can be sealed, unsealed and pruned."""

import pathlib
import subprocess

import pytest

from server import Server, Vault

MIB = 1 << 20
DISK = 96 * MIB
LARGE = "x" * 200_000


@pytest.fixture()
def disk(tmp_path):
    """A folder on a small disk of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "none", folder], check=True)
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def fill(vault: Vault) -> tuple[int, str]:
    """Writes until it is refused: how many writes were answered with success, and the refusal."""
    for n in range(2_000):
        reply = vault.ask("POST", f"secret/data/{n}", json={"data": {"value": LARGE}})
        if reply.status_code != 200:
            assert reply.status_code == 503, reply.text
            return n, reply.json()["errors"][0]
    raise AssertionError("the disk does not fill")


def test_a_full_disk(disk):
    with Server(disk, AUDIT_TTL_DAYS="1") as server:
        vault = Vault(server)
        count, refusal = fill(vault)
        assert "disk is full" in refusal and "nothing was changed" in refusal
        assert count > 50
        # A read needs its record, and sooner or later there is no room for that either.
        codes = [200]
        while codes[-1] == 200 and len(codes) < 2_000:
            codes.append(vault.ask("GET", "secret/metadata/0").status_code)
        assert codes[-1] == 503
        assert vault.ask("GET", "sys/health", token="").status_code == 200
        # What is left for the operator: pruning, sealing with its last records, unsealing, which begins a chain.
        assert vault.ask("PUT", "audit/prune").status_code == 200
        assert not pathlib.Path(f"{server.store}-reserve").exists(), "the reserve is in use"
        assert vault.ask("GET", "secret/metadata/0").status_code == 503
        assert vault.ask("PUT", "sys/seal").status_code == 204
        assert vault.ask("GET", "sys/health", token="").status_code == 503
        vault.unseal()
        server.kill()
        server.start()
        vault.unseal()
        # Somebody makes room.
        subprocess.run(["mount", "-o", f"remount,size={4 * DISK}", disk], check=True)
        for n in (0, count - 1):
            assert vault.ask("GET", f"secret/data/{n}").json()["data"]["data"]["value"] == LARGE
        assert vault.ask("GET", f"secret/data/{count}").status_code == 404, "what was refused is not there"
        assert vault.ask("POST", "secret/data/more", json={"data": {"value": LARGE}}).status_code == 200
        assert pathlib.Path(f"{server.store}-reserve").stat().st_size == 16 * MIB, "the reserve is back"
        assert vault.ask("PUT", "audit/verify").json()["data"]["verified"] is True
