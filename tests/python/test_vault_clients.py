"""A real Vault client, unmodified, does what its users do."""

import hvac
import pytest
from hvac import exceptions

from server import Server


@pytest.fixture()
def client(vault):
    """hvac as root."""
    return hvac.Client(url=vault.url, token=vault.token)


def test_init_unseal_seal(tmp_path):
    with Server(tmp_path) as server:
        client = hvac.Client(url=server.url)
        assert not client.sys.is_initialized() and client.sys.read_health_status(method="GET").status_code == 501
        born = client.sys.initialize(secret_shares=5, secret_threshold=3)
        assert len(born["keys"]) == len(born["keys_base64"]) == 5 and born["root_token"].startswith("shs.")
        assert client.sys.is_initialized() and client.sys.is_sealed()
        with pytest.raises(exceptions.InvalidRequest, match="already initialized"):
            client.sys.initialize(secret_shares=1, secret_threshold=1)
        assert client.sys.read_health_status(method="GET").status_code == 503
        assert client.sys.submit_unseal_key(born["keys"][0])["progress"] == 1
        assert client.sys.submit_unseal_key(born["keys"][0])["progress"] == 1, "the same share counts once"
        assert client.sys.submit_unseal_key(born["keys_base64"][1])["progress"] == 2
        assert client.sys.submit_unseal_key(born["keys"][4])["sealed"] is False
        assert client.sys.read_health_status(method="GET")["sealed"] is False
        client.token = born["root_token"]
        client.secrets.kv.v2.create_or_update_secret("a", secret={"k": "v"})
        client.sys.seal()
        with pytest.raises(exceptions.VaultDown):
            client.secrets.kv.v2.read_secret_version("a", raise_on_deleted_version=True)
        client.sys.submit_unseal_keys(born["keys"][2:])
        assert client.secrets.kv.v2.read_secret_version("a", raise_on_deleted_version=True)["data"]["data"] == {"k": "v"}


def test_a_wrong_share_does_not_unseal(tmp_path):
    with Server(tmp_path) as server:
        client = hvac.Client(url=server.url)
        keys = client.sys.initialize(secret_shares=3, secret_threshold=2)["keys"]
        client.sys.submit_unseal_key(keys[0])
        wrong = keys[1][:10] + ("0" if keys[1][10] != "0" else "1") + keys[1][11:]
        with pytest.raises(exceptions.InvalidRequest):
            client.sys.submit_unseal_key(wrong)
        assert client.sys.read_seal_status()["sealed"] is True
        client.sys.submit_unseal_keys(keys[:2])
        assert client.sys.read_seal_status()["sealed"] is False


def test_kv2_versions(client):
    kv = client.secrets.kv.v2
    for number in range(1, 4):
        made = kv.create_or_update_secret("versions/a", secret={"n": number})
        assert made["data"]["version"] == number
    read = kv.read_secret_version("versions/a", version=2, raise_on_deleted_version=True)["data"]
    assert (read["data"], read["metadata"]["version"]) == ({"n": 2}, 2)
    kv.delete_secret_versions("versions/a", [2])
    with pytest.raises(exceptions.InvalidPath):
        kv.read_secret_version("versions/a", version=2, raise_on_deleted_version=True)
    gone = kv.read_secret_version("versions/a", version=2, raise_on_deleted_version=False)["data"]
    assert gone["data"] is None and gone["metadata"]["deletion_time"]
    kv.undelete_secret_versions("versions/a", [2])
    assert kv.read_secret_version("versions/a", version=2, raise_on_deleted_version=True)["data"]["data"] == {"n": 2}
    kv.destroy_secret_versions("versions/a", [1])
    assert kv.read_secret_metadata("versions/a")["data"]["versions"]["1"]["destroyed"] is True
    kv.delete_metadata_and_all_versions("versions/a")
    with pytest.raises(exceptions.InvalidPath):
        kv.read_secret_metadata("versions/a")


def test_kv2_check_and_set(client):
    kv = client.secrets.kv.v2
    kv.create_or_update_secret("cas/a", secret={"n": 1}, cas=0)
    for cas in (0, 2):
        with pytest.raises(exceptions.InvalidRequest, match="check-and-set parameter did not match the current version"):
            kv.create_or_update_secret("cas/a", secret={"n": 2}, cas=cas)
    assert kv.create_or_update_secret("cas/a", secret={"n": 2}, cas=1)["data"]["version"] == 2


def test_kv2_patch_and_metadata(client):
    kv = client.secrets.kv.v2
    kv.create_or_update_secret("patch/a", secret={"a": "1", "b": {"c": "2", "d": "3"}})
    kv.patch("patch/a", secret={"b": {"c": None}, "e": "4"})
    read = kv.read_secret_version("patch/a", raise_on_deleted_version=True)["data"]
    assert read["data"]["e"] == "4" and read["metadata"]["version"] == 2
    kv.update_metadata("patch/a", max_versions=1, custom_metadata={"owner": "ops"})
    metadata = kv.read_secret_metadata("patch/a")["data"]
    assert (metadata["custom_metadata"], metadata["max_versions"]) == ({"owner": "ops"}, 1)


def test_kv2_list(client):
    kv = client.secrets.kv.v2
    for path in ("list/a", "list/b/c", "list/b/d"):
        kv.create_or_update_secret(path, secret={"k": "v"})
    assert kv.list_secrets("list")["data"]["keys"] == ["a", "b/"]
    with pytest.raises(exceptions.InvalidPath):
        kv.list_secrets("nothing/here")


def test_cubbyhole_is_each_tokens_own(vault, client):
    client.write("cubbyhole/mine", k="v")
    assert client.read("cubbyhole/mine")["data"] == {"k": "v"}
    assert client.list("cubbyhole")["data"]["keys"] == ["mine"]
    other = hvac.Client(url=vault.url, token=client.auth.token.create(policies=["default"])["auth"]["client_token"])
    assert other.read("cubbyhole/mine") is None
    client.delete("cubbyhole/mine")
    assert client.read("cubbyhole/mine") is None


def test_token_life(vault, client):
    made = client.auth.token.create(policies=["default"], ttl="1h", meta={"who": "me"}, display_name="t")["auth"]
    assert made["policies"] == ["default"] and 3500 < made["lease_duration"] <= 3600 and made["renewable"]
    child = hvac.Client(url=vault.url, token=made["client_token"])
    looked = child.auth.token.lookup_self()["data"]
    assert looked["meta"] == {"who": "me"} and looked["accessor"] == made["accessor"] and 3500 < looked["ttl"] <= 3600
    assert child.auth.token.renew_self(increment="2h")["auth"]["lease_duration"] > 3600
    with pytest.raises(exceptions.Forbidden):
        child.secrets.kv.v2.create_or_update_secret("token/x", secret={"k": "v"})
    client.auth.token.revoke_accessor(made["accessor"])
    with pytest.raises(exceptions.Forbidden):
        child.auth.token.lookup_self()


def test_revoking_a_token_revokes_its_children(vault, client):
    parent = hvac.Client(url=vault.url, token=client.auth.token.create()["auth"]["client_token"])
    child = hvac.Client(url=vault.url, token=parent.auth.token.create()["auth"]["client_token"])
    orphan = hvac.Client(url=vault.url, token=parent.auth.token.create_orphan()["auth"]["client_token"])
    child.auth.token.lookup_self()
    client.auth.token.revoke(parent.token)
    with pytest.raises(exceptions.Forbidden):
        child.auth.token.lookup_self()
    assert orphan.auth.token.lookup_self()["data"]["orphan"] is True


def test_a_token_of_two_uses_has_two(vault, client):
    made = client.auth.token.create(num_uses=2)["auth"]
    used = hvac.Client(url=vault.url, token=made["client_token"])
    used.auth.token.lookup_self()
    used.auth.token.lookup_self()
    with pytest.raises(exceptions.Forbidden):
        used.auth.token.lookup_self()


def test_key_status_and_rotate(client):
    before = client.sys.read_encryption_key_status() if hasattr(client.sys, "read_encryption_key_status") else client.read("sys/key-status")
    client.sys.rotate_encryption_key()
    after = client.read("sys/key-status")
    assert after["data"]["term"] == before["data"]["term"] + 1


def test_mounts_and_capabilities(client):
    mounts = client.sys.list_mounted_secrets_engines()["data"]
    assert mounts["secret/"]["type"] == "kv" and mounts["secret/"]["options"]["version"] == "2"
    assert {"sys/", "cubbyhole/"} <= set(mounts)
    assert client.sys.get_capabilities(["secret/data/x"])["capabilities"] == ["root"]
