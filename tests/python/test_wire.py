"""Wire rules that clients rely on and no client tests: verbs, headers, bodies, statuses."""

import http.client
import json

import pytest
import requests

ENVELOPE = {"request_id", "lease_id", "renewable", "lease_duration", "data", "wrap_info", "warnings", "auth"}
BARE = ["sys/init", "sys/seal-status", "sys/health", "sys/leader"]


@pytest.fixture(scope="module", autouse=True)
def some(vault):
    """A secret with two versions, the first deleted."""
    for number in (1, 2):
        vault.ask("POST", "secret/data/wire/some", json={"data": {"n": number}})
    vault.ask("POST", "secret/delete/wire/some", json={"versions": ["1"]})


def test_envelope(vault):
    answer = vault.ask("GET", "secret/data/wire/some")
    body = answer.json()
    assert ENVELOPE <= set(body) <= ENVELOPE | {"mount_type"}
    assert isinstance(body["request_id"], str) and body["lease_id"] == "" and body["auth"] is None
    assert answer.headers["Content-Type"] == "application/json" and answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", BARE)
def test_lifecycle_replies_are_bare(vault, path):
    body = vault.ask("GET", path, token="").json()
    assert "request_id" not in body and "data" not in body


@pytest.mark.parametrize("path", ["sys/mounts", "sys/key-status"])
def test_legacy_replies_are_double(vault, path):
    body = vault.ask("GET", path).json()
    assert body["data"] and all(body[name] == value for name, value in body["data"].items())


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("LIST", "secret/metadata/wire"),
        ("LIST", "secret/metadata/wire/"),
        ("GET", "secret/metadata/wire?list=true"),
        ("GET", "secret/metadata/wire/?list=true"),
        ("GET", "secret/metadata/wire?list=1"),
    ],
)
def test_every_way_to_list(vault, method, path):
    answer = vault.ask(method, path)
    assert (answer.status_code, answer.json()["data"]) == (200, {"keys": ["some"]})


@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_put_is_post(vault, method):
    assert vault.ask(method, "secret/data/wire/verb", json={"data": {"k": "v"}}).status_code == 200


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (None, '{"data": {"k": "v"}}'),
        ("application/x-www-form-urlencoded", '{"data": {"k": "v"}}'),
        ("text/plain", '  {"data": {"k": "v"}}'),
        ("application/json", '{"data": {"k": "v"}}'),
    ],
)
def test_json_is_json_whatever_the_content_type(vault, content_type, body):
    # requests adds no Content-Type to bytes.
    headers = {"Content-Type": content_type} if content_type else {}
    assert vault.ask("POST", "secret/data/wire/type", headers=headers, data=body.encode()).status_code == 200


def test_a_form_is_parsed(vault):
    answer = vault.ask("POST", "auth/token/create", data={"policies": "default", "ttl": "5m"})
    assert answer.status_code == 200 and answer.json()["auth"]["policies"] == ["default"]


@pytest.mark.parametrize("ttl", [90, "90", "90s", "1m30s"])
def test_every_way_to_say_a_duration(vault, ttl):
    assert vault.ask("POST", "auth/token/create", json={"ttl": ttl}).json()["auth"]["lease_duration"] == 90


@pytest.mark.parametrize("versions", [[2], ["2"], "2", 2])
def test_lenient_lists(vault, versions):
    vault.ask("POST", "secret/undelete/wire/some", json={"versions": versions})
    assert vault.ask("POST", "secret/undelete/wire/some", json={"versions": versions}).status_code == 204


def test_unknown_fields_are_a_warning(vault):
    answer = vault.ask("POST", "auth/token/create", json={"colour": "blue"})
    assert answer.status_code == 200 and any("colour" in warning for warning in answer.json()["warnings"])


@pytest.mark.parametrize("fields", [{"pgp_keys": ["x"], "secret_shares": 1, "secret_threshold": 1}])
def test_protection_we_lack_is_refused(vault, fields):
    assert vault.ask("PUT", "sys/init", token="", json=fields).status_code == 400


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"X-Vault-Token": "{token}"}, 200),
        ({"Authorization": "Bearer {token}"}, 200),
        ({"Authorization": "Basic {token}"}, 403),
        ({"X-Vault-Token": "shs.nonsense"}, 403),
        ({}, 403),
        ({"X-Vault-Token": "{token}", "X-Vault-Request": "true", "X-Vault-Index": "x"}, 200),
        ({"X-Vault-Token": "{token}", "X-Vault-Namespace": "nobody"}, 404),
        ({"X-Vault-Token": "{token}", "X-Vault-Wrap-TTL": "soon"}, 400),
    ],
)
def test_headers(vault, headers, status):
    headers = {name: value.format(token=vault.token) for name, value in headers.items()}
    answer = vault.ask("GET", "secret/data/wire/some", token="", headers=headers)
    assert answer.status_code == status, answer.text


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "errors"),
    [
        ("GET", "secret/data/wire/none", None, 404, []),
        ("LIST", "secret/metadata/wire/none", None, 404, []),
        ("GET", "secret/data/wire/some?version=9", None, 404, []),
        ("GET", "nowhere/at/all", None, 404, ["no handler for route"]),
        ("POST", "secret/data/wire/x", "{", 400, ["JSON"]),
        ("POST", "secret/data/wire/x", "[1]", 400, None),
        ("POST", "secret/data/wire/x", "{}", 400, ["data"]),
        ("POST", "secret/data/wire/some", '{"data": {}, "options": {"cas": 9}}', 400, ["check-and-set"]),
        ("DELETE", "sys/seal-status", None, 405, ["unsupported operation"]),
        ("PUT", "sys/init", '{"secret_shares": 1, "secret_threshold": 1}', 400, ["Vault is already initialized"]),
        ("PUT", "sys/unseal", "{}", 400, None),
        ("GET", "secret/data/../../sys/mounts", None, None, None),
    ],
)
def test_refusals(vault, method, path, body, status, errors):
    connection = http.client.HTTPConnection(vault.url.removeprefix("http://"), timeout=30)
    connection.request(method, f"/v1/{path}", body, {"X-Vault-Token": vault.token})
    answer = connection.getresponse()
    said = json.loads(answer.read())
    assert status in (answer.status, None) and 400 <= answer.status < 500
    assert answer.headers["Content-Type"] == "application/json"
    assert list(said) == ["errors"]
    assert errors is None or len(said["errors"]) == len(errors)
    assert all(part in said["errors"][index] for index, part in enumerate(errors or []))


def test_patch_needs_its_media_type(vault):
    body, path = b'{"data": {"k": "w"}}', "secret/data/wire/some"
    assert vault.ask("PATCH", path, data=body, headers={"Content-Type": "application/json"}).status_code == 415
    merge = {"Content-Type": "application/merge-patch+json"}
    assert vault.ask("PATCH", path, data=body, headers=merge).status_code == 200


def test_a_deleted_version_shows_its_metadata_under_404(vault):
    answer = vault.ask("GET", "secret/data/wire/some?version=1")
    data = answer.json()["data"]
    assert (answer.status_code, data["data"], data["metadata"]["version"]) == (404, None, 1)
    assert data["metadata"]["deletion_time"] and data["metadata"]["destroyed"] is False


def test_a_write_without_output_is_204(vault):
    answer = vault.ask("POST", "secret/metadata/wire/some", json={"max_versions": 7})
    assert (answer.status_code, answer.content, answer.headers["Content-Type"]) == (204, b"", "application/json")


def test_a_body_too_large_is_413(vault):
    answer = vault.ask("POST", "secret/data/wire/big", data=b'{"data": "' + b"x" * (32 * 1024 * 1024) + b'"}')
    assert answer.status_code == 413 and answer.json()["errors"]


@pytest.mark.parametrize(("query", "status"), [("", 200), ("?activecode=299", 299), ("?sealedcode=299", 200)])
def test_health_codes(vault, query, status):
    for method in ("GET", "HEAD"):
        assert vault.ask(method, f"sys/health{query}", token="").status_code == status


def test_what_strict_clients_need(vault):
    health = vault.ask("GET", "sys/health", token="").json()
    needed = {"performance_standby", "replication_performance_mode", "replication_dr_mode", "server_time_utc", "version"}
    assert needed <= set(health)
    state = vault.ask("GET", "sys/seal-status", token="").json()
    assert {"type", "initialized", "sealed", "t", "n", "progress", "nonce", "version"} <= set(state)
    mount = vault.ask("GET", "sys/internal/ui/mounts/secret/data/x").json()["data"]
    assert (mount["path"], mount["type"], mount["options"]["version"]) == ("secret/", "kv", "2")
    assert {"ha_enabled", "is_self", "leader_address"} <= set(vault.ask("GET", "sys/leader", token="").json())


def test_help(vault):
    assert "help" in vault.ask("GET", "secret/data/x?help=1").json()


@pytest.mark.parametrize("path", ["metrics", "v1/sys/health/ready", "v1/sys/health/live", "openapi.json"])
def test_pages(vault, path):
    answer = requests.get(f"{vault.url}/{path}", headers={"X-Vault-Token": vault.token}, timeout=30)
    assert answer.status_code == 200, answer.text


def test_each_request_has_its_record(vault):
    request_id = vault.ask("GET", "secret/data/wire/some").json()["request_id"]
    (row,) = vault.server.audit("request_id = ?", request_id)
    assert (row["operation"], row["path"], row["status"], row["mount"]) == ("read", "secret/data/wire/some", "success", "secret/")
    vault.ask("GET", "secret/data/wire/some", token="shs.wrong")
    assert vault.server.audit("path = ? AND status = 'failure'", "secret/data/wire/some"), "a denial is recorded too"
