"""Show results: one JSON document for scripts, tables and blocks for people; rich is loaded only when it draws."""

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

PIPE_WIDTH = 200
LONGEST_TEXT = 2000
NARROW_COLUMNS = 100
NARROWEST_COLUMNS = 8


def wants_json() -> bool:
    """Whether this run was asked for JSON."""
    return invocation.json


def document(**fields: Any) -> None:
    """Print the one JSON document of a run that succeeded."""
    print_json({"success": True, **fields})


def print_json(content: dict[str, Any]) -> None:
    """Print a JSON document on standard output, without secrets but for those that were asked for."""
    written = json.dumps(_clean(content), ensure_ascii=False, indent=2)
    sys.stdout.write("\n".join(_escaped(part) for part in written.split("\n")) + "\n")


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

    stream = sys.stderr if err else sys.stdout
    width = None if stream.isatty() else int(os.environ.get("COLUMNS", PIPE_WIDTH))
    return Console(stderr=err, width=width, highlight=False, soft_wrap=False)


def is_narrow() -> bool:
    """Whether there is too little room for long forms of dates and states in a table."""
    return console().width < NARROW_COLUMNS


def _shown(text: str) -> str:
    return harmless(without_secrets(text))


def line(text: str, style: str = "") -> None:
    """Print a line of the result."""
    console().print(_shown(text), style=style or None, markup=False)


def block(title: str, fields: Iterable[tuple[str, str]]) -> None:
    """Print one thing as a short block of names and values."""
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in fields:
        if value:
            clean = _shown(value)
            table.add_row(name, status_text(clean) if name in _STATUS_FIELDS else Text(clean))
    out = console()
    out.print(Text(_shown(title), style="bold"))
    out.print(table)


_STATUS_FIELDS = ("Status", "Disbursement", "Rent")


def table(columns: Sequence[tuple[str, str]], rows: Iterable[Sequence[str]], *, empty: str) -> None:
    """Print rows below each other; a column is its heading and `left`, `whole` (never broken), `right` or `status`."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    listed = [[_shown(cell) for cell in row] for row in rows]
    if not listed:
        line(empty)
        return
    out = console()
    gap = 2 if out.width < NARROW_COLUMNS else 3
    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, gap - 2), header_style="bold")
    room = out.width - gap * len(columns)
    widths = _widths(columns, listed, room)
    if sum(widths) > room:  # a cut amount reads like another amount
        for row in listed:
            block("", ((heading, cell) for (heading, _), cell in zip(columns, row, strict=True)))
        return
    for (heading, kind), width in zip(columns, widths, strict=True):
        drawn.add_column(
            heading,
            justify="right" if kind == "right" else "left",
            no_wrap=kind != "left",
            overflow="fold",
            width=width,
        )
    for row in listed:
        drawn.add_row(
            *(
                status_text(cell) if kind == "status" else Text(cell)
                for cell, (_, kind) in zip(row, columns, strict=True)
            )
        )
    out.print(drawn)


def _widths(columns: Sequence[tuple[str, str]], rows: Sequence[Sequence[str]], room: int) -> list[int]:
    """The width of each column: where there is no room for all, the widest `left` ones give way, their words last."""
    from rich.cells import cell_len

    cells = [[heading, *(row[number] for row in rows)] for number, (heading, _) in enumerate(columns)]
    widths = [max(map(cell_len, column)) for column in cells]
    words = [max(cell_len(word) for cell in column for word in (cell.split() or [""])) for column in cells]
    loose = [number for number, (_, kind) in enumerate(columns) if kind == "left"]
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


def status_text(value: str) -> Any:
    """The status in its colour, which is never the only sign."""
    from rich.text import Text

    words = value.replace("(", " ").replace(")", " ").replace(",", " ").split()
    known = [_COLOURS[word] for word in words if word in _COLOURS]
    return Text(value, style="bold red" if "unclear" in words else (known[0] if known else ""))


def error(code: str, message: str, hint: str, exit_status: int) -> None:
    """Tell what went wrong: a JSON document for scripts, a sentence and what to do next for people.

    A message repeats what was typed, which must not reach the terminal as an escape sequence.
    """
    message, hint = printable(redact(message), LONGEST_TEXT), printable(redact(hint), LONGEST_TEXT)
    if invocation.json:
        print_json({"success": False, "error": {"code": code, "message": message, "hint": hint}})
        return
    from rich.text import Text

    out = console(err=True)
    word = "Unclear" if exit_status == 5 else "Attention" if exit_status == 6 else "Error"
    out.print(Text.assemble((f"{word}: ", "bold red"), message))
    if hint:
        out.print(_arrow("  →", hint, out.width))


def next_step(text: str) -> None:
    """Suggest the next command to a person, on standard error."""
    if invocation.json:
        return
    out = console(err=True)
    out.print(_arrow("→", _shown(text), out.width))


def _arrow(sign: str, text: str, width: int) -> Any:
    """What to do next, with its further lines below its first."""
    from rich.table import Table
    from rich.text import Text

    drawn = Table.grid(padding=(0, 1, 0, 0))
    drawn.add_column(style="dim", no_wrap=True)
    drawn.add_column(overflow="fold")
    drawn.add_row(sign, Text(_with_whole_commands(text, width - len(sign) - 1)))
    return drawn


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
