"""`rentpay report`: what the platform earned, how payouts went, and the books."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rentpay_cli.cli import documents, sheet, show, terminal
from rentpay_cli.cli.common import Command, runtime
from rentpay_cli.core.money import shillings, show_kes
from rentpay_cli.core.payout import DisbursementStatus, PayableStatus
from rentpay_cli.core.revenue import Revenue, total

if TYPE_CHECKING:
    from rentpay_cli.core.ledger import Books, Line

app = typer.Typer(no_args_is_help=True)

From = Annotated[str | None, typer.Option("--from", metavar="DAY", help="From this day on, such as 2026-11-01.")]
To = Annotated[str | None, typer.Option("--to", metavar="DAY", help="Until this day, which counts too.")]
Month = Annotated[str | None, typer.Option(metavar="MONTH", help="Only this month, such as 2026-11.")]
Last = Annotated[str | None, typer.Option(metavar="TIME", help="The last days up to today, such as 30d or 4w.")]

PLOT_COLUMNS = 20
PLOT_TERMINAL_COLUMNS = 100


@app.callback()
def reports() -> None:
    pass


@app.command("revenue", cls=Command)
def revenue(
    by: Annotated[str, typer.Option(help="Group by day, month, owner or property.")] = "month",
    since: From = None,
    until: To = None,
    month: Month = None,
    last: Last = None,
    form: sheet.Format = "table",
) -> None:
    """Show the fees earned: on completed disbursements only, by the East African day on which the owner was paid.

    Beside the fee stand what M-Pesa charged for paying the owners, and the net margin, which is the fee less that.

    Examples:
    rentpay report revenue
    rentpay report revenue --month 2026-11 --by owner
    rentpay report revenue --last 30d --by day
    rentpay report revenue --from 2026-11-01 --to 2026-11-30 --by property --format csv > november.csv
    """
    from rentpay_cli.errors import WrongUse
    from rentpay_cli.flows.look import today
    from rentpay_cli.flows.period import read_period
    from rentpay_cli.store import report_reads

    if by not in ("day", "month", "owner", "property"):
        raise WrongUse(f"'{by}' is not a value of --by.", "Use day, month, owner or property.")
    wants_csv = sheet.chosen(form)
    with runtime() as rt:
        period = read_period(today(rt), since=since, until=until, month=month, last=last)
        rows = report_reads.revenue(rt.reader, by, *period.day_numbers)
        not_told = report_reads.charges_not_told(rt.reader, *period.day_numbers)
    items = [_revenue_item(by, row) for row in rows]
    if wants_csv:
        sheet.write(REVENUE_COLUMNS, items)
        return
    whole = total(map(_revenue, rows))
    if show.wants_json():
        show.document(
            total=shillings(whole.fee_cents),
            currency="KES",
            **period.document,
            collected=shillings(whole.collected_cents),
            disbursed=shillings(whole.disbursed_cents),
            mpesaCharges=shillings(whole.charge_cents),
            netMargin=shillings(whole.net_cents),
            disbursementsWithoutCharge=not_told,
            by=by,
            rows=items,
        )
        return
    _show_revenue(by, items, whole, not_told)


REVENUE_COLUMNS = ("key", "payments", "collected", "platformFees", "mpesaCharges", "netMargin", "disbursed")


def _revenue_item(by: str, row: documents.Row) -> documents.Row:
    return {**documents.revenue_item(row, _key(by, row["key"])), "netMargin": shillings(_revenue(row).net_cents)}


def _revenue(row: documents.Row) -> Revenue:
    return Revenue(
        collected_cents=int(row["collected_cents"]),
        fee_cents=int(row["fee_cents"]),
        charge_cents=int(row["charge_cents"]),
        disbursed_cents=int(row["disbursed_cents"]),
    )


def _show_revenue(by: str, items: list[documents.Row], whole: Revenue, not_told: int) -> None:
    plotted = _has_plot(by)
    most = max((item["platformFees"] for item in items), default=0)
    show.table(
        [
            (by.capitalize(), "left"),
            ("Payments", "right"),
            ("Collected", "right"),
            ("Fees", "right"),
            ("Charges", "right"),
            ("Net", "right"),
            ("To owners", "right"),
            *([("Fees", "left")] if plotted else []),
        ],
        [
            (
                item["key"],
                *(
                    f"{item[name]:,}"
                    for name in ("payments", "collected", "platformFees", "mpesaCharges", "netMargin", "disbursed")
                ),
                *([bar(item["platformFees"], most)] if plotted else []),
            )
            for item in items
        ],
        empty="No disbursement was completed in this period.",
    )
    if items:
        earned, collected = show_kes(whole.fee_cents), show_kes(whole.collected_cents)
        show.line(f"Fees earned: {earned} on {collected} collected.", "bold")
        show.line(f"M-Pesa charged {show_kes(whole.charge_cents)}, which leaves {show_kes(whole.net_cents)}.")
    if not_told:
        show.line(f"M-Pesa did not tell its charge for {not_told:,} of them; the charges lack it.")


def _has_plot(by: str) -> bool:
    return (
        by in ("day", "month")
        and sys.stdout.isatty()
        and terminal.width() >= PLOT_TERMINAL_COLUMNS
        and (sys.stdout.encoding or "").lower().startswith("utf")
    )


def bar(value: float, most: float) -> str:
    """A bar as long as the value is of the most, to an eighth of a character."""
    eighths = round(value / most * PLOT_COLUMNS * 8) if most > 0 else 0
    whole, rest = divmod(max(0, eighths), 8)
    return "█" * whole + " ▏▎▍▌▋▊▉"[rest].strip()


def _key(by: str, key: object) -> str:
    """A day as 2026-11-23, a month as 2026-11, a name as it is."""
    text = str(key)
    if by == "day":
        return f"{text[:4]}-{text[4:6]}-{text[6:]}"
    return f"{text[:4]}-{text[4:]}" if by == "month" else text


@app.command("disbursements", cls=Command)
def disbursements(
    since: From = None,
    until: To = None,
    month: Month = None,
    last: Last = None,
    form: sheet.Format = "table",
) -> None:
    """Show how payouts went: how many by status, how often and how quickly owners were paid, and why not.

    A disbursement is one transfer, of one share or of several. The period is that in which it was made, or, where there
    is none yet, in which the share was booked. The amount is what was transferred, else what the shares come to. Of
    those that failed, what was not sent again yet counts. The success rate is that of completed ones among those that
    ended; the retry success rate that among those that followed a failed one. The time is that of each payment.

    Examples:
    rentpay report disbursements
    rentpay report disbursements --last 30d
    rentpay report disbursements --month 2026-11 --json
    """
    from rentpay_cli.flows.look import today
    from rentpay_cli.flows.period import read_period
    from rentpay_cli.store import report_reads

    wants_csv = sheet.chosen(form)
    with runtime() as rt:
        period = read_period(today(rt), since=since, until=until, month=month, last=last)
        by_status = report_reads.disbursements_by_status(rt.reader, *period.moments)
        times = report_reads.times_to_owner(rt.reader, *period.moments)
        reasons = report_reads.failure_reasons(rt.reader, *period.moments)
        retried = report_reads.retries(rt.reader, *period.moments)
    statuses = _status_items(by_status)
    if wants_csv:
        sheet.write(("status", "disbursements", "amount", "payments"), statuses)
        return
    counts = {item["status"]: item["disbursements"] for item in statuses}
    completed, failed = counts[PayableStatus.COMPLETED], counts[PayableStatus.FAILED]
    rates = {
        "successRate": _rate(completed, completed + failed),
        "retrySuccessRate": _rate(int(retried["completed"]), int(retried["retried"])),
    }
    seconds = {
        "medianSecondsToOwner": _seconds(times["median"]),
        "meanSecondsToOwner": _seconds(times["mean"]),
    }
    if show.wants_json():
        show.document(
            currency="KES",
            **period.document,
            statuses=statuses,
            **rates,
            **seconds,
            retried=int(retried["retried"]),
            failures=[
                {
                    "code": row["code"],
                    "reason": row["reason"],
                    "count": int(row["failures"]),
                    "stillFailed": int(row["still_failed"]),
                }
                for row in reasons
            ],
        )
        return
    _show_disbursements(statuses, rates, seconds, int(retried["retried"]), reasons)


def _status_items(rows: list[documents.Row]) -> list[documents.Row]:
    """Every status, also those that do not occur."""
    found = {row["status"]: row for row in rows}
    return [
        {
            "status": status,
            "disbursements": int(found[status]["disbursements"]) if status in found else 0,
            "amount": shillings(int(found[status]["amount_cents"])) if status in found else 0,
            "payments": int(found[status]["payments"]) if status in found else 0,
        }
        for status in (*PayableStatus, DisbursementStatus.SETTLED)
    ]


def _rate(part: int, whole: int) -> float | None:
    """A share from 0 to 1, or None of nothing."""
    return round(part / whole, 4) if whole else None


def _seconds(milliseconds: Any) -> float | None:
    return None if milliseconds is None else round(float(milliseconds) / 1000, 1)


def _show_disbursements(
    statuses: list[documents.Row],
    rates: dict[str, float | None],
    seconds: dict[str, float | None],
    retried: int,
    reasons: list[documents.Row],
) -> None:
    show.table(
        [("Status", "status"), ("Disbursements", "right"), ("Payments", "right"), ("Amount", "right")],
        [
            (item["status"], f"{item['disbursements']:,}", f"{item['payments']:,}", f"{item['amount']:,}")
            for item in statuses
        ],
        empty="",
    )
    show.block(
        "How they went",
        [
            ("Success rate", _percent(rates["successRate"])),
            ("Payment to owner, median", _duration(seconds["medianSecondsToOwner"])),
            ("Payment to owner, mean", _duration(seconds["meanSecondsToOwner"])),
            ("Needed a second try", f"{retried:,}"),
            ("Retry success rate", _percent(rates["retrySuccessRate"])),
        ],
    )
    if not reasons:
        return
    show.table(
        [("Code", "left"), ("Why nothing moved", "left"), ("Times", "right"), ("Still failed", "right")],
        [
            (row["code"] or "", row["reason"] or "", f"{int(row['failures']):,}", f"{int(row['still_failed']):,}")
            for row in reasons
        ],
        empty="",
    )
    show.next_step(f"What a code means: rentpay explain {reasons[0]['code'] or 'CODE'}")


def _percent(rate: float | None) -> str:
    return "" if rate is None else f"{rate * 100:.1f} %"


def _duration(seconds: float | None) -> str:
    """A time as people say it."""
    if seconds is None:
        return ""
    whole = round(seconds)
    for unit, length, smaller, part in (("d", 86400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1)):
        if whole >= length:
            return f"{whole // length} {unit} {whole % length // part} {smaller}"
    return f"{seconds:g} s"


@app.command("ledger", cls=Command)
def ledger() -> None:
    """Show the books as a trial balance: debits and credits derived from facts; their sum is always zero.

    Rent that an owner received himself is in it by what he owes for it alone: it moved none of the platform's money.
    Compare the float with the paybill's accounts (`rentpay balance`), less what was in them before, and the charges
    with the charges account. What was moved from where rent lands to where owners are paid from is not in the books.

    Examples:
    rentpay report ledger
    rentpay report ledger --json
    """
    from rentpay_cli.store import report_reads
    from rentpay_cli.store.read.ledger import read_books

    with runtime() as rt:
        books = read_books(rt.reader)
        unknown = report_reads.charges_not_told(rt.reader, None, None)
    if show.wants_json():
        show.document(
            currency="KES",
            accounts=[_account_item(line, parts) for line, parts in _accounts(books)],
            total=shillings(books.total_cents),
            differences=[
                {"account": account.value, "balance": shillings(ours), "left": shillings(left)}
                for account, ours, left in books.differences()
            ],
            disbursementsWithoutCharge=unknown,
        )
    else:
        _show_books(books, unknown)
    if books.differences():
        raise typer.Exit(6)


def _accounts(books: Books) -> Iterator[tuple[Line, list[Line]]]:
    """Every account, the float first, and what it consists of."""
    from rentpay_cli.core.ledger import FLOAT_ACCOUNTS

    yield books.float_line, [books.line(account) for account in FLOAT_ACCOUNTS]
    for line in books.lines:
        if line.account not in FLOAT_ACCOUNTS:
            yield line, []


def _account_item(line: Line, parts: list[Line]) -> documents.Row:
    return {
        "account": line.account,
        "debit": shillings(line.debit_cents),
        "credit": shillings(line.credit_cents),
        "balance": shillings(line.balance_cents),
        **({"parts": [_account_item(part, []) for part in parts]} if parts else {}),
    }


def _show_books(books: Books, unknown: int) -> None:
    moved = [
        (f"{indent}{line.account}", *map(show_kes, (line.debit_cents, line.credit_cents, line.balance_cents)))
        for whole, parts in _accounts(books)
        for indent, line in (("", whole), *(("  ", part) for part in parts))
        if line.debit_cents or line.credit_cents
    ]
    show.table(
        [("Account", "left"), ("Debit", "right"), ("Credit", "right"), ("Balance", "right")],
        moved,
        empty="No money has moved yet.",
    )
    show.line(f"Debits less credits: {show_kes(books.total_cents)}", "bold")
    if unknown:
        show.line(f"M-Pesa did not tell its charge for {unknown} completed disbursements; the books lack it.")
    for account, ours, left in books.differences():
        show.line(
            f"{account.value} is {show_kes(ours)} by the books, but {show_kes(left)} by what is left:"
            " somebody changed the database by hand.",
            "bold red",
        )
