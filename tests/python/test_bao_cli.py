"""The unmodified `bao` command line does the same against our server as against its own, or the list says why not."""

from concurrent import futures

import pytest

import bao

SAME_MIN = 70
COMMANDS = bao.commands()
POLICY = 'path "secret/data/app" { capabilities = ["read"] }\n'


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """What came of each command: on OpenBao's own server, and on ours. They run in the list's order."""
    servers = bao.peers(tmp_path_factory.mktemp("bao"))
    try:
        for server in servers:
            (server.folder / "mine.hcl").write_text(POLICY)
            for on in ("dev", "fresh"):
                server.start(on)
        with futures.ThreadPoolExecutor() as both:
            yield list(zip(*both.map(lambda server: [server.run(command) for command in COMMANDS], servers), strict=True))
    finally:
        for server in servers:
            server.stop()


def test_the_list_is_whole():
    listed = [command for command in COMMANDS if not command.differs]
    assert len(COMMANDS) == 79 and len(listed) >= SAME_MIN, f"{len(listed)} of {len(COMMANDS)} are the same"
    assert all(bool(command.differs) == bool(command.issue) for command in COMMANDS), "an exception names its issue"


@pytest.mark.parametrize(("number", "command"), list(enumerate(COMMANDS)), ids=[f"{command.on} {command.args}" for command in COMMANDS])
def test_command(outcomes, number, command):
    theirs, ours = outcomes[number]
    if command.differs:
        assert not theirs.same(ours), "they are the same by now: take the exception off the list"
    else:
        assert (theirs.code, theirs.keys) == (ours.code, ours.keys), f"\ntheirs: {theirs}\nours: {ours}"
