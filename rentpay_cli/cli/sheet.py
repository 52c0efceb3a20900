"""Rows for spreadsheets: CSV by RFC 4180, written one at a time so that memory stays flat."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any

import typer

from rentpay_cli.cli.common import invocation

PAGE_ROWS = 1000

Format = Annotated[str, typer.Option("--format", help="table, json or csv.", metavar="FORMAT")]


def chosen(form: str) -> bool:
    """Whether CSV was asked for; `json` is the same as --json. Raises `WrongUse` for any other format."""
    from rentpay_cli.errors import WrongUse

    if form not in ("table", "json", "csv"):
        raise WrongUse(f"'{form}' is not a value of --format.", "Use one of: table, json, csv")
    if form == "csv" and invocation.json:
        raise WrongUse("--json and --format csv are two formats.", "Leave out one of them.")
    if form == "json":
        invocation.json = True
    return form == "csv"


def write(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Print a heading and the rows, each as it comes."""
    writer = csv.writer(sys.stdout, lineterminator="\r\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(row[column]) for column in columns])


def _cell(value: Any) -> Any:
    """The value, with a text that a spreadsheet would take for a formula made harmless by an apostrophe."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r", "\n")):
        return "'" + value
    return value


def pages(
    fetch: Callable[[int, int | None], Iterable[dict[str, Any]]], limit: int | None, before_id: int | None
) -> Iterator[dict[str, Any]]:
    """Rows newest first, a page at a time by key, until the limit: `fetch` takes how many and before which id."""
    left = limit
    while left is None or left > 0:
        size = PAGE_ROWS if left is None else min(PAGE_ROWS, left)
        page = list(fetch(size, before_id))
        yield from page
        if len(page) < size:
            return
        before_id = page[-1]["id"]
        left = None if left is None else left - size
