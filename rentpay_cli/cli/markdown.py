"""Draw a page on a terminal: headings, paragraphs, lists, tables and code, which is as much of Markdown as pages use.

A command stays on one line, and code is never folded, so that it can be copied; rich's Markdown does neither, and to
import it took as long as all the rest of the command.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator

from rentpay_cli.cli import show, terminal

_FENCE = "```"
_CODE = re.compile(r"`([^`]+)`")
_BOLD = re.compile(r"\*\*([^*]+)\*\*")
_WHOLE = re.compile(f"{_CODE.pattern}|{_BOLD.pattern}")
_SIGN = re.compile(r"- |[0-9]+\. ")
_NEXT_ITEM = re.compile(rf"\n(?={_SIGN.pattern})")


def draw(text: str) -> None:
    """Print the page; prose no wider than is easily read, and than a pager shows in the usual window."""
    gap: list[str] = []
    for block in _blocks(text):
        if block[0].startswith("|"):
            heading, _, *rows = map(_cells, block)
            show.table([(name, "left") for name in heading], rows, empty="")
            gap = []  # a table leaves room around itself
        else:
            terminal.write([*gap, *_drawn(block)])
            gap = [""]


def _blocks(text: str) -> Iterator[list[str]]:
    """What stands between empty lines, and code with the empty lines in it."""
    block: list[str] = []
    is_code = False
    for line in text.splitlines():
        is_code ^= line.startswith(_FENCE)
        if line or is_code:
            block.append(line)
        elif block:
            yield block
            block = []
    if block:
        yield block


def _cells(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip("|").split("|")]


def _drawn(block: list[str]) -> list[str]:
    if block[0].startswith(_FENCE):
        return [f"    {terminal.styled(line, 'cyan')}" for line in block[1:-1]]
    if block[0].startswith("#"):
        return [terminal.styled(line, "bold") for line in _folded(block[0].lstrip("# "))]
    return [line for item in _NEXT_ITEM.split("\n".join(block)) for line in _folded(item)]


def _folded(text: str) -> list[str]:
    """A paragraph, or an item of a list, in lines that break neither in code nor in what is bold."""
    sign = _SIGN.match(text)
    glued = _WHOLE.sub(lambda found: found[0].replace(" ", "\0"), " ".join(text.split()))
    lines = textwrap.wrap(
        glued,
        min(terminal.USUAL_COLUMNS, terminal.width()),
        subsequent_indent=" " * len(sign[0]) if sign else "",
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [_styled(line.replace("\0", " ")) for line in lines]


def _styled(line: str) -> str:
    """The line with its code in a colour, or in its backticks where there are no colours."""
    bold = _BOLD.sub(lambda found: terminal.styled(found[1], "bold"), line)
    return _CODE.sub(lambda found: terminal.styled(found[1], "cyan"), bold) if terminal.has_colours() else bold
