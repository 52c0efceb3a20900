"""`rentpay journal`: who did what, and what changed."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from rentpay_cli.cli import completion, documents, show
from rentpay_cli.cli.common import Command, runtime
from rentpay_cli.core.redact import printable

_LARGEST = 2**31 - 1


class _ListsByDefault(TyperGroup):
    """A group that lists unless it is told something else."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read options that stand alone as those of `list`."""
        if not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names):
            args = ["list", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(cls=_ListsByDefault, help="Who did what, and what changed. Alone it lists.")


@app.callback()
def group() -> None:
    pass


@app.command("list", cls=Command)
def list_entries(
    payment: Annotated[
        str | None,
        typer.Option(
            metavar="ID",
            help="Only about this payment: its number, receipt or checkout id.",
            autocompletion=completion.payments,
        ),
    ] = None,
    event: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only this event, such as 'payouts stopped'.")
    ] = None,
    since: Annotated[str | None, typer.Option("--from", metavar="DAY", help="On this day or later.")] = None,
    until: Annotated[str | None, typer.Option("--to", metavar="DAY", help="On this day or earlier.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=_LARGEST, help="At most so many.")] = 50,
    before: Annotated[
        int | None, typer.Option(metavar="N", max=_LARGEST, help="Only those with a smaller number: the next page.")
    ] = None,
) -> None:
    """List what happened, the newest first: every change of a payment, who made it, and why.

    Days are East African. Nothing in the journal can be changed or deleted.

    Examples:
    rentpay journal list
    rentpay journal list --payment 12
    rentpay journal list --event "ruled not paid" --from 2026-11-01 --json
    """
    from rentpay_cli.errors import WrongUse
    from rentpay_cli.flows.look import day_start, payment_number, read_day
    from rentpay_cli.store import reads

    first, last = (read_day(text) if text else None for text in (since, until))
    if first and last and first > last:
        raise WrongUse(f"The period ends ({last}) before it begins ({first}).", "Swap --from and --to.")
    with runtime() as rt:
        rows = list(
            reads.journal(
                rt.reader,
                payment_id=payment_number(rt, payment) if payment else None,
                event=event.strip().lower() if event else None,
                since=day_start(first),
                until=day_start(last + timedelta(days=1) if last else None),
                before_id=before,
                limit=limit,
            )
        )
    if show.wants_json():
        show.document(entries=[_document(row) for row in rows])
        return
    show.table(
        [
            ("No.", "right"),
            ("At (EAT)", "left"),
            ("Who", "left"),
            ("What", "left"),
            ("Payment", "right"),
            ("More", "left"),
        ],
        [
            (
                str(row["id"]),
                documents.listed_minute(row["at"]),
                printable(row["actor"]),
                row["event"],
                str(row["payment_id"] or ""),
                _words(_detail(row)),
            )
            for row in rows
        ],
        empty="No entry of the journal fits.",
    )
    if len(rows) == limit:
        show.next_step(f"More: add --before {rows[-1]['id']} or --limit")


def _document(row: documents.Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "at": documents.moment(row["at"]),
        "actor": row["actor"],
        "event": row["event"],
        "paymentId": None if row["payment_id"] is None else str(row["payment_id"]),
        "attemptId": row["attempt_id"],
        "detail": _detail(row),
    }


def _detail(row: documents.Row) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(row["detail"])
    return content


def _words(detail: dict[str, Any]) -> str:
    """The details in one line: `reason: the password is being changed`."""
    return printable("; ".join(f"{name.replace('_', ' ')}: {_value(value)}" for name, value in detail.items()))


def _value(value: Any) -> str:
    return (
        ", ".join(f"{name} {_value(part)}" for name, part in value.items()) if isinstance(value, dict) else str(value)
    )
