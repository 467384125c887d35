"""Servers for the tests: the real binary, on a free port, in a folder of its own."""

import pytest

from server import Server, Vault, make_key


@pytest.fixture(scope="session")
def vault(tmp_path_factory):
    """An initialised, unsealed vault with its root token."""
    with Server(tmp_path_factory.mktemp("vault")) as server:
        yield Vault(server)


@pytest.fixture(scope="session")
def seed(tmp_path_factory):
    """A server as the first seed's users run it: a MASTER_KEY and nothing else."""
    with Server(tmp_path_factory.mktemp("seed"), MASTER_KEY=make_key()) as server:
        yield server


@pytest.fixture()
def start(tmp_path):
    """Starts servers that the test itself kills, restarts or reads the log of."""
    servers = []

    def begin(**env):
        servers.append(Server(tmp_path, **env))
        return servers[-1]

    yield begin
    for server in servers:
        server.kill()
