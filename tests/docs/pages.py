"""The Markdown of the repository as data: blocks of code, links, words in code.

A fenced block may have marks, comments of HTML on the lines before it:

    <!-- excerpt: FILE -->           the block is taken from FILE
    <!-- edit: FILE | OLD | NEW -->  before the block is run, OLD in FILE becomes NEW
    <!-- copy: FILE | NEW -->        before that, NEW is a copy of FILE
    <!-- sort: FILE | NEW -->        the same, with the keys of its JSON sorted
    <!-- checkpoint: NAME -->        the block reads a checkpoint in the folder NAME
    <!-- hub: NAME -->              the block is not run, as it reads the Hub
    <!-- torch: FILES -->           the block needs PyTorch, and writes FILES
    <!-- libraries: NAMES -->        the block needs libraries of the extra `parity`
    <!-- append: FILE -->            the recipe: the block goes to the end of FILE
    <!-- insert: FILE | LINE -->     the recipe: the block goes behind LINE
    <!-- replace: FILE | LINE -->    the recipe: the block goes in place of LINE

A line of `…` in an output or an excerpt stands for lines that are left out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("examples/*.md")]
)

_FENCE = re.compile(
    r"(?P<marks>(?:^<!-- [^\n]* -->\n)*)^```(?P<kind>\w*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_MARK = re.compile(r"^<!-- (\w+): (.*?) -->$", re.MULTILINE)
_SPAN = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.DOTALL)
_LINK = re.compile(r"\[[^\]\[]*\]\(([^()\s]+)\)")
_HEADING = re.compile(r"^#{1,6} (.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block: where it begins, what it is, its marks."""

    line: int
    kind: str
    text: str
    marks: tuple[tuple[str, str], ...]

    def marked(self, name: str) -> list[str]:
        return [value for mark, value in self.marks if mark == name]


def blocks(text: str) -> list[Block]:
    """The fenced blocks of a page, in order."""
    return [
        Block(
            text.count("\n", 0, found.start()) + 1,
            found["kind"],
            found["text"],
            tuple(_MARK.findall(found["marks"])),
        )
        for found in _FENCE.finditer(text)
    ]


def prose(text: str) -> str:
    """A page without its fenced blocks."""
    return _FENCE.sub("", text)


def spans(text: str) -> list[str]:
    """The inline code of a page, on one line each."""
    return [" ".join(code.split()) for _, code in _SPAN.findall(prose(text))]


def links(text: str) -> list[str]:
    """The targets of a page's links."""
    return _LINK.findall(_SPAN.sub("`code`", prose(text)))


def anchors(text: str) -> set[str]:
    """The anchors that GitHub gives the headings of a page."""
    found: set[str] = set()
    for heading in _HEADING.findall(prose(text)):
        words = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        anchor, count = words, 0
        while anchor in found:
            count += 1
            anchor = f"{words}-{count}"
        found.add(anchor)
    return found


def command_lines(text: str) -> list[str]:
    """The commands that a page shows: lines of sh and console, inline code."""
    lines = spans(text)
    for block in blocks(text):
        if block.kind == "sh":
            lines += block.text.splitlines()
        if block.kind == "console":
            lines += [x[2:] for x in block.text.splitlines() if x.startswith("$ ")]
    return lines


def holds(shown: str, text: str, *, whole: bool) -> bool:
    """True if `text` has the parts of `shown` between its lines of `…`, in order.

    With `whole` nothing else may stand before the first and after the last of them.
    """
    parts = re.split(r"^ *….*\n", shown, flags=re.MULTILINE)
    at = 0
    for index, part in enumerate(parts):
        found = text.find(part, at)
        if found < 0 or (whole and index == 0 and found > 0):
            return False
        at = found + len(part)
    # The last part is looked for at the end, as the first is at the start.
    return not whole or text.endswith(parts[-1])
