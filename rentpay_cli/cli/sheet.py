"""Rows for spreadsheets: CSV by RFC 4180, written one at a time so that memory stays flat."""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

import typer

from rentpay_cli.cli.common import invocation
from rentpay_cli.core.redact import harmless

_FORMULA = frozenset("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
"""What a formula begins with, also in the wide forms that spreadsheets of East Asia read."""
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")

Format = Annotated[str, typer.Option("--format", help="table, json or csv.", metavar="FORMAT")]


def chosen(form: str) -> bool:
    """Whether CSV was asked for; `json` is the same as --json. Raises `WrongUse` for any other format."""
    from rentpay_cli.errors import WrongUse

    if form not in ("table", "json", "csv"):
        raise WrongUse(f"'{form}' is not a value of --format.", "Use one of: table, json, csv")
    if form == "csv" and invocation().json:
        raise WrongUse("--json and --format csv are two formats.", "Leave out one of them.")
    if form == "json":
        invocation().json = True
    return form == "csv"


def write(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Print a heading and the rows, each as it comes."""
    writer = csv.writer(sys.stdout, lineterminator="\r\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(row[column]) for column in columns])


def _cell(value: Any) -> Any:
    """The value; a text that a spreadsheet would take for a formula begins with an apostrophe, a number does not."""
    if value is None:
        return ""
    if isinstance(value, list):
        return " ".join(map(str, value))
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        return value
    text = harmless(value)
    looks_like_a_formula = value[:1] in _FORMULA or text[:1] in _FORMULA
    return "'" + text if looks_like_a_formula and not _NUMBER.fullmatch(text) else text
