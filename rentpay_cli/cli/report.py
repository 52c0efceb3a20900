"""`rentpay report`: what the platform earned."""

from __future__ import annotations

from typing import Annotated

import typer

from rentpay_cli.cli import documents, show
from rentpay_cli.cli.common import Command, runtime

app = typer.Typer(help="Reports: what the platform earned.", no_args_is_help=True)


@app.callback()
def reports() -> None:
    pass


@app.command("revenue", cls=Command)
def revenue(
    by: Annotated[str, typer.Option(help="Group by day, month, owner or property.")] = "month",
    since: Annotated[
        str | None, typer.Option("--from", metavar="DAY", help="From this day on, such as 2026-11-01.")
    ] = None,
    until: Annotated[str | None, typer.Option("--to", metavar="DAY", help="Until this day, which counts too.")] = None,
    month: Annotated[str | None, typer.Option(help="Only this month, such as 2026-11.")] = None,
) -> None:
    """Show the fees earned: on completed disbursements only, by the East African day on which the owner was paid.

    Examples:
    rentpay report revenue
    rentpay report revenue --month 2026-11 --by owner
    rentpay report revenue --from 2026-11-01 --to 2026-11-30 --by day --json
    """
    from rentpay_cli.core.money import shillings, show_kes
    from rentpay_cli.errors import WrongUse
    from rentpay_cli.flows.look import day_number, month_days, read_day
    from rentpay_cli.store import reads

    if by not in ("day", "month", "owner", "property"):
        raise WrongUse(f"'{by}' is not a value of --by.", "Use day, month, owner or property.")
    if month and (since or until):
        raise WrongUse("--month already says from when to when.", "Leave out --from and --to.")
    first, last = month_days(month) if month else (read_day(text) if text else None for text in (since, until))
    if first and last and first > last:
        raise WrongUse(f"The period ends ({last}) before it begins ({first}).", "Swap --from and --to.")
    with runtime() as rt:
        rows = reads.revenue(rt.reader, by, day_number(first), day_number(last))
    items = [documents.revenue_item(row, _key(by, row["key"])) for row in rows]
    totals = {
        name: sum(int(row[column]) for row in rows)
        for name, column in (("fees", "fee_cents"), ("collected", "collected_cents"), ("disbursed", "disbursed_cents"))
    }
    if show.wants_json():
        show.document(
            total=shillings(totals["fees"]),
            currency="KES",
            **{"from": str(first) if first else None, "to": str(last) if last else None},
            collected=shillings(totals["collected"]),
            disbursed=shillings(totals["disbursed"]),
            by=by,
            rows=items,
        )
        return
    show.table(
        [
            (by.capitalize(), "left"),
            ("Payments", "right"),
            ("Collected", "right"),
            ("Platform fees", "right"),
            ("To owners", "right"),
        ],
        [
            (
                item["key"],
                f"{item['payments']:,}",
                f"{item['collected']:,}",
                f"{item['platformFees']:,}",
                f"{item['disbursed']:,}",
            )
            for item in items
        ],
        empty="No disbursement was completed in this period.",
    )
    if items:
        show.line(f"Fees earned: {show_kes(totals['fees'])} on {show_kes(totals['collected'])} collected.", "bold")


def _key(by: str, key: object) -> str:
    """A day as 2026-11-23, a month as 2026-11, a name as it is."""
    text = str(key)
    if by == "day":
        return f"{text[:4]}-{text[4:6]}-{text[6:]}"
    return f"{text[:4]}-{text[4:]}" if by == "month" else text
