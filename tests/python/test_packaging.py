"""The files for one machine: systemd and logrotate take them, and what they run exists."""

import os
import signal
import subprocess
import time

from server import ROOT, Server, Vault, binary

UNIT = ROOT / "infrastructure/systemd/secrethub.service"
ROTATE = ROOT / "infrastructure/logrotate/secrethub"


def test_systemd_takes_the_unit_and_finds_it_safe(tmp_path):
    unit = tmp_path / "secrethub.service"
    unit.write_text(UNIT.read_text().replace("/usr/local/bin/secrethub", str(binary())))
    verify = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, timeout=60)
    assert verify.returncode == 0 and not verify.stderr, verify.stderr
    # Exposure from 0 (none) to 100.
    rating = ["systemd-analyze", "security", "--offline=yes", "--threshold=20", "--no-pager", unit]
    rated = subprocess.run(rating, capture_output=True, text=True, timeout=60)
    assert rated.returncode == 0, rated.stdout[-300:]


def test_a_rotated_audit_file_goes_on_in_a_new_one(tmp_path):
    log = tmp_path / "audit.log"
    with Server(tmp_path, SECRETHUB_AUDIT_FILE=str(log)) as server:
        vault = Vault(server)
        vault.ask("POST", "secret/data/before", json={"data": {}})
        wait_for(log, "secret/data/before")
        config = tmp_path / "rotate.conf"
        text = ROTATE.read_text().replace("/var/log/secrethub/audit.log", str(log)).replace("secrethub secrethub", "root root")
        config.write_text(text.replace("systemctl reload secrethub.service", f"kill -HUP {server.process.pid}"))
        config.chmod(0o644)
        tmp_path.chmod(0o700)
        subprocess.run(["logrotate", "--force", "--state", tmp_path / "state", config], check=True, timeout=60)
        time.sleep(0.5)
        vault.ask("POST", "secret/data/after", json={"data": {}})
        wait_for(log, "secret/data/after")
        assert "secret/data/before" in (tmp_path / "audit.log.1").read_text()
        assert "secret/data/before" not in log.read_text()
        os.kill(server.process.pid, signal.SIGTERM)
        assert server.process.wait(timeout=60) == 0


def wait_for(path, text: str) -> None:
    """Until the file says so."""
    deadline = time.monotonic() + 20
    while not path.exists() or text not in path.read_text():
        assert time.monotonic() < deadline, f"{text} does not come"
        time.sleep(0.05)
