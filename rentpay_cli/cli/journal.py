"""`rentpay journal`: who did what, and what changed."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from rentpay_cli.cli import completion, documents, progress, show
from rentpay_cli.cli.common import Command, runtime
from rentpay_cli.core.money import show_kes
from rentpay_cli.core.redact import printable

_LARGEST = 2**31 - 1


class _ListsByDefault(TyperGroup):
    """A group that lists unless it is told something else."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read options that stand alone as those of `list`."""
        if not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names):
            args = ["list", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(cls=_ListsByDefault)


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
        found = reads.journal(
            rt.reader,
            payment_id=payment_number(rt, payment) if payment else None,
            event=event.strip().lower() if event else None,
            since=day_start(first),
            until=day_start(last + timedelta(days=1) if last else None),
            before_id=before,
            limit=limit,
        )
        if show.wants_json():
            show.document_with_list("entries", map(_document, found))
            return
        lines = [_line(row) for row in found]
    show.table(
        [
            ("No.", "right"),
            ("At (EAT)", "left"),
            ("Who", "left"),
            ("What", "left"),
            ("Payment", "right"),
            ("More", "below"),
        ],
        lines,
        empty="No entry of the journal fits.",
    )
    if len(lines) == limit:
        show.next_step(f"More: add --before {lines[-1][0]} or --limit")


def _line(row: documents.Row) -> tuple[str, ...]:
    return (
        str(row["id"]),
        documents.listed_minute(row["at"]),
        printable(row["actor"]),
        row["event"],
        documents.first_of(_payments(row)),
        _words(_detail(row)),
    )


@app.command("head", cls=Command)
def show_head() -> None:
    """Print the newest entry's hash and number, to be kept where nobody who can write the database can change it.

    What was kept proves later, by `rentpay journal verify --head`, that nothing up to it was changed or cut off.

    Examples:
    rentpay journal head
    rentpay journal head --json
    """
    from rentpay_cli.flows import verify as flow

    with runtime() as rt:
        newest = flow.head(rt)
    if show.wants_json():
        show.document(head=str(newest), number=newest.number, hash=newest.hash)
        return
    show.copyable(str(newest))


@app.command("verify", cls=Command)
def verify(
    head: Annotated[
        str | None,
        typer.Option(metavar="HASH[:NUMBER]", help="What `rentpay journal head` printed earlier, and you kept."),
    ] = None,
) -> None:
    """Check that nothing was rewritten: every entry's hash, and every payment, payout and callback against the journal.

    It ends with exit status 6 and the first entry or row that does not fit. Without --head it cannot see that the end
    of the journal was cut off together with what it tells of.

    Examples:
    rentpay journal verify
    rentpay journal verify --head 5f1e0c3ab2974d86b0a7c5d2e93f4418a6bd07c9e215f38470d6ea91bc52f7d3:4711 --json
    """
    from rentpay_cli.flows import verify as flow

    kept = flow.read_head(head) if head is not None else None
    with runtime() as rt, progress.bar("Checking") as on_progress:
        found = flow.verify(rt, kept, on_progress)
    if show.wants_json():
        show.document(
            message="Everything fits",
            entries=found.head.number,
            head=str(found.head),
            checked=[{"table": table, "rows": count} for table, count in found.rows.items()],
        )
        return
    show.block(
        "Everything fits",
        [
            ("Entries", f"{found.head.number:,}"),
            *((table.replace("_", " ").capitalize(), f"{count:,}") for table, count in found.rows.items()),
        ],
    )
    show.line("\nThe head of the journal:")
    show.copyable(str(found.head))
    if kept is None:
        show.next_step("Keep the head elsewhere; later: rentpay journal verify --head HASH")


def _document(row: documents.Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "at": documents.moment(row["at"]),
        "actor": row["actor"],
        "event": row["event"],
        "paymentId": None if row["payment_id"] is None else str(row["payment_id"]),
        "payments": [str(number) for number in _payments(row)],
        "attemptId": row["attempt_id"],
        "detail": _detail(row),
    }


def _payments(row: documents.Row) -> list[int]:
    """The payments that an entry is about: several, if it is about a transfer that settles several."""
    own = [] if row["payment_id"] is None else [row["payment_id"]]
    return list(_detail(row).get("payments", own))


def _detail(row: documents.Row) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(row["detail"])
    return content


_ABOUT = {"collection": "rent", "payout": "payout"}
_SOURCES = {
    "reply": "M-Pesa's reply",
    "callback": "M-Pesa's callback",
    "query": "M-Pesa's answer to our question",
    "time": "the clock",
    "ruling": "a person's ruling",
}


def _words(detail: dict[str, Any]) -> str:
    """The details in one line: `reason: the password is being changed`."""
    rest = {name: value for name, value in detail.items() if name != "changes"}
    parts: list[str] = []
    if {"direction", "source", "evidence", "before", "after"} <= set(detail):
        about, source, evidence = (rest.pop(name) for name in ("direction", "source", "evidence"))
        before, after = (documents.STATE_WORDS[rest.pop(name)] for name in ("before", "after"))
        change = f"{after} (was: {before})" if after != before else f"still {after}"
        parts = [f"{_ABOUT[about]}: {change}", f"{_SOURCES[source]}: {evidence}"]
    parts += [_part(name, value) for name, value in rest.items() if value not in ("", None)]
    return printable("; ".join(parts))


def _part(name: str, value: Any) -> str:
    if name.endswith("_cents") and isinstance(value, int):
        return f"{name.removesuffix('_cents').replace('_', ' ')}: {show_kes(value)}"
    return f"{name.replace('_', ' ')}: {_value(value)}"


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_value(part)}" for name, part in value.items())
    return ", ".join(map(_value, value)) if isinstance(value, list) else str(value)
