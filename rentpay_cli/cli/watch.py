"""`rentpay watch`: a live screen of payments coming in, disbursements on their way, and what needs a person."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rentpay_cli.cli import documents, show, terminal
from rentpay_cli.cli.common import invocation, runtime
from rentpay_cli.core.attempt import State
from rentpay_cli.core.clock import show_local
from rentpay_cli.core.money import shillings

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from rentpay_cli.runtime import Runtime

FRAME_ROWS = 13  # headings, rules and blank lines of the whole screen


def watch(
    interval: Annotated[float, typer.Option("--interval", min=0.2, metavar="S", help="Seconds between two looks.")] = 2,
) -> None:
    """Examples:
    rentpay watch
    rentpay watch --interval 5
    """
    from rentpay_cli.errors import WrongUse

    if invocation().json or not terminal.has_styles():
        raise WrongUse(
            "A live screen needs a terminal.",
            "For one payment: rentpay status ID --watch. For scripts: rentpay payments --json",
        )
    with runtime() as rt:
        _look(rt)  # what is wrong with the settings or the database is said on the screen that stays
        _watch(rt, interval)


def _watch(rt: Runtime, interval_seconds: float) -> None:
    from rich.live import Live

    console = show.console()
    try:
        with _ended_by_signal(), Live(console=console, screen=True, auto_refresh=False) as live:
            while True:
                live.update(screen(_look(rt), console.height), refresh=True)
                time.sleep(interval_seconds)
    except KeyboardInterrupt:  # the way to leave, which is no failure
        show.next_step("No longer watching. What needs a person: rentpay health")


@contextmanager
def _ended_by_signal() -> Iterator[None]:
    """SIGTERM leaves the screen as clean as Ctrl-C does."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _look(rt: Runtime) -> dict[str, Any]:
    """Everything on the screen, as it is now."""
    from rentpay_cli.core.health import findings
    from rentpay_cli.flows.health import facts, usual_thresholds
    from rentpay_cli.store import health_reads, reads

    usual = usual_thresholds(rt.settings)
    return {
        "heading": f"rentpay, {rt.settings.environment}, {show_local(rt.now())}. Ctrl-C ends it.",
        "findings": findings(facts(rt, usual), usual),
        "on_their_way": health_reads.on_their_way(rt.reader, 100),
        "payments": list(reads.payments(rt.reader, limit=100)),
    }


def screen(seen: dict[str, Any], rows: int) -> RenderableType:
    """What was seen, cut so that each part has a share of the terminal."""
    from rich.console import Group

    left = max(3, rows - FRAME_ROWS)
    needed = seen["findings"][: max(1, left // 3)]
    travelling = seen["on_their_way"][: max(1, (left - len(needed)) // 2)]
    payments = seen["payments"][: max(1, left - len(needed) - len(travelling))]
    return Group(
        show.drawn_text(seen["heading"], "bold"),
        _part("What needs a person", len(seen["findings"]), _needs(needed), "Nothing."),
        _part("On their way to owners", len(seen["on_their_way"]), _travelling(travelling), "Nothing."),
        _part("Payments", len(payments), _payments(payments), "None yet."),
    )


def _part(title: str, count: int, table: Table, empty: str) -> RenderableType:
    from rich.console import Group

    heading = show.drawn_text(f"{title} ({count})" if count else title, "bold cyan")
    return Group("", heading, table if count else show.drawn_text(empty))


def _table(*columns: tuple[str, str]) -> Table:
    """Columns are `left`, `right`, or `cut`: the one that gives way where the terminal is narrow."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style=terminal.known("dim"))
    for heading, kind in columns:
        table.add_column(
            heading, justify="right" if kind == "right" else "left", no_wrap=kind != "cut", overflow="ellipsis"
        )
    return table


def _needs(findings: list[Any]) -> Table:
    table = _table(("What", "cut"), ("Do", "left"))
    for each in findings:
        table.add_row(show.drawn_text(each.text, "bold red", cut=True), each.command)
    return table


def _travelling(rows: list[documents.Row]) -> Table:
    table = _table(("No.", "right"), ("Since (EAT)", "left"), ("Owner", "cut"), ("Share", "right"), ("Now", "left"))
    for row in rows:
        table.add_row(
            str(row["id"]),
            documents.listed_minute(row["created_at"]),
            show.drawn_text(row["owner_name"], cut=True),
            f"{shillings(row['amount_cents']):,}",
            show.status_text(_words(row)),
        )
    return table


def _words(row: documents.Row) -> str:
    status = documents.disbursement_status(row)
    return f"{status} (unclear)" if documents.is_unclear(row) else status


def _payments(rows: list[documents.Row]) -> Table:
    table = _table(
        ("No.", "right"),
        ("Asked (EAT)", "left"),
        ("Property", "cut"),
        ("Amount", "right"),
        ("Status", "left"),
        ("Disbursement", "left"),
    )
    for row in rows:
        table.add_row(
            str(row["id"]),
            documents.listed_minute(row["created_at"]),
            show.drawn_text(row["property_name"], cut=True),
            f"{shillings(row['amount_cents']):,}",
            show.status_text(row["status"] + (" (unclear)" if row["collection_state"] == State.UNCLEAR else "")),
            show.status_text(_words(row) if row["disbursement_status"] else ""),
        )
    return table
