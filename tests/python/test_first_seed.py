"""What the first seed's users see: every row of its interface, with the right answer where the original had a bug."""

import base64
import hashlib
import json
import re
import subprocess
import uuid

import pytest
import requests

from server import ROOT, Server, make_key

CREATE, FETCH = "/vault/secret/create/", "/vault/secret/fetch"
UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
MIB = 1024 * 1024


def post(server, path, **body):
    """One request, redirects not followed."""
    return requests.post(server.url + path, timeout=30, allow_redirects=False, **body)


def b64(value: bytes) -> str:
    """Standard base64."""
    return base64.b64encode(value).decode()


def create(server, value: bytes = b"my_secret") -> str:
    """Stores a secret; its id."""
    answer = post(server, CREATE, json={"secret": b64(value)})
    assert answer.status_code == 200, answer.text
    return answer.json()["secret_id"]


@pytest.mark.parametrize("value", [b"my_secret", b"", b"\x00\xff" * 500, b"x" * MIB], ids=["text", "empty", "binary", "1MiB"])
def test_round_trip(seed, value):
    answer = post(seed, CREATE, json={"secret": b64(value)})
    assert (answer.status_code, answer.headers["Content-Type"], list(answer.json())) == (200, "application/json", ["secret_id"])
    assert UUID4.fullmatch(answer.json()["secret_id"])
    answer = post(seed, FETCH, json={"secret_id": answer.json()["secret_id"]})
    assert (answer.status_code, answer.headers["Content-Type"], answer.json()) == (200, "application/json", {"secret": b64(value)})


@pytest.mark.parametrize(
    "secret",
    ["***", "Y Q==", "YQ==\n", "-_-_", "YQ", "YQ=", "YQ===", "YR==", "a", "Yé==", "秘密", "YQ==YQ=="],
    ids=["signs", "space", "newline", "urlsafe", "unpadded", "short", "long", "bits", "single", "latin", "cjk", "joined"],
)
def test_not_base64_is_400(seed, secret):
    answer = post(seed, CREATE, json={"secret": secret})
    assert answer.status_code == 400, answer.text
    assert list(answer.json()) == ["detail"] and answer.json()["detail"].startswith("invalid base64")


@pytest.mark.parametrize(
    ("path", "body", "kind", "loc"),
    [
        (CREATE, "{}", "missing", ["body", "secret"]),
        (CREATE, '{"secret": null}', "string_type", ["body", "secret"]),
        (CREATE, '{"secret": 73501}', "string_type", ["body", "secret"]),
        (CREATE, '{"secret": ["73501"]}', "string_type", ["body", "secret"]),
        (CREATE, '{"secret": 73501', "json_invalid", ["body"]),
        (CREATE, "73501", None, ["body"]),
        (CREATE, "", "missing", ["body"]),
        (FETCH, "{}", "missing", ["body", "secret_id"]),
        (FETCH, '{"secret_id": 73501}', None, ["body", "secret_id"]),
        (FETCH, '{"secret_id": "73501"}', "uuid_parsing", ["body", "secret_id"]),
        (FETCH, '{"secret_id": "550e8400-e29b-41d4-a716-44665544000g73501"}', "uuid_parsing", ["body", "secret_id"]),
        (FETCH, '{"secret_id": ""}', "uuid_parsing", ["body", "secret_id"]),
    ],
)
def test_wrong_shape_is_422_without_the_input(seed, path, body, kind, loc):
    answer = post(seed, path, data=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422, answer.text
    (item,) = answer.json()["detail"]
    assert item["loc"][: len(loc)] == loc and item["msg"]
    assert kind is None or item["type"] == kind
    assert "input" not in item and "73501" not in answer.text


def test_unknown_is_404(seed):
    answer = post(seed, FETCH, json={"secret_id": str(uuid.uuid4())})
    assert (answer.status_code, answer.json()) == (404, {"detail": "Secret not found"})


@pytest.mark.parametrize("spell", [str, str.upper, lambda i: i.replace("-", ""), "{{{}}}".format, "urn:uuid:{}".format])
def test_every_spelling_of_a_uuid_is_one_secret(seed, spell):
    answer = post(seed, FETCH, json={"secret_id": spell(create(seed))})
    assert (answer.status_code, answer.json()) == (200, {"secret": b64(b"my_secret")})


def test_other_fields_are_ignored(seed):
    assert post(seed, CREATE, json={"secret": "YQ==", "note": "x", "secret_id": 7}).status_code == 200


@pytest.mark.parametrize(("path", "goes_to"), [(CREATE.rstrip("/"), CREATE), (FETCH + "/", FETCH)])
def test_the_other_slash_is_307(seed, path, goes_to):
    answer = post(seed, path, json={"secret": "YQ=="})
    assert answer.status_code == 307 and answer.headers["Location"].endswith(goes_to)
    answer = requests.post(seed.url + CREATE.rstrip("/"), json={"secret": "YQ=="}, timeout=30)
    assert (answer.status_code, answer.request.url) == (200, seed.url + CREATE), "a redirect keeps method and body"


def test_too_large_is_413(seed):
    answer = post(seed, CREATE, json={"secret": b64(b"x" * (MIB + 1))})
    assert answer.status_code == 413 and list(answer.json()) == ["detail"]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_other_methods_are_405(seed, method):
    for path in (CREATE, FETCH):
        answer = requests.request(method, seed.url + path, timeout=30)
        assert answer.status_code == 405 and list(answer.json()) == ["detail"]


def test_docs_and_openapi(seed):
    page = requests.get(f"{seed.url}/docs", timeout=30, allow_redirects=False)
    assert (page.status_code, page.headers["Content-Type"].split(";")[0]) == (200, "text/html")
    paths = requests.get(f"{seed.url}/openapi.json", timeout=30).json()["paths"]
    assert "post" in paths[CREATE] and "post" in paths[FETCH]


def test_audited_under_the_promised_names(seed):
    secret_id = create(seed)
    post(seed, FETCH, json={"secret_id": secret_id}, headers={"X-Forwarded-For": "203.0.113.9"})
    rows = seed.audit("secret_id = ?", secret_id)
    assert [(row["operation"], row["status"]) for row in rows] == [("create", "success"), ("fetch", "success")]
    assert {row["client_ip"] for row in rows} == {"127.0.0.1"}, "X-Forwarded-For of a stranger is not believed"
    missing = str(uuid.uuid4())
    post(seed, FETCH, json={"secret_id": missing})
    assert [(row["operation"], row["status"]) for row in seed.audit("secret_id = ?", missing)] == [("fetch", "failure")]
    before = len(seed.audit("operation = 'create' AND status = 'failure'"))
    post(seed, CREATE, json={"secret": "***"})
    assert len(seed.audit("operation = 'create' AND status = 'failure'")) == before + 1


def test_no_value_is_written_in_the_clear(seed):
    canary = b"canary-" + hashlib.sha256(b"canary").hexdigest().encode()
    post(seed, FETCH, json={"secret_id": create(seed, canary)})
    files = [file for file in seed.folder.iterdir() if file.is_file()]
    assert seed.store in files
    for file in files:
        for spelling in (canary, base64.b64encode(canary), canary.hex().encode()):
            assert spelling not in file.read_bytes(), f"{file.name} holds the value"


def test_a_secret_outlives_kill_9(start):
    server = start(MASTER_KEY=make_key())
    secret_id = create(server, b"still there")
    server.kill()
    server.start()
    answer = post(server, FETCH, json={"secret_id": secret_id})
    assert (answer.status_code, answer.json()) == (200, {"secret": b64(b"still there")})


@pytest.mark.parametrize("key", ["k" * 32, b64(b"k" * 32)], ids=["raw", "base64"])
def test_master_key_is_raw_or_base64(start, key):
    server = start(MASTER_KEY=key)
    secret_id = create(server)
    server.kill()
    server.env = {"MASTER_KEY": b64(b"k" * 32)}
    server.start()
    assert post(server, FETCH, json={"secret_id": secret_id}).status_code == 200, "both spellings are one key"


def test_master_key_from_a_file(start, tmp_path):
    (tmp_path / "key").write_text(make_key() + "\n")
    create(start(MASTER_KEY_FILE=str(tmp_path / "key")))


@pytest.mark.parametrize("key", ["short", "k" * 31, "k" * 33, b64(b"k" * 31), "<<paste_32_byte_base64_here>>"])
def test_a_wrong_master_key_refuses_to_start(tmp_path, key):
    server = Server.__new__(Server)
    server.folder, server.port, server.store, server.args, server.env = tmp_path, 1, tmp_path / "vault.db", (), {"MASTER_KEY": key}
    assert server.spawn().wait(timeout=30) != 0
    assert "32 bytes" in server.log() and key not in server.log(), "it says what is wrong, not what it was given"


def test_another_master_key_does_not_unseal(start):
    server = start(MASTER_KEY=make_key())
    create(server)
    server.kill()
    server.env = {"MASTER_KEY": make_key()}
    process = server.spawn()
    try:
        process.wait(timeout=30)
    finally:
        process.kill()
    assert "MASTER_KEY" in server.log()


def script(name, *args, url, stdin=""):
    """Runs one of the scripts as its users do."""
    command = [ROOT / "scripts" / name, *args]
    env = {"PATH": "/usr/bin:/bin", "SECRET_MANAGER_URL": url}
    return subprocess.run(command, env=env, input=stdin, capture_output=True, text=True, timeout=60, check=False)


def test_scripts_create_and_fetch(seed):
    for args, stdin, value in [((), "", "cGFzc3dvcmQxMjM="), (("YQ==",), "", "YQ=="), (("-",), "Yg==", "Yg==")]:
        made = script("create_secret.sh", *args, url=seed.url, stdin=stdin)
        assert made.returncode == 0, made.stderr
        found = script("fetch_secret.sh", json.loads(made.stdout)["secret_id"], url=seed.url)
        assert (found.returncode, json.loads(found.stdout)) == (0, {"secret": value})


@pytest.mark.parametrize(
    ("name", "args", "code", "says"),
    [
        ("fetch_secret.sh", (), 1, "Usage:"),
        ("fetch_secret.sh", ("",), 1, "Usage:"),
        ("fetch_secret.sh", ("550e8400-e29b-41d4-a716-446655440000",), 22, "Secret not found"),
        ("fetch_secret.sh", ('x", "secret": "y',), 22, "uuid_parsing"),
        ("create_secret.sh", ('"', ), 22, "invalid base64"),
        ("create_secret.sh", ("a\\b\n",), 22, "invalid base64"),
    ],
)
def test_scripts_refuse_honestly(seed, name, args, code, says):
    ran = script(name, *args, url=seed.url)
    assert ran.returncode == code and says in ran.stdout + ran.stderr


def test_scripts_without_a_server():
    assert script("create_secret.sh", url="http://127.0.0.1:1").returncode == 7


def test_env_example_takes_the_readmes_sed(tmp_path, start):
    env = tmp_path / ".env"
    env.write_text((ROOT / ".env.example").read_text())
    subprocess.run(["sed", "-i", f"s|^MASTER_KEY=.*|MASTER_KEY={make_key()}|", env], check=True)
    create(start())
