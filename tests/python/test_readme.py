"""The README and the pages of docs/ that are run: what they say is printed is printed."""

import pytest

import walk

# How many blocks a page has at least, and how many lines it says it prints.
PAGES = {"README.md": (8, 5), "docs/approle.md": (7, 4)}
BLOCKS = [(page, number, lines) for page in PAGES for number, lines in walk.expected(page)]


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    """What each page printed, by block; a page is walked when it is first asked for."""
    walked = {}

    def of(page):
        if page not in walked:
            folder, home = (tmp_path_factory.mktemp(name) for name in ("clone", "home"))
            walked[page] = walk.run(page, folder, home)
        return walked[page]

    return of


@pytest.mark.parametrize("page", PAGES)
def test_the_walk_has_its_blocks(page):
    blocks, lines = PAGES[page]
    found = walk.expected(page)
    assert len(found) >= blocks and sum(len(said) for _, said in found) >= lines


@pytest.mark.parametrize(("page", "number", "lines"), BLOCKS, ids=[f"{page}-{number}" for page, number, _ in BLOCKS])
def test_a_block_prints_what_it_says(output, page, number, lines):
    printed = output(page)[str(number)]
    assert [line for line in lines if line not in printed] == [], printed
