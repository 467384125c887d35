"""The files for containers: they parse, their linters find nothing, and what they name exists. No container is run."""

import pathlib
import re
import subprocess
import sys

import pytest
import yaml

from server import ROOT, binary

STACK = ROOT / "stack.yml"
COMPOSE = sorted((ROOT / "infrastructure/compose").glob("*.yml"))
FILES = [STACK, *COMPOSE]
TOOLS = pathlib.Path(sys.executable).parent
# Settings of the images of others.
FOREIGN = re.compile("^(MONGO_INITDB|POSTGRES)_")


def services(file: pathlib.Path, image: str = "") -> dict:
    """Services of a file, all or those on our own image."""
    found = yaml.safe_load(file.read_text())["services"]
    return {name: service for name, service in found.items() if service["image"].startswith(image)}


def test_linters_find_nothing():
    rules = "{extends: default, rules: {line-length: {max: 140}, document-start: disable, octal-values: disable}}"
    for lint in ([TOOLS / "yamllint", "--strict", "-d", rules, *FILES], [TOOLS / "hadolint", ROOT / "Dockerfile"]):
        ran = subprocess.run(lint, capture_output=True, text=True, timeout=60, check=False)
        assert (ran.returncode, ran.stdout + ran.stderr) == (0, "")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_what_is_named_exists(file):
    whole = yaml.safe_load(file.read_text())
    settings = (ROOT / "docs/configure.md").read_text() + (ROOT / "docs/cli.md").read_text()
    for name, service in services(file).items():
        for variable, value in service.get("environment", {}).items():
            assert FOREIGN.match(variable) or f"`{variable}`" in settings, f"{name}: {variable}"
            assert "PASSWORD" not in variable or variable.endswith("_FILE"), f"{name}: {variable} is no secret"
            if variable.endswith("_FILE"):
                assert value.removeprefix("/run/secrets/") in whole["secrets"], f"{name}: {value}"
        for secret in service.get("secrets", []):
            secret = secret if isinstance(secret, str) else secret["source"]
            assert secret in whole["secrets"], f"{name}: {secret}"
    for secret in whole["secrets"].values():
        assert secret.get("external") or secret["file"].startswith("secrets/")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_our_servers_are_started_as_the_binary_takes_it(file):
    ours = services(file, "secrethub:")
    assert ours
    for service in ours.values():
        for command in (service["command"], service.get("healthcheck", {}).get("test", [])[2:]):
            flags = [word for word in command if word.startswith("--")]
            said = subprocess.run([binary(), *command[:1], "--help"], capture_output=True, text=True, timeout=60, check=True)
            assert all(flag in said.stdout for flag in flags), command


def test_the_stack_is_what_the_first_seed_draws():
    whole = yaml.safe_load(STACK.read_text())
    api, mongodb = whole["services"]["api"], whole["services"]["mongodb"]
    assert api["deploy"]["replicas"] == 2 and api["ports"] == ["8000:8000"] and api["healthcheck"]
    assert mongodb["deploy"]["placement"]["constraints"] == ["node.role == manager"]
    assert "--replSet" in mongodb["command"] and mongodb["healthcheck"]
    assert whole["networks"]["vault_net"] == {"driver": "overlay", "driver_opts": {"encrypted": "true"}}
    assert all(secret == {"external": True} for secret in whole["secrets"].values())


def test_the_image_holds_no_secret_and_no_root():
    lines = (ROOT / "Dockerfile").read_text()
    assert re.search("^USER 10001", lines, re.M) and "HEALTHCHECK" in lines
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert {".env", "*.db", "target", ".git"} <= set(ignored)
