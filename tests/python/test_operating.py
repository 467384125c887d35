"""Mounts, wrapping, leases and audit devices, as an unmodified Vault client uses them."""

import hvac
import pytest
from hvac import exceptions


@pytest.fixture()
def client(vault):
    """hvac as root."""
    return hvac.Client(url=vault.url, token=vault.token)


def test_mounts(client):
    client.sys.enable_secrets_engine("kv", path="op/kv", options={"version": "2"}, description="d")
    with pytest.raises(exceptions.InvalidRequest, match="path is already in use at op/kv/"):
        client.sys.enable_secrets_engine("kv", path="op/kv")
    client.secrets.kv.v2.create_or_update_secret("a", secret={"k": "v"}, mount_point="op/kv")
    client.sys.tune_mount_configuration("op/kv", default_lease_ttl="1h", max_lease_ttl="2h", description="new")
    tuned = client.sys.read_mount_configuration("op/kv")["data"]
    assert (tuned["default_lease_ttl"], tuned["max_lease_ttl"], tuned["description"]) == (3600, 7200, "new")
    moved = client.sys.move_backend("op/kv", "op/moved")
    status = client.adapter.get(f"/v1/sys/remount/status/{moved['data']['migration_id']}")["data"]
    assert status["migration_info"]["status"] == "success"
    read = client.secrets.kv.v2.read_secret_version("a", mount_point="op/moved", raise_on_deleted_version=True)
    assert read["data"]["data"] == {"k": "v"}
    mount = client.sys.list_mounted_secrets_engines()["data"]["op/moved/"]
    assert (mount["type"], mount["options"], mount["config"]["max_lease_ttl"]) == ("kv", {"version": "2"}, 7200)
    client.sys.disable_secrets_engine("op/moved")
    assert "op/moved/" not in client.sys.list_mounted_secrets_engines()["data"]
    assert "token/" in client.sys.list_auth_methods()["data"]
    client.sys.tune_auth_method("token", description="tuned")
    assert client.sys.read_auth_method_tuning("token")["data"]["description"] == "tuned"
    with pytest.raises(exceptions.InvalidRequest):
        client.sys.enable_auth_method("nothing")


def test_wrapping(vault, client):
    wrapped = client.auth.token.create(policies=["default"], ttl="1h", wrap_ttl="60s")
    info = wrapped["wrap_info"]
    assert wrapped["auth"] is None and info["creation_path"] == "auth/token/create" and info["ttl"] == 60
    receiver = hvac.Client(url=vault.url, token=info["token"])
    auth = receiver.sys.unwrap()["auth"]
    assert auth["accessor"] == info["wrapped_accessor"]
    with pytest.raises(exceptions.InvalidRequest, match="wrapping token is not valid or does not exist"):
        receiver.sys.unwrap()
    wrapped = client.sys.wrap(payload={"a": 1}, ttl=60)["wrap_info"]["token"]
    assert client.sys.unwrap(wrapped)["data"] == {"a": 1}
    with pytest.raises(exceptions.InvalidRequest):
        client.sys.unwrap(wrapped)


def test_leases(client):
    token = client.auth.token.create(policies=["default"], ttl="1h", type="service")["auth"]["client_token"]
    names = client.sys.list_leases("auth/token/create")["data"]["keys"]
    ids = [f"auth/token/create/{name}" for name in names]
    renewable = next(lease for lease in ids if client.sys.read_lease(lease)["data"]["renewable"])
    assert client.sys.read_lease(renewable)["data"]["ttl"] > 0
    renewed = client.sys.renew_lease(renewable, increment=7200)
    assert (renewed["lease_id"], renewed["renewable"], renewed["data"]) == (renewable, True, None)
    client.sys.revoke_lease(renewable)
    with pytest.raises(exceptions.InvalidRequest, match="invalid lease"):
        client.sys.read_lease(renewable)
    client.sys.revoke_prefix("auth/token/create")
    with pytest.raises(exceptions.Forbidden):
        hvac.Client(url=client.url, token=token).auth.token.lookup_self()
    with pytest.raises(exceptions.InvalidPath):
        client.sys.list_leases("auth/token/create")
    listed = client.adapter.get("/v1/sys/leases")["data"]["leases"]
    assert not [lease for lease in listed if lease["lease_id"].startswith("auth/token/create/")]


def test_audit(client):
    devices = client.sys.list_enabled_audit_devices()["data"]
    assert devices["store/"]["type"] == "store"
    with pytest.raises(exceptions.InvalidRequest, match="configuration"):
        client.sys.enable_audit_device("file", options={"file_path": "x"}, path="x")
    hashed = client.sys.calculate_hash("store", "hunter2")["data"]["hash"]
    assert hashed.startswith("hmac-sha256:")
