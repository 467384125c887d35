"""Makes the synchronous classes from the asynchronous ones, so that they cannot differ: `python vault-py/twins.py`.

With `--check` it only says whether they do.
"""

import pathlib
import re
import sys

PACKAGE = pathlib.Path(__file__).parent / "python/secrethub"
SWAPS = [
    (r"async def ", "def "),
    (r"async with ", "with "),
    (r"await ", ""),
    (r"\bAsync(Audit|Client|Door|Kv|Policies|Secrets|Tokens|Vault|Iterator)\b", r"\1"),
    (r"\b(call|open|close)_async\b", r"\1"),
    (r"__a(enter|exit)__", r"__\1__"),
]
HEAD = "# Made by twins.py from _async; change that.\n"


def twin(text: str) -> str:
    """A file's synchronous twin."""
    for pattern, instead in SWAPS:
        text = re.sub(pattern, instead, text)
    docstring, end, rest = text.partition('"""\n')
    return docstring + end + HEAD + rest


def main() -> int:
    """Writes the twins, or says which would change."""
    different = 0
    for source in sorted((PACKAGE / "_async").glob("*.py")):
        target = PACKAGE / "_sync" / source.name
        text = twin(source.read_text()) if source.name != "__init__.py" else '"""The synchronous classes; `twins.py` makes them."""\n'
        if not target.exists() or target.read_text() != text:
            different += 1
            print(f"{target.name} differs" if "--check" in sys.argv else f"{target.name} made")
            if "--check" not in sys.argv:
                target.parent.mkdir(exist_ok=True)
                target.write_text(text)
    return 1 if different and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
