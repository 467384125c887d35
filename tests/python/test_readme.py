"""The README's own lines, run as they stand: in a fresh home, a fresh folder, and a network and process space of their own."""

import os
import re
import shutil
import subprocess

import pytest

from server import ROOT, binary

BLOCK = re.compile(r"^```sh ci(?: background=(\d+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# Ends when the port answers; the server's first start is the slow one.
WAIT = """
for _ in $(seq 600); do (exec 3<>/dev/tcp/127.0.0.1/{port}) 2>/dev/null && break; sleep 0.1; done
"""


def walk() -> str:
    """One shell script of all marked blocks; each says where it begins, so that its output can be found."""
    script = ["set -euo pipefail", "ip link set lo up"]
    for number, (port, block) in enumerate(BLOCK.findall((ROOT / "README.md").read_text())):
        script.append(f"echo; echo '== block {number}'")
        script.append(f"({block.strip()}) </dev/null >server.{number}.log 2>&1 &" + WAIT.format(port=port) if port else block)
    script.append("echo; echo '== end'")
    return "\n".join(script)


def expected() -> list[tuple[int, list[str]]]:
    """What each block says it prints, in `#> ` lines."""
    blocks = enumerate(BLOCK.findall((ROOT / "README.md").read_text()))
    return [(number, re.findall(r"^#> (.*)$", block, re.MULTILINE)) for number, (_, block) in blocks]


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    """What the walk printed, by block."""
    clone = tmp_path_factory.mktemp("clone")
    shutil.copytree(ROOT / "scripts", clone / "scripts")
    shutil.copy(ROOT / ".env.example", clone)
    home = tmp_path_factory.mktemp("home")
    env = {"PATH": os.environ["PATH"], "HOME": str(home), "SECRETHUB_BIN": str(binary())}
    alone = ["unshare", "--map-root-user", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
    ran = subprocess.run(
        [*alone, "bash", "-c", walk()], cwd=clone, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False
    )
    logs = "".join(f"\n-- {log.name}\n{log.read_text()}" for log in sorted(clone.glob("server.*.log")))
    assert ran.returncode == 0, f"{ran.stdout}\n{ran.stderr}{logs}"
    return dict(re.findall(r"^== block (\d+)\n(.*?)(?=^== )", ran.stdout, re.MULTILINE | re.DOTALL))


def test_the_walk_has_its_blocks():
    assert len(expected()) >= 8 and sum(len(lines) for _, lines in expected()) >= 5


@pytest.mark.parametrize(("number", "lines"), expected())
def test_a_block_prints_what_it_says(output, number, lines):
    printed = output[str(number)]
    assert [line for line in lines if line not in printed] == [], printed
