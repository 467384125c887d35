"""Private database servers for the tests, gone with whoever started them: PostgreSQL, and the stand-in for MongoDB."""

import os
import shutil
import socket
import subprocess
import sysconfig
import time

from server import START_MAX, free_port

# It lives as long as its standard input is open, so the server does not outlive the tests, however they end.
# initdb refuses to run as root, so root becomes `postgres` first.
POSTGRES = r"""
set -eu
cd /
if [ "$(id -u)" = 0 ]; then exec setpriv --reuid=postgres --regid=postgres --init-groups sh -c "$SCRIPT" sh "$@"; fi
port=$1
bin=$(pg_config --bindir 2>/dev/null || true)
[ -x "$bin/initdb" ] || bin=$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
dir=$(mktemp -d)
pid=
trap 'if [ -n "$pid" ]; then kill -QUIT "$pid"; wait "$pid" || true; fi; rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM HUP
echo vault > "$dir/password"
"$bin/initdb" -D "$dir/data" -U vault -A scram-sha-256 --pwfile="$dir/password" --no-sync -E UTF8 --locale=C >&2
"$bin/postgres" -D "$dir/data" -p "$port" -k "$dir" -c listen_addresses=127.0.0.1 -c log_min_messages=fatal >&2 </dev/null &
pid=$!
until "$bin/pg_isready" -q -h 127.0.0.1 -p "$port"; do kill -0 "$pid"; sleep 0.05; done
PGPASSWORD=vault "$bin/createdb" -h 127.0.0.1 -p "$port" -U vault python >&2
echo ready
read -r _ || true
"""
MONGO = r"""
set -eu
cd /
dir=$(mktemp -d)
"$1" --host 127.0.0.1 --port "$2" --storage-path "$dir/data" --log-level ERROR --sync-on-commit >&2 </dev/null &
pid=$!
trap 'kill -KILL "$pid"; wait "$pid" || true; rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM HUP
echo ready
read -r _ || true
"""


class Database:
    """A server under a shell script; a missing one is a failure, never a skip."""

    def __init__(self, script: str, *args: str):
        env = {"PATH": os.environ["PATH"], "SCRIPT": script}
        self.process = subprocess.Popen(
            ["sh", "-c", script, "sh", *args], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self.process.stdout.readline() == "ready\n", "the database server does not start: is it installed? see scripts/test"

    def stop(self) -> None:
        """Ends it, and its data."""
        self.process.stdin.close()
        self.process.wait(timeout=START_MAX)


class Postgres(Database):
    """PostgreSQL with one empty database."""

    def __init__(self):
        port = free_port()
        super().__init__(POSTGRES, str(port))
        self.url = f"postgres://vault:vault@127.0.0.1:{port}/python"


class Mongo(Database):
    """What speaks MongoDB's protocol; docs/mongodb.md says what it can and cannot show."""

    def __init__(self):
        port = free_port()
        program = shutil.which("secantusd-py", path=f"{sysconfig.get_path('scripts')}:{os.environ['PATH']}")
        assert program, "the MongoDB stand-in is missing: pip install -r tests/python/requirements.txt"
        super().__init__(MONGO, program, str(port))
        self.url = f"mongodb://127.0.0.1:{port}/python"
        deadline = time.monotonic() + START_MAX
        while socket.socket().connect_ex(("127.0.0.1", port)) != 0:
            assert time.monotonic() < deadline, "the MongoDB stand-in does not start"
            time.sleep(0.02)
