"""The README and the manual as the tests read them: pages, fenced blocks, commands."""

import re
import shlex
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").rglob("*.md"))]
IDS = [str(page.relative_to(ROOT)) for page in PAGES]

FENCE = re.compile(r"^```(?P<kind>\S*)(?P<rest>[^\n]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
TITLE = re.compile(r'title="([^"]+)"')
INLINE = re.compile(r"`((?:saccade|make) [^`]+)`")


class Block(NamedTuple):
    """A fenced block: the language, the title of a file or "", and the text."""

    kind: str
    title: str
    body: str


def blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of a page."""
    found = FENCE.finditer(page.read_text(encoding="utf-8"))
    titles = [(match, TITLE.search(match["rest"])) for match in found]
    return [Block(match["kind"], title[1] if title else "", match["body"]) for match, title in titles]


def commands(page: Path) -> list[list[str]]:
    """Return the commands of a page's blocks without a language, split as a shell does, comments removed."""
    lines = [line for block in blocks(page) if block.kind == "" for line in block.body.splitlines() if line.strip()]
    return [words for line in lines if (words := shlex.split(line, comments=True))]


def inline_commands(page: Path) -> list[list[str]]:
    """Return the commands that a page's text names."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    return [shlex.split(match) for match in INLINE.findall(text)]


def recipe(target: str) -> list[list[str]]:
    """Return the `saccade` commands of a target of the Makefile, its variables put in."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    variables = dict(re.findall(r"^(\w+) := (\S+)$", text, re.MULTILINE))
    match = re.search(rf"^{target}:.*\n((?:\t.*\n)+)", text, re.MULTILINE)
    assert match, f"no target {target} in the Makefile"
    lines = [line.strip() for line in match[1].splitlines()]
    put_in = [re.sub(r"\$\((\w+)\)", lambda found: variables.get(found[1], ""), line) for line in lines]
    return [shlex.split(line)[1:] for line in put_in if "/saccade " in line and not line.startswith("@")]


def targets() -> set[str]:
    """Return the targets of the Makefile."""
    return set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
