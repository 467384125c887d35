"""A page's own lines, run as they stand: in a fresh home, a fresh folder, and a network and process space of their own."""

import os
import pathlib
import re
import shutil
import subprocess

from server import ROOT, binary

BLOCK = re.compile(r"^```sh ci(?: background=(\d+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# Ends when the port answers; the server's first start is the slow one.
WAIT = """
for _ in $(seq 600); do (exec 3<>/dev/tcp/127.0.0.1/{port}) 2>/dev/null && break; sleep 0.1; done
"""


def blocks(page: str) -> list[tuple[str, str]]:
    """The marked blocks of a page: the port of a server that stays in the background, or nothing, and the lines."""
    return BLOCK.findall((ROOT / page).read_text())


def script(page: str) -> str:
    """One shell script of all marked blocks; each says where it begins, so that its output can be found."""
    lines = ["set -euo pipefail", "ip link set lo up"]
    for number, (port, block) in enumerate(blocks(page)):
        lines.append(f"echo; echo '== block {number}'")
        lines.append(f"({block.strip()}) </dev/null >server.{number}.log 2>&1 &" + WAIT.format(port=port) if port else block)
    lines.append("echo; echo '== end'")
    return "\n".join(lines)


def expected(page: str) -> list[tuple[int, list[str]]]:
    """What each block says it prints, in `#> ` lines."""
    return [(number, re.findall(r"^#> (.*)$", block, re.MULTILINE)) for number, (_, block) in enumerate(blocks(page))]


def run(page: str, folder: pathlib.Path, home: pathlib.Path) -> dict[str, str]:
    """What the walk printed, by block. The binary is called `secrethub` there."""
    shutil.copytree(ROOT / "scripts", folder / "scripts")
    shutil.copy(ROOT / ".env.example", folder)
    tools = home / "tools"
    tools.mkdir()
    (tools / "secrethub").symlink_to(binary())
    env = {"PATH": f"{tools}:{os.environ['PATH']}", "HOME": str(home), "SECRETHUB_BIN": str(binary())}
    alone = ["unshare", "--map-root-user", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
    ran = subprocess.run(
        [*alone, "bash", "-c", script(page)], cwd=folder, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False
    )
    logs = "".join(f"\n-- {log.name}\n{log.read_text()}" for log in sorted(folder.glob("server.*.log")))
    assert ran.returncode == 0, f"{ran.stdout}\n{ran.stderr}{logs}"
    return dict(re.findall(r"^== block (\d+)\n(.*?)(?=^== )", ran.stdout, re.MULTILINE | re.DOTALL))
