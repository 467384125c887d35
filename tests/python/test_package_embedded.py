"""The Python package over every store: a vault in this process, and both of its twins."""

import asyncio
import re
import time

import pytest
import secrethub

from databases import Mongo, Postgres
from server import ROOT, Server, Vault, make_key


@pytest.fixture(params=["memory", "sqlite", "postgres", "mongo"])
def url(request, tmp_path):
    """Each store, empty."""
    if request.param == "memory":
        yield "memory:"
    elif request.param == "sqlite":
        yield f"sqlite://{tmp_path}/vault.db"
    else:
        database = Postgres() if request.param == "postgres" else Mongo()
        yield database.url
        database.stop()


@pytest.fixture()
def vault():
    """An unsealed vault in memory, used as root."""
    with secrethub.Vault.open("memory:") as opened:
        begin(opened)
        yield opened


def begin(vault: secrethub.Vault, **fields) -> secrethub.InitKeys:
    """Initialises, unseals, and goes on as root."""
    keys = vault.init(**fields)
    assert vault.unseal(*keys.shares).sealed is False
    vault.token = keys.root_token
    return keys


def test_a_life_on_every_store(url):
    with secrethub.Vault.open(url) as vault:
        assert vault.seal_status().initialized is False
        keys = begin(vault, shares=3, threshold=2)
        assert len(keys.shares) == 3
        vault.kv().put("app", password="correct horse", port=5432, nested={"list": [1, 2.5, None, True]})
        secret_id = vault.secrets.create(b"\x00\xff")
        vault.seal()
        with pytest.raises(secrethub.Sealed):
            vault.kv().get("app")
        assert vault.unseal(keys.shares[0]).progress == 1
        assert vault.unseal(keys.shares[2]).sealed is False
        assert vault.kv().get("app").reveal() == {"password": "correct horse", "port": 5432, "nested": {"list": [1, 2.5, None, True]}}
    if url != "memory:":
        with secrethub.Vault.open(url, token=keys.root_token) as vault:
            assert vault.seal_status().sealed is True
            vault.unseal(*keys.shares)
            assert vault.kv().get("app")["password"].reveal() == "correct horse"
            assert vault.secrets.fetch(secret_id).reveal_bytes() == b"\x00\xff"
            assert vault.audit.verify()["verified"] is True


def test_the_asynchronous_twin_on_every_store(url):
    async def walk():
        async with await secrethub.AsyncVault.open(url) as vault:
            keys = await vault.init(shares=1)
            await vault.unseal(*keys.shares)
            vault.token = keys.root_token
            await asyncio.gather(*(vault.kv().put(f"many/{number}", n=number) for number in range(20)))
            found = await asyncio.gather(*(vault.kv().get(f"many/{number}") for number in range(20)))
            assert [one.reveal() for one in found] == [{"n": number} for number in range(20)]
            assert len(await vault.kv().list("many")) == 20
            secret_id = await vault.secrets.create("text")
            assert (await vault.secrets.fetch(secret_id)).reveal_bytes() == b"text"
            records = [record async for record in vault.audit.search(path="secret/data/many", limit=7)]
            assert len(records) == 40
            assert (await vault.audit.verify())["verified"] is True

    asyncio.run(walk())


def test_versions(vault):
    kv = vault.kv()
    assert kv.put("a", {"any name": "1"}, cas=0).number == 1
    with pytest.raises(secrethub.Invalid, match="check-and-set"):
        kv.put("a", cas=7, x="2")
    assert kv.patch("a", x="2").number == 2
    assert kv.get("a").reveal() == {"any name": "1", "x": "2"}
    assert kv.get("a", version=1).reveal() == {"any name": "1"}
    kv.delete("a")
    with pytest.raises(secrethub.NotFound) as gone:
        kv.get("a")
    assert gone.value.reply.data["metadata"]["deletion_time"]
    kv.undelete("a", 2)
    assert kv.get("a").version.number == 2
    kv.destroy("a", 1)
    kv.put_metadata("a", max_versions=3, custom_metadata={"owner": "me"})
    known = kv.metadata("a")
    assert (known.current, known.max_versions, known.custom) == (2, 3, {"owner": "me"})
    assert known.versions[1].destroyed and not known.versions[2].destroyed
    assert kv.list() == ["a"] and kv.list("a/b") == []
    kv.delete_all("a")
    with pytest.raises(secrethub.NotFound, match="not there"):
        kv.metadata("a")


def test_tokens_and_denials(vault):
    made = vault.tokens.create(policies=["default"], ttl="1h", meta={"who": "me"})
    assert (made.policies, made.renewable, 3500 < made.lives <= 3600) == (["default"], True, True)
    theirs = vault.with_token(made.token)
    with pytest.raises(secrethub.Denied) as denied:
        theirs.kv().get("app")
    assert type(denied.value) is secrethub.Denied
    rows = list(vault.audit.search(request_id=denied.value.request_id))
    assert [(row["path"], row["status"]) for row in rows] == [("secret/data/app", "failure")]
    assert theirs.tokens.lookup().accessor == made.accessor
    assert "id" not in vault.tokens.lookup(made.token).fields
    assert theirs.tokens.renew_self("2h").lives > 3600
    vault.tokens.revoke(made.token)
    with pytest.raises(secrethub.Unauthenticated):
        theirs.tokens.lookup()
    with pytest.raises(secrethub.Denied):
        vault.with_token(None).kv().get("app")
    assert vault.token is not None, "the other handle has its own"


def test_written_policies(vault):
    vault.policies.put("reader", 'path "secret/data/app" { capabilities = ["read"] }')
    assert "reader" in vault.policies.list() and "secret/data/app" in vault.policies.get("reader")
    vault.kv().put("app", a="b")
    reader = vault.with_token(vault.tokens.create(policies=["reader"]).token)
    assert reader.kv().get("app").reveal() == {"a": "b"}
    for refused in (lambda: reader.kv().put("app", a="c"), lambda: reader.kv().get("other"), lambda: reader.policies.put("mine", "")):
        with pytest.raises(secrethub.Denied):
            refused()
    with pytest.raises(secrethub.Invalid):
        vault.policies.put("broken", "path {")
    vault.policies.delete("reader")
    with pytest.raises(secrethub.Denied):
        reader.kv().get("app")


def test_generic_requests(vault):
    vault.write("sys/mounts/team", {"type": "kv", "options": {"version": "1"}})
    vault.write("team/a", password=secrethub.Secret("s3cret"), tags=("x", "y"))
    reply = vault.read("team/a")
    assert reply.data == {"password": "s3cret", "tags": ["x", "y"]} and "s3cret" not in repr(reply)
    assert reply.secret("data", "tags", 1).reveal() == "y" and reply.value("data", "none") is None
    assert vault.list("team") == ["a"]
    vault.delete("team/a")
    with pytest.raises(secrethub.NotFound):
        vault.read("team/a")
    with pytest.raises(secrethub.Unsupported):
        vault.patch("sys/seal-status", x=1)


@pytest.mark.parametrize("value", [object(), {1: "a"}, float("nan"), 2**64, b"raw", {"s": secrethub.Secret(b"raw")}])
def test_what_is_no_json_is_refused_and_not_shown(vault, value):
    with pytest.raises((TypeError, ValueError)) as refused:
        vault.kv().put("a", value=value)
    assert "raw" not in str(refused.value)


def test_too_deep_is_refused(vault):
    deep: list = []
    for _ in range(10_000):
        deep = [deep]
    with pytest.raises(ValueError, match="nested deeper"):
        vault.kv().put("a", value=deep)


def test_exceptions_are_the_kinds_of_the_core():
    text = (ROOT / "vault-core/src/error.rs").read_text()
    body = text[text.index("pub enum ErrorKind {") : text.index("/// A failure, typed")]
    kinds = re.findall(r"^    ([A-Z]\w+)(?: \{|,)$", body, re.MULTILINE)
    assert len(kinds) >= 14
    for kind in kinds:
        assert issubclass(getattr(secrethub, kind), secrethub.Error), kind
        assert type(secrethub.errors._make(kind, ["m"], None, None, None, None, None)).__name__ == kind
    unknown = secrethub.errors._make("Surprise", [], None, None, None, None, "cause: x")
    assert type(unknown) is secrethub.Internal and unknown.__notes__ == ["cause: x"]


def test_a_master_key_and_a_passphrase(tmp_path):
    key, file = make_key(), tmp_path / "master.key"
    file.write_text(key + "\n")
    for seal, share in [(secrethub.MasterKey.from_file(file), key), (secrethub.Passphrase("a long enough passphrase"), "a long enough passphrase")]:
        url = f"sqlite://{tmp_path}/{seal.__class__.__name__}.db"
        with secrethub.Vault.open(url, seal=seal) as vault:
            assert vault.seal_status().sealed is False
            vault.token = vault.generate_root(share)
            vault.kv().put("a", b="c")
            with pytest.raises(secrethub.Invalid):
                vault.generate_root("not it, but as long as such a thing is")
            token = vault.token
        with secrethub.Vault.open(url, seal=seal, token=token) as vault:
            assert vault.kv().get("a")["b"].reveal() == "c"
        assert share not in repr(seal)
    with pytest.raises(secrethub.Invalid):
        secrethub.MasterKey("short")
        secrethub.Vault.open("memory:", seal=secrethub.MasterKey("short"))


def test_a_typed_passphrase():
    with secrethub.Vault.open("memory:", seal=secrethub.Passphrase()) as vault:
        keys = vault.init(passphrase=secrethub.Secret("a long enough passphrase"))
        assert keys.shares == [] and vault.unseal("a long enough passphrase").sealed is False


def test_the_first_seeds_interface(vault):
    with pytest.raises(secrethub.Denied):
        vault.with_token(None).secrets.create("x")
    with secrethub.Vault.open("memory:", seal=secrethub.MasterKey(make_key()), secret_manager="open") as opened:
        secret_id = opened.secrets.create(secrethub.Secret("x"))
        assert opened.secrets.fetch(secret_id).reveal_bytes() == b"x"
        with pytest.raises(secrethub.NotFound, match="Secret not found"):
            opened.secrets.fetch("550e8400-e29b-41d4-a716-446655440000")
    with pytest.raises(secrethub.Invalid, match="secret_manager"):
        secrethub.Vault.open("memory:", secret_manager="everybody")


@pytest.mark.parametrize(("url", "kind", "words"), [
    ("redis://x", secrethub.Invalid, "names no store"),
    ("sqlite:", secrethub.Invalid, "needs a path"),
    ("postgres://me:hunter2@127.0.0.1:1/x", secrethub.Unreachable, "127.0.0.1:1"),
])
def test_a_store_that_does_not_open(url, kind, words):
    with pytest.raises(kind, match=words) as refused:
        secrethub.Vault.open(url)
    assert "hunter2" not in "".join([str(refused.value), *getattr(refused.value, "__notes__", [])])

    async def open_async():
        with pytest.raises(kind, match=words):
            await secrethub.AsyncVault.open(url)

    asyncio.run(open_async())


def test_a_file_that_a_server_holds_names_the_client(tmp_path):
    with Server(tmp_path) as server:
        with pytest.raises(secrethub.InUse, match=r"secrethub\.Client") as refused:
            secrethub.Vault.open(f"sqlite://{server.store}")
        assert str(server.process.pid) in str(refused.value)
        with secrethub.Client(server.url) as client:
            assert client.seal_status().sealed is True


def test_what_is_closed_stays_closed(tmp_path):
    vault = secrethub.Vault.open(f"sqlite://{tmp_path}/vault.db")
    vault.close()
    vault.close()
    for use in (vault.seal_status, lambda: vault.kv().get("a"), lambda: vault.with_token("x").kv().get("a")):
        with pytest.raises(secrethub.Closed):
            use()
    secrethub.Vault.open(f"sqlite://{tmp_path}/vault.db").close()


def test_jobs_run_while_it_is_open(vault):
    """One of them sweeps a token that has ended, and leaves a record."""
    vault.tokens.create(policies=["default"], ttl="1s")
    deadline = time.monotonic() + 60
    while not list(vault.audit.search(actor="secrethub")):
        assert time.monotonic() < deadline, "no job has done anything"
        time.sleep(0.2)


def test_many_threads_use_one_vault(vault):
    from concurrent.futures import ThreadPoolExecutor

    def work(number: int) -> int:
        vault.kv().put(f"threads/{number}", n=number)
        return vault.kv().get(f"threads/{number}").reveal()["n"]

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(64))) == list(range(64))


def test_the_server_reads_what_the_library_wrote(tmp_path):
    with secrethub.Vault.open(f"sqlite://{tmp_path}/vault.db") as vault:
        keys = begin(vault, shares=1)
        vault.kv().put("shared", by="python")
    with Server(tmp_path) as server, secrethub.Client(server.url, token=keys.root_token) as client:
        client.unseal(*keys.shares)
        assert client.kv().get("shared").reveal() == {"by": "python"}
        assert Vault.ask(_as(server, keys), "GET", "secret/data/shared").json()["data"]["data"] == {"by": "python"}


def _as(server, keys):
    """The plain HTTP client of the other tests."""
    other = object.__new__(Vault)
    other.url, other.token = server.url, keys.root_token.reveal()
    return other
