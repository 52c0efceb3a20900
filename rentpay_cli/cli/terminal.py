"""What a terminal can show: how wide it is, which styles it has, and lines that fit into it."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable

PIPE_COLUMNS = 200
USUAL_COLUMNS = 80
NARROW_COLUMNS = 100
NARROWEST_COLUMNS = 8

STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}
"""The one table of styles: every word that a style may have, and its number in an escape sequence."""

_SIZE = re.compile(r"0*[1-9][0-9]{0,3}", re.ASCII)


def drop_nonsense() -> None:
    """Forget a COLUMNS or LINES that is no size, and take a terminal without a name for one that can do nothing.

    Others who draw here would take the one at its word, and the other for one that has colours.
    """
    for name in ("COLUMNS", "LINES"):
        if not _SIZE.fullmatch(os.environ.get(name, "1")):
            del os.environ[name]
    if not os.environ.get("TERM"):
        os.environ["TERM"] = "dumb"


def width(*, err: bool = False) -> int:
    """How many columns there are; in a pipe so many that hardly anything is cut off."""
    asked_for = os.environ.get("COLUMNS", "")
    columns = int(asked_for) if _SIZE.fullmatch(asked_for) else _columns_of(err=err)
    return max(NARROWEST_COLUMNS, columns)


def _columns_of(*, err: bool) -> int:
    stream = sys.stderr if err else sys.stdout
    if not stream.isatty():
        return PIPE_COLUMNS
    try:
        return os.get_terminal_size(stream.fileno()).columns or USUAL_COLUMNS
    except OSError:  # a terminal that does not know its own size
        return USUAL_COLUMNS


def is_narrow() -> bool:
    """Whether there is too little room for long forms of dates and states in a table."""
    return width() < NARROW_COLUMNS


def has_styles(*, err: bool = False) -> bool:
    """Whether this is a terminal that understands escape sequences."""
    stream = sys.stderr if err else sys.stdout
    return stream.isatty() and os.environ.get("TERM", "") not in ("", "dumb", "unknown")


def has_colours(*, err: bool = False) -> bool:
    """Whether it has colours, too, and the person wants them."""
    return has_styles(err=err) and not os.environ.get("NO_COLOR")


def known(style: str) -> str:
    """The style without the words that are in no table: a misspelt colour must not keep a text from being shown."""
    return " ".join(word for word in style.split() if word in STYLES)


def styled(text: str, style: str, *, err: bool = False) -> str:
    """The text in bold or in a colour, on a terminal that has these and for a person who wants them."""
    if not text or not style or not has_styles(err=err):
        return text
    words = [word for word in known(style).split() if word in ("bold", "dim") or has_colours(err=err)]
    return f"\x1b[{';'.join(STYLES[word] for word in words)}m{text}\x1b[0m" if words else text


def write(lines: Iterable[str], *, err: bool = False) -> None:
    """Print lines, without blanks at their ends."""
    stream = sys.stderr if err else sys.stdout
    stream.write("".join(f"{each.rstrip()}\n" for each in lines))


def folded(text: str, columns: int) -> list[str]:
    """The text in lines that are not wider, which break between words; only a word that is wider is broken itself."""
    from rich.cells import cell_len, chop_cells

    if "\n" not in text and cell_len(text) <= columns:  # most are so, and lists are long
        return [text.rstrip()]
    lines = []
    for part in text.split("\n"):
        taken = ""
        for word in re.findall(r"\s*\S+\s*", part):
            bare = word.rstrip()
            if cell_len(taken + bare) > columns:
                lines += [taken] if taken else []
                *whole, rest = chop_cells(bare, columns)
                lines += whole
                taken = rest + word[len(bare) :]
            else:
                taken += word
        lines.append(taken)
    return [each.rstrip() for each in lines]


def padded(text: str, columns: int, *, right: bool = False) -> str:
    """The text with as many blanks as make it that wide."""
    from rich.cells import cell_len

    blanks = " " * (columns - cell_len(text))
    return blanks + text if right else text + blanks
