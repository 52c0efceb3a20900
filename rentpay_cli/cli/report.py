"""`rentpay report`: what the platform earned."""

from __future__ import annotations

from typing import Annotated

import typer

from rentpay_cli.cli import documents, show
from rentpay_cli.cli.common import Command, runtime
from rentpay_cli.core.money import shillings, show_kes

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


@app.command("ledger", cls=Command)
def ledger() -> None:
    """Show the books as a trial balance: debits and credits derived from settled facts; their sum is always zero.

    Rent paid outside M-Pesa is not in it: it moved none of the platform's money. Compare the float with the paybill's
    working account (`rentpay balance`), less what was in it before, and the charges with the charges account.

    Examples:
    rentpay report ledger
    rentpay report ledger --json
    """
    from rentpay_cli.core.ledger import Facts, out_of_balance_cents, trial_balance
    from rentpay_cli.errors import NeedsAttention
    from rentpay_cli.store import reads

    with runtime() as rt:
        facts = Facts(**{name: int(cents) for name, cents in reads.ledger_facts(rt.reader).items()})
        unknown = reads.unknown_charges(rt.reader)
    lines = trial_balance(facts)
    difference = out_of_balance_cents(lines)
    if show.wants_json():
        show.document(
            currency="KES",
            accounts=[
                {
                    "account": line.account.value,
                    "debit": shillings(line.debit_cents),
                    "credit": shillings(line.credit_cents),
                    "balance": shillings(line.balance_cents),
                }
                for line in lines
            ],
            total=shillings(difference),
            disbursementsWithoutCharge=unknown,
        )
    else:
        show.table(
            [("Account", "left"), ("Debit", "right"), ("Credit", "right"), ("Balance", "right")],
            [
                (
                    line.account.value,
                    show_kes(line.debit_cents),
                    show_kes(line.credit_cents),
                    show_kes(line.balance_cents),
                )
                for line in lines
            ],
            empty="",
        )
        show.line(f"Debits less credits: {show_kes(difference)}", "bold")
        if unknown:
            show.line(f"M-Pesa did not tell its charge for {unknown} completed disbursements; the books lack it.")
    if difference:
        raise NeedsAttention(
            "The books do not balance.", "Somebody changed the database by hand.", code="out_of_balance"
        )
