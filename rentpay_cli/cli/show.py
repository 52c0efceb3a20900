"""Show results: one JSON document for scripts, tables and blocks for people.

Tables and blocks are drawn here: to be imported and to draw them, rich took a fifth of the time of `rentpay status` and
a third of that of `rentpay history`. It is loaded for what moves (`console`), and its `cells` for how wide a text is.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from rentpay_cli.cli import terminal
from rentpay_cli.cli.common import invocation
from rentpay_cli.core.redact import harmless, printable, redact, without_secrets

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

LONGEST_TEXT = 2000


def wants_json() -> bool:
    """Whether this run was asked for JSON."""
    return invocation().json


def document(**fields: Any) -> None:
    """Print the one JSON document of a run that succeeded."""
    print_json({"success": True, **fields})


def document_with_list(
    name: str, rows: Iterable[dict[str, Any]], after: Callable[[], dict[str, Any]] = dict, **fields: Any
) -> None:
    """Print the one JSON document of a run that lists something, each row as it is read: memory stays flat.

    What `after` tells comes after the rows, when they have been read. `success` stands at the end, where it is known:
    if reading fails half way, it is false there and the error follows.
    """
    rest = iter(rows)
    first = next(rest, None)  # what fails before anything is printed is told as always
    if first is None:
        document(**fields, **{name: []}, **after())
        return
    sys.stdout.write(_json({**fields, name: []}).removesuffix("]\n}") + _indented(first))
    invocation().is_listing = True
    for row in rest:
        sys.stdout.write("," + _indented(row))
    print_json({**after(), "success": True})


def _indented(row: dict[str, Any]) -> str:
    return f"\n{_json(row)}".replace("\n", "\n    ")


def print_json(content: dict[str, Any]) -> None:
    """Print a JSON document on standard output, or the end of the one that a list has begun."""
    text = _json(content)
    sys.stdout.write("\n  ]," + text.removeprefix("{") if invocation().is_listing else text)
    sys.stdout.write("\n")
    invocation().is_listing = False


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

    return Console(stderr=err, width=terminal.width(err=err), highlight=False, soft_wrap=False)


def _shown(text: str) -> str:
    return harmless(without_secrets(text))


def line(text: str, style: str = "", *, indent: str = "") -> None:
    """Print a line of the result; what has no room in it goes on below, as far to the right."""
    room = max(terminal.NARROWEST_COLUMNS, terminal.width() - len(indent))
    terminal.write(indent + terminal.styled(each, style) for each in terminal.folded(_shown(text), room))


def block(title: str, fields: Iterable[tuple[str, str]]) -> None:
    """Print one thing as a short block of names and values."""
    from rich.cells import cell_len

    shown = [(name, _shown(value)) for name, value in fields if value]
    first = max((cell_len(name) for name, _ in shown), default=0)
    room = max(terminal.NARROWEST_COLUMNS, terminal.width() - first - 2)
    lines = [terminal.styled(each, "bold") for each in terminal.folded(_shown(title), terminal.width())]
    for name, value in shown:
        style = status_style(value) if name in _STATUS_FIELDS else ""
        for number, each in enumerate(terminal.folded(value, room)):
            before = terminal.padded("" if number else name, first)
            lines.append(f"{terminal.styled(before, 'dim')}  {terminal.styled(each, style)}")
    terminal.write(lines)


_STATUS_FIELDS = ("Status", "Disbursement", "Rent")


def copyable(text: str) -> None:
    """Print a line that only the terminal itself breaks, so that it is copied whole."""
    terminal.write([_shown(text)])


def table(columns: Sequence[tuple[str, str]], rows: Iterable[Sequence[str]], *, empty: str) -> None:
    """Print rows below each other; a column is its heading and `left`, `whole` (never broken), `right` or `status`.

    The last may be `below`: in a narrow window it stands below its row, where it has room. So does a last `left` one
    that would have next to none beside it.
    """
    listed = [[_shown(cell) for cell in row] for row in rows]
    if not listed:
        line(empty)
        return
    gap = 2 if terminal.is_narrow() else 3
    beside = columns[:-1] if terminal.is_narrow() and columns[-1][1] == "below" else columns
    widths = _widths(beside, listed, terminal.width() - gap * len(beside))
    if columns[-1][1] == "left" and len(columns) > 1 and _is_squeezed(listed, widths[-1]):
        beside = columns[:-1]
        widths = _widths(beside, listed, terminal.width() - gap * len(beside))
    if sum(widths) > terminal.width() - gap * len(beside):  # a cut amount reads like another amount
        for row in listed:
            block("", ((heading, cell) for (heading, _), cell in zip(columns, row, strict=True)))
        return
    dash = "─" if "utf" in (sys.stdout.encoding or "").lower() else "-"
    lines = ["", *_row(beside, widths, gap, [heading for heading, _ in beside], "bold")]
    lines.append(" " + dash * (sum(widths) + gap * (len(beside) - 1)))
    indent = " " * (1 + widths[0] + gap)
    room = max(terminal.NARROWEST_COLUMNS, terminal.width() - len(indent))
    for row in listed:
        lines += _row(beside, widths, gap, row[: len(beside)])
        below = [cell for cell in row[len(beside) :] if cell]
        lines += [indent + each for cell in below for each in terminal.folded(cell, room)]
    terminal.write([*lines, ""])


READABLE_COLUMNS = 16


def _is_squeezed(rows: Sequence[Sequence[str]], width: int) -> bool:
    """Whether the texts of the last column would be hard to read, or to copy, in a width that they do not all need."""
    from rich.cells import cell_len

    return width < READABLE_COLUMNS and any(cell_len(row[-1]) > width for row in rows)


def _row(
    columns: Sequence[tuple[str, str]], widths: Sequence[int], gap: int, cells: Sequence[str], style: str = ""
) -> list[str]:
    """The lines of a row, as many as its highest cell has."""
    drawn = []
    for (_, kind), width, cell in zip(columns, widths, cells, strict=True):
        look = style or (status_style(cell) if kind == "status" else "")
        parts = (terminal.padded(each, width, right=kind == "right") for each in terminal.folded(cell, width))
        drawn.append([terminal.styled(each, look) for each in parts])
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
        giving = [n for n in loose if widths[n] > words[n]]
        giving = giving or [n for n in loose if widths[n] > terminal.NARROWEST_COLUMNS]
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


def drawn_text(text: str, style: str = "", *, cut: bool = False) -> Text:
    """The text for what rich draws, in a style of ours; one that may be cut stays on its line, whatever is left."""
    from rich.text import Text

    return Text(_shown(text), style=terminal.known(style), no_wrap=cut or None, overflow="ellipsis" if cut else None)


def status_text(value: str) -> Text:
    """The status in its colour, for what rich draws."""
    return drawn_text(value, status_style(value))


def error(code: str, message: str, hint: str, exit_status: int) -> None:
    """Tell what went wrong: a JSON document for scripts, a sentence and what to do next for people.

    A message repeats what was typed, which must not reach the terminal as an escape sequence.
    """
    message, hint = printable(redact(message), LONGEST_TEXT), printable(redact(hint), LONGEST_TEXT)
    if invocation().json:
        print_json({"success": False, "error": {"code": code, "message": message, "hint": hint}})
        return
    word = "Unclear: " if exit_status == 5 else "Attention: " if exit_status == 6 else "Error: "
    first, *rest = terminal.folded(word + message, terminal.width(err=True))
    terminal.write([terminal.styled(first[: len(word)], "bold red", err=True) + first[len(word) :], *rest], err=True)
    if hint:
        terminal.write(_after("  →", hint), err=True)


def next_step(text: str) -> None:
    """Suggest the next command to a person, on standard error."""
    if not invocation().json:
        terminal.write(_after("→", _shown(text)), err=True)


def _after(sign: str, text: str) -> list[str]:
    """What to do next, with its further lines below its first."""
    room = max(terminal.NARROWEST_COLUMNS, terminal.width(err=True) - len(sign) - 1)
    lines = [each for part in _with_whole_commands(text, room).split("\n") for each in terminal.folded(part, room)]
    signs = [terminal.styled(sign, "dim", err=True), *[" " * len(sign)] * (len(lines) - 1)]
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
