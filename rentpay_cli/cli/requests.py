"""`rentpay requests`: what waits for a second person."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rentpay_cli.cli import sheet, show
from rentpay_cli.cli.common import Command, confirm, runtime

if TYPE_CHECKING:
    from rentpay_cli.flows.requests import Asked

app = typer.Typer(no_args_is_help=True)
_Number = Annotated[int, typer.Argument(metavar="N", min=1, help="The number of the request.")]
COLUMNS = ("id", "kind", "state", "about", "shown", "askedBy", "askedAt", "decidedBy", "decidedAt", "reason")


@app.callback()
def requests() -> None:
    """Whoever asked cannot confirm where there are two admins."""


@app.command("list", cls=Command)
def list_requests(
    every: Annotated[bool, typer.Option("--all", help="Also those that were decided.")] = False,
    form: sheet.Format = "table",
) -> None:
    """List what waits for a second person, the oldest first.

    Examples:
    rentpay requests list
    rentpay requests list --all --json
    """
    from rentpay_cli.flows import requests as flow

    wants_csv = sheet.chosen(form)
    with runtime() as rt:
        found = flow.listed(rt, every=every)
    _show(found, wants_csv=wants_csv)


@app.command("show", cls=Command)
def show_request(number: _Number) -> None:
    """Show one request: what the asker saw, who asked, and what became of it.

    Examples:
    rentpay requests show 3
    """
    from rentpay_cli.flows import requests as flow

    with runtime() as rt:
        found = flow.one(rt, number)
    _show_one(found)


@app.command("confirm", cls=Command)
def confirm_request(number: _Number) -> None:
    """Put in force what was asked for, as it was shown.

    Examples:
    rentpay requests confirm 3
    """
    from rentpay_cli.flows import requests as flow

    with runtime() as rt:
        asked = flow.one(rt, number)
        confirm(f"Request {number}, {asked.about}: {asked.shown}. Is that right?")
        found = flow.confirm(rt, asked)
    _show_one(found)


@app.command("withdraw", cls=Command)
def withdraw_request(number: _Number) -> None:
    """Take back what was asked for; nothing changes.

    Examples:
    rentpay requests withdraw 3
    """
    from rentpay_cli.flows import requests as flow

    with runtime() as rt:
        found = flow.withdraw(rt, number)
    _show_one(found)


def _show(found: Iterable[Asked], *, wants_csv: bool) -> None:
    if wants_csv:
        sheet.write(COLUMNS, map(_document, found))
    elif show.wants_json():
        show.document(requests=[_document(each) for each in found])
    else:
        show.table(
            [("No.", "right"), ("Asked (EAT)", "whole"), ("By", "left"), ("About", "left"), ("What", "left")],
            [
                (str(each.number), _local(each.asked_at), each.asked_by, each.about, f"{each.shown}{_became(each)}")
                for each in found
            ],
            empty="Nothing waits for a second person.",
        )


def _show_one(each: Asked) -> None:
    if show.wants_json():
        show.document(request=_document(each))
        return
    from rentpay_cli.core.clock import show_local

    show.block(
        f"Request {each.number}: {each.kind.value}",
        [
            ("About", each.about),
            ("What", each.shown),
            ("Asked by", each.asked_by),
            ("Asked", show_local(each.asked_at)),
            ("State", each.state.value),
            ("Decided by", each.decided_by or ""),
            ("Decided", show_local(each.decided_at) if each.decided_at else ""),
            ("Because", each.reason or ""),
        ],
    )
    if each.decided_at is None:
        show.next_step(
            f"Put it in force: rentpay requests confirm {each.number}. Or: rentpay requests withdraw {each.number}"
        )


def _became(each: Asked) -> str:
    return f" ({each.state.value})" if each.decided_at else ""


def _local(moment: Any) -> str:
    from rentpay_cli.core.clock import list_local

    return list_local(moment)


def _document(each: Asked) -> dict[str, Any]:
    from rentpay_cli.core.clock import iso_utc

    return {
        "id": each.number,
        "kind": each.kind.value,
        "state": each.state.value,
        "about": each.about,
        "shown": each.shown,
        "askedBy": each.asked_by,
        "askedAt": iso_utc(each.asked_at),
        "mine": each.is_mine,
        "needsTwo": each.needs_two,
        "decidedBy": each.decided_by,
        "decidedAt": iso_utc(each.decided_at) if each.decided_at else None,
        "reason": each.reason,
    }
