"""Show results: one JSON document for scripts, tables and blocks for people; rich is loaded only when it draws."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from rentpay_cli.cli.common import invocation
from rentpay_cli.core.redact import printable

if TYPE_CHECKING:
    from rich.console import Console

PIPE_WIDTH = 200
LONGEST_TEXT = 2000


def wants_json() -> bool:
    """Whether this run was asked for JSON."""
    return invocation.json


def document(**fields: Any) -> None:
    """Print the one JSON document of a run that succeeded."""
    print_json({"success": True, **fields})


def print_json(content: dict[str, Any]) -> None:
    """Print a JSON document on standard output."""
    sys.stdout.write(json.dumps(content, ensure_ascii=False, indent=2) + "\n")


def console(*, err: bool = False) -> Console:
    """A console that knows the width of the terminal, and cuts nothing off in a pipe."""
    from rich.console import Console

    stream = sys.stderr if err else sys.stdout
    width = None if stream.isatty() else int(os.environ.get("COLUMNS", PIPE_WIDTH))
    return Console(stderr=err, width=width, highlight=False, soft_wrap=False)


def line(text: str, style: str = "") -> None:
    """Print a line of the result."""
    console().print(text, style=style or None, markup=False)


def block(title: str, fields: Iterable[tuple[str, str]]) -> None:
    """Print one thing as a short block of names and values."""
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in fields:
        if value:
            table.add_row(name, status_text(value) if name in _STATUS_FIELDS else Text(value))
    out = console()
    out.print(Text(title, style="bold"))
    out.print(table)


_STATUS_FIELDS = ("Status", "Disbursement", "Rent")


def table(columns: Sequence[tuple[str, str]], rows: Iterable[Sequence[str]], *, empty: str) -> None:
    """Print rows below each other; a column is its heading and `left`, `right` or `status`."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    listed = list(rows)
    if not listed:
        line(empty)
        return
    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for heading, kind in columns:
        drawn.add_column(
            heading,
            justify="right" if kind == "right" else "left",
            no_wrap=kind in ("right", "status"),
            overflow="fold",
        )
    for row in listed:
        drawn.add_row(
            *(
                status_text(cell) if kind == "status" else Text(cell)
                for cell, (_, kind) in zip(row, columns, strict=True)
            )
        )
    console().print(drawn)


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
    message, hint = printable(message, LONGEST_TEXT), printable(hint, LONGEST_TEXT)
    if invocation.json:
        print_json({"success": False, "error": {"code": code, "message": message, "hint": hint}})
        return
    from rich.text import Text

    out = console(err=True)
    word = "Unclear" if exit_status == 5 else "Attention" if exit_status == 6 else "Error"
    out.print(Text.assemble((f"{word}: ", "bold red"), message))
    if hint:
        out.print(_arrow("  →", hint))


def next_step(text: str) -> None:
    """Suggest the next command to a person, on standard error."""
    if invocation.json:
        return
    console(err=True).print(_arrow("→", text))


def _arrow(sign: str, text: str) -> Any:
    """What to do next, with its further lines below its first."""
    from rich.table import Table
    from rich.text import Text

    drawn = Table.grid(padding=(0, 1, 0, 0))
    drawn.add_column(style="dim", no_wrap=True)
    drawn.add_column(overflow="fold")
    drawn.add_row(sign, Text(text))
    return drawn
