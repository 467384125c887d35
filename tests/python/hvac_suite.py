"""hvac's own integration tests: fetched as its authors published them, run against our server as they are."""

import dataclasses
import hashlib
import os
import pathlib
import subprocess
import sys
import tarfile
import tomllib
import xml.etree.ElementTree as xml

from server import ROOT, binary

HERE = pathlib.Path(__file__).parent
VERSION = "2.4.0"
SHA256 = "e0056ad9064e7923e874e6769015b032580b639e29246f5ab1044f7959c1c7e0"
MINUTES_MAX = 5


@dataclasses.dataclass
class Part:
    """One test class of hvac, and how many of its tests OpenBao 2.7.2 passes."""

    name: str
    file: str
    openbao: int
    # hvac chooses its tests by it. Ours is the API that we speak; some tests it runs only for an older one.
    version: str = "1.15.6"


@dataclasses.dataclass
class Exemption:
    """A test that OpenBao passes and we do not, with what both servers answered."""

    part: str
    test: str
    openbao: str
    ours: str
    issue: str


@dataclasses.dataclass
class Neither:
    """A test that neither OpenBao nor we pass, and why."""

    part: str
    test: str
    why: str


LISTED = tomllib.loads((HERE / "hvac_suite.toml").read_text())
PARTS = [Part(**row) for row in LISTED["part"]]
EXCEPTIONS = [Exemption(**row) for row in LISTED.get("exception", [])]
NEITHER = [Neither(**row) for row in LISTED.get("neither", [])]


def sources() -> pathlib.Path:
    """The unpacked source package; fetched once."""
    folder = ROOT / "target" / f"hvac-{VERSION}"
    if not folder.is_dir():
        download(folder.parent)
    (folder / "tests/config_files/generated").mkdir(exist_ok=True)
    return folder


def download(into: pathlib.Path) -> None:
    """Fetches the package from PyPI, checks that it is the one, and unpacks it."""
    into.mkdir(parents=True, exist_ok=True)
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--no-deps", "--no-binary", ":all:", "--dest", into, f"hvac=={VERSION}"], check=True, timeout=600)
    archive = into / f"hvac-{VERSION}.tar.gz"
    found = hashlib.sha256(archive.read_bytes()).hexdigest()
    assert found == SHA256, f"{archive.name} is not what it was: {found}"
    with tarfile.open(archive) as tar:
        tar.extractall(into, filter="data")


def run(folder: pathlib.Path) -> dict[str, dict[str, str]]:
    """Runs all parts: from a part's name to its tests and how each ended (`passed`, `skipped`, or what it said)."""
    found: dict[str, dict[str, str]] = {part.name: {} for part in PARTS}
    for version in sorted({part.version for part in PARTS}):
        for part, tests in run_as(version, folder).items():
            found[part].update(tests)
    return found


def run_as(version: str, folder: pathlib.Path) -> dict[str, dict[str, str]]:
    """The same of the parts for which we say that we are this version."""
    files = {f"tests/integration_tests/{part.file}": part.name for part in PARTS if part.version == version}
    report, log = folder / f"report-{version}.xml", folder / "server.log"
    env = {
        "PATH": f"{HERE / 'standin'}:{os.environ['PATH']}",
        "HOME": str(folder),
        "SECRETHUB_BIN": str(binary()),
        "STANDIN_LOG": str(log),
        "STANDIN_VERSION": version,
    }
    line = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "addopts=", "--rootdir=.", f"--junitxml={report}", *files]
    ran = subprocess.run(
        line, cwd=sources(), env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=MINUTES_MAX * 60, check=False
    )
    assert report.is_file(), f"{ran.stdout}\n{ran.stderr}"
    found: dict[str, dict[str, str]] = {part: {} for part in files.values()}
    for case in xml.parse(report).iter("testcase"):
        file = case.get("classname", "").rsplit(".", 1)[0].replace(".", "/") + ".py"
        found[files[file]][case.get("name", "?")] = ending(case)
    return found


def ending(case: xml.Element) -> str:
    """How a test ended."""
    for kind in ("failure", "error"):
        if (element := case.find(kind)) is not None:
            return element.get("message", kind)
    return "passed" if case.find("skipped") is None else "skipped"
