"""The package as a type checker sees it, and its two halves."""

import os
import subprocess
import sys

import pytest
import secrethub

from server import ROOT

PACKAGE = ROOT / "vault-py"
USES = '''
import secrethub

def use(vault: secrethub.Vault, client: secrethub.Client) -> str:
    for door in (vault, client):
        found = door.kv("team").get("app", version=1)
        text: str = found["password"].reveal()
        names: list[str] = list(found)
        number: int = found.version.number
    return text

async def wait(vault: secrethub.AsyncVault) -> secrethub.Secret:
    async for record in vault.audit.search(limit=1):
        print(record["path"])
    return (await vault.kv().get("app"))["password"]
'''
MISUSES = '''
import secrethub

def use(vault: secrethub.Vault, secret: secrethub.Secret) -> None:
    a: str = secret
    b: int = vault.kv().get("app")["password"].reveal()
    vault.kv().get(7)
    vault.nothing()
'''


def check(*args: object) -> subprocess.CompletedProcess:
    """mypy with the package's settings, and a cache beside the other things that are made."""
    cache = ROOT / os.environ.get("CARGO_TARGET_DIR", "target") / "mypy_cache"
    command = [sys.executable, "-m", *map(str, args)]
    return subprocess.run(command, cwd=PACKAGE, capture_output=True, text=True, timeout=300, env=os.environ | {"MYPY_CACHE_DIR": str(cache)})


def test_the_package_and_its_examples_are_strictly_typed():
    ran = check("mypy", "--strict", PACKAGE / "python/secrethub")
    assert ran.returncode == 0, ran.stdout
    ran = check("mypy", "--strict", *sorted((PACKAGE / "examples").glob("*.py")))
    assert ran.returncode == 0, ran.stdout


def test_the_stubs_say_what_the_native_half_is():
    ran = check("mypy.stubtest", "secrethub._native")
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize(("text", "errors"), [(USES, 0), (MISUSES, 4)])
def test_a_user_is_checked(tmp_path, text, errors):
    (tmp_path / "uses.py").write_text(text)
    ran = check("mypy", "--strict", tmp_path / "uses.py")
    assert ran.stdout.count(" error: ") == errors, ran.stdout


def test_the_twins_are_twins():
    ran = subprocess.run([sys.executable, PACKAGE / "twins.py", "--check"], capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stdout


def test_all_that_is_public_is_described():
    public = [getattr(secrethub, name) for name in secrethub.__all__]
    bare = [one.__name__ for one in public if isinstance(one, type) and not (one.__doc__ or "").strip()]
    for one in (one for one in public if isinstance(one, type)):
        bare += [f"{one.__name__}.{name}" for name, value in vars(one).items() if callable(value) and name[0] != "_" and not value.__doc__]
    assert bare == []
