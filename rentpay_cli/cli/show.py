"""Show results: one JSON document for scripts, tables and blocks for people.

Tables and blocks are drawn here: to be imported and to draw them, rich took a fifth of the time of `rentpay status` and
a third of that of `rentpay history`. It is loaded for what moves (`console`), and its `cells` for how wide a text is.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from rentpay_cli.cli.common import invocation
from rentpay_cli.core.redact import harmless, printable, redact, without_secrets

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

PIPE_WIDTH = 200
USUAL_WIDTH = 80
LONGEST_TEXT = 2000
NARROW_COLUMNS = 100
NARROWEST_COLUMNS = 8


def wants_json() -> bool:
    """Whether this run was asked for JSON."""
    return invocation.json


def document(**fields: Any) -> None:
    """Print the one JSON document of a run that succeeded."""
    print_json({"success": True, **fields})


def document_with_list(name: str, rows: Iterable[dict[str, Any]], **fields: Any) -> None:
    """Print the one JSON document of a run that lists something, each row as it is read: memory stays flat.

    `success` stands at its end, where it is known: if reading fails half way, it is false there and the error follows.
    """
    rest = iter(rows)
    first = next(rest, None)  # what fails before anything is printed is told as always
    if first is None:
        document(**fields, **{name: []})
        return
    sys.stdout.write(_json({**fields, name: []}).removesuffix("]\n}") + _indented(first))
    invocation.is_listing = True
    for row in rest:
        sys.stdout.write("," + _indented(row))
    print_json({"success": True})


def _indented(row: dict[str, Any]) -> str:
    return f"\n{_json(row)}".replace("\n", "\n    ")


def print_json(content: dict[str, Any]) -> None:
    """Print a JSON document on standard output, or the end of the one that a list has begun."""
    text = _json(content)
    sys.stdout.write("\n  ]," + text.removeprefix("{") if invocation.is_listing else text)
    sys.stdout.write("\n")
    invocation.is_listing = False


def _json(content: dict[str, Any]) -> str:
    """The content for scripts, without secrets but for those that were asked for."""
    written = json.dumps(_clean(content), ensure_ascii=False, indent=2)
    return written if harmless(written) == written else "\n".join(map(_escaped, written.split("\n")))


def _escaped(text: str) -> str:
    """JSON in which what steers a terminal stands in escapes."""
    kept = harmless(text)
    return text if kept == text else "".join(part if harmless(part) else json.dumps(part)[1:-1] for part in text)


ASKED_FOR = frozenset(("token", "securityCredential"))
"""The keys of an answer that is a secret: `rentpay access add` and `rentpay credential encrypt` make one."""


def _clean(content: Any) -> Any:
    match content:
        case str():
            return without_secrets(content)
        case dict():
            return {name: value if name in ASKED_FOR else _clean(value) for name, value in content.items()}
        case list() | tuple():
            return [_clean(part) for part in content]
    return content


def console(*, err: bool = False) -> Console:
    """A console that knows the width of the terminal, and cuts nothing off in a pipe."""
    from rich.console import Console

    return Console(stderr=err, width=_width(err=err), highlight=False, soft_wrap=False)


def _width(*, err: bool = False) -> int:
    stream = sys.stderr if err else sys.stdout
    asked_for = os.environ.get("COLUMNS", "")
    if asked_for.isdecimal() and int(asked_for):
        return int(asked_for)
    return (os.get_terminal_size(stream.fileno()).columns or USUAL_WIDTH) if stream.isatty() else PIPE_WIDTH


def is_narrow() -> bool:
    """Whether there is too little room for long forms of dates and states in a table."""
    return _width() < NARROW_COLUMNS


def _shown(text: str) -> str:
    return harmless(without_secrets(text))


_STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33"}


def _styled(text: str, style: str, *, err: bool = False) -> str:
    """The text in bold or in a colour, on a terminal that has these and a person who wants them."""
    stream = sys.stderr if err else sys.stdout
    if not text or not style or not stream.isatty() or os.environ.get("TERM", "dumb") in ("dumb", "unknown"):
        return text
    names = [name for name in style.split() if name in ("bold", "dim") or not os.environ.get("NO_COLOR")]
    return f"\x1b[{';'.join(_STYLES[name] for name in names)}m{text}\x1b[0m" if names else text


def _print(lines: Iterable[str], *, err: bool = False) -> None:
    stream = sys.stderr if err else sys.stdout
    stream.write("".join(f"{each.rstrip()}\n" for each in lines))


def _folded(text: str, width: int) -> list[str]:
    """The text in lines that are not wider, which break between words; only a word that is wider is broken itself."""
    from rich.cells import cell_len, chop_cells

    if "\n" not in text and cell_len(text) <= width:  # most are so; a list of 27,777 takes 1.6 s, not 1.9
        return [text.rstrip()]
    lines = []
    for part in text.split("\n"):
        taken = ""
        for word in re.findall(r"\s*\S+\s*", part):
            bare = word.rstrip()
            if cell_len(taken + bare) > width:
                lines += [taken] if taken else []
                *whole, rest = chop_cells(bare, width)
                lines += whole
                taken = rest + word[len(bare) :]
            else:
                taken += word
        lines.append(taken)
    return [each.rstrip() for each in lines]


def _padded(text: str, width: int, *, right: bool = False) -> str:
    from rich.cells import cell_len

    blanks = " " * (width - cell_len(text))
    return blanks + text if right else text + blanks


def line(text: str, style: str = "") -> None:
    """Print a line of the result."""
    _print(_styled(each, style) for each in _folded(_shown(text), _width()))


def block(title: str, fields: Iterable[tuple[str, str]]) -> None:
    """Print one thing as a short block of names and values."""
    from rich.cells import cell_len

    shown = [(name, _shown(value)) for name, value in fields if value]
    first = max((cell_len(name) for name, _ in shown), default=0)
    room = max(NARROWEST_COLUMNS, _width() - first - 2)
    lines = [_styled(each, "bold") for each in _folded(_shown(title), _width())]
    for name, value in shown:
        style = status_style(value) if name in _STATUS_FIELDS else ""
        for number, each in enumerate(_folded(value, room)):
            lines.append(_styled(_padded("" if number else name, first), "dim") + "  " + _styled(each, style))
    _print(lines)


_STATUS_FIELDS = ("Status", "Disbursement", "Rent")


def copyable(text: str) -> None:
    """Print a line that only the terminal itself breaks, so that it is copied whole."""
    _print([_shown(text)])


def table(columns: Sequence[tuple[str, str]], rows: Iterable[Sequence[str]], *, empty: str) -> None:
    """Print rows below each other; a column is its heading and `left`, `whole` (never broken), `right` or `status`.

    The last may be `below`: in a narrow window it stands below its row, where it has room.
    """
    listed = [[_shown(cell) for cell in row] for row in rows]
    if not listed:
        line(empty)
        return
    gap = 2 if is_narrow() else 3
    beside = columns[:-1] if is_narrow() and columns[-1][1] == "below" else columns
    room = _width() - gap * len(beside)
    widths = _widths(beside, listed, room)
    if sum(widths) > room:  # a cut amount reads like another amount
        for row in listed:
            block("", ((heading, cell) for (heading, _), cell in zip(columns, row, strict=True)))
        return
    dash = "─" if "utf" in (sys.stdout.encoding or "").lower() else "-"
    lines = ["", *_row(beside, widths, gap, [heading for heading, _ in beside], "bold")]
    lines.append(" " + dash * (sum(widths) + gap * (len(beside) - 1)))
    indent = " " * (1 + widths[0] + gap)
    for row in listed:
        lines += _row(beside, widths, gap, row[: len(beside)])
        below = [cell for cell in row[len(beside) :] if cell]
        lines += [indent + each for cell in below for each in _folded(cell, _width() - len(indent))]
    _print([*lines, ""])


def _row(
    columns: Sequence[tuple[str, str]], widths: Sequence[int], gap: int, cells: Sequence[str], style: str = ""
) -> list[str]:
    """The lines of a row, as many as its highest cell has."""
    drawn = []
    for (_, kind), width, cell in zip(columns, widths, cells, strict=True):
        look = style or (status_style(cell) if kind == "status" else "")
        parts = (_padded(each, width, right=kind == "right") for each in _folded(cell, width))
        drawn.append([_styled(each, look) for each in parts])
    height = max(map(len, drawn))
    filled = [parts + [" " * width] * (height - len(parts)) for parts, width in zip(drawn, widths, strict=True)]
    return [" " + (" " * gap).join(parts) for parts in zip(*filled, strict=True)]


def _widths(columns: Sequence[tuple[str, str]], rows: Sequence[Sequence[str]], room: int) -> list[int]:
    """The width of each column: where there is no room for all, the widest `left` ones give way, their words last."""
    from rich.cells import cell_len

    cells = [[heading, *(row[number] for row in rows)] for number, (heading, _) in enumerate(columns)]
    widths = [max(map(cell_len, column)) for column in cells]
    words = [max(cell_len(word) for cell in column for word in (cell.split() or [""])) for column in cells]
    loose = [number for number, (_, kind) in enumerate(columns) if kind in ("left", "below")]
    while sum(widths) > room:
        giving = [n for n in loose if widths[n] > words[n]] or [n for n in loose if widths[n] > NARROWEST_COLUMNS]
        if not giving:
            break
        widths[max(giving, key=widths.__getitem__)] -= 1
    return widths


_COLOURS = {
    "success": "green",
    "completed": "green",
    "paid": "green",
    "pending": "yellow",
    "processing": "yellow",
    "unclear": "bold red",
    "failed": "red",
    "reversed": "red",
    "ok": "green",
    "note": "yellow",
    "wrong": "red",
}


def status_style(value: str) -> str:
    """The colour of a status, which is never the only sign."""
    words = value.replace("(", " ").replace(")", " ").replace(",", " ").split()
    known = [_COLOURS[word] for word in words if word in _COLOURS]
    return "bold red" if "unclear" in words else (known[0] if known else "")


def status_text(value: str) -> Text:
    """The status in its colour, for what rich draws."""
    from rich.text import Text

    return Text(value, style=status_style(value))


def error(code: str, message: str, hint: str, exit_status: int) -> None:
    """Tell what went wrong: a JSON document for scripts, a sentence and what to do next for people.

    A message repeats what was typed, which must not reach the terminal as an escape sequence.
    """
    message, hint = printable(redact(message), LONGEST_TEXT), printable(redact(hint), LONGEST_TEXT)
    if invocation.json:
        print_json({"success": False, "error": {"code": code, "message": message, "hint": hint}})
        return
    word = "Unclear: " if exit_status == 5 else "Attention: " if exit_status == 6 else "Error: "
    first, *rest = _folded(word + message, _width(err=True))
    _print([_styled(first[: len(word)], "bold red", err=True) + first[len(word) :], *rest], err=True)
    if hint:
        _print(_after("  →", hint), err=True)


def next_step(text: str) -> None:
    """Suggest the next command to a person, on standard error."""
    if not invocation.json:
        _print(_after("→", _shown(text)), err=True)


def _after(sign: str, text: str) -> list[str]:
    """What to do next, with its further lines below its first."""
    room = max(NARROWEST_COLUMNS, _width(err=True) - len(sign) - 1)
    lines = [each for part in _with_whole_commands(text, room).split("\n") for each in _folded(part, room)]
    signs = [_styled(sign, "dim", err=True), *[" " * len(sign)] * (len(lines) - 1)]
    return [f"{before} {each}" for before, each in zip(signs, lines, strict=True)]


_COMMAND = re.compile(r"""\brentpay(?: (?:"[^"]*"|'[^']*'|[^\s.,;:)?]+(?:[.:][^\s.,;:)?]+)*))+""")


def _with_whole_commands(text: str, width: int) -> str:
    """The text in lines that break before a command rather than inside, so that it can be copied."""
    import textwrap

    glued = _COMMAND.sub(lambda found: found[0].replace(" ", "\0"), text)
    lines = [
        part
        for each in glued.splitlines()
        for part in textwrap.wrap(each, width, break_long_words=False, break_on_hyphens=False)
    ]
    return "\n".join(lines).replace("\0", " ")
