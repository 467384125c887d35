"""Compares how many tests each suite ran with tests/expected-counts: a suite that silently shrinks is a failure."""

import pathlib
import re
import sys
import xml.etree.ElementTree as xml

EXPECTED = pathlib.Path("tests/expected-counts")


def of_junit(path: pathlib.Path, name: str | None = None) -> dict[str, int]:
    """Tests that passed in each suite of a JUnit report; `name` overrides the suites' own."""
    counts: dict[str, int] = {}
    for suite in xml.parse(path).iter("testsuite"):
        not_run = sum(1 for case in suite.iter("testcase") if case.find("skipped") is not None)
        key = name or suite.get("name", "?")
        counts[key] = counts.get(key, 0) + int(suite.get("tests", 0)) - not_run
    return counts


def of_doctests(path: pathlib.Path) -> dict[str, int]:
    """Doc-tests that passed."""
    return {"doctest": sum(map(int, re.findall(r"(\d+) passed", path.read_text())))}


def read_expected() -> dict[str, int]:
    """The checked-in counts."""
    rows = (line.split() for line in EXPECTED.read_text().splitlines() if line and not line.startswith("#"))
    return {suite: int(count) for suite, count in rows}


def write_expected(counts: dict[str, int]) -> None:
    """Writes the counts of this run."""
    head = [line for line in EXPECTED.read_text().splitlines() if line.startswith("#")]
    rows = [f"{suite} {count}" for suite, count in sorted(counts.items())]
    EXPECTED.write_text("\n".join(head + rows) + "\n")


def main() -> int:
    """Prints every suite; fails when one ran fewer tests than expected."""
    target = pathlib.Path(sys.argv[1])
    counts = of_junit(target / "nextest/ci/junit.xml")
    counts |= of_doctests(target / "doctest.log") | of_junit(target / "pytest.xml", "python")
    if "--update" in sys.argv:
        write_expected(counts)
    expected = read_expected()
    short = [suite for suite, least in expected.items() if counts.get(suite, 0) < least]
    for suite in sorted(counts | expected):
        ran, least = counts.get(suite, 0), expected.get(suite, 0)
        print(f"{suite:40} {ran:5} ran, {least:5} expected{'  TOO FEW' if suite in short else ''}")
    print(f"total: {sum(counts.values())} passed, {len(short)} failed")
    return 1 if short else 0


if __name__ == "__main__":
    sys.exit(main())
