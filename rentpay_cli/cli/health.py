"""`rentpay health`: what needs a person now."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from rentpay_cli.cli import show
from rentpay_cli.cli.common import runtime
from rentpay_cli.core.clock import iso_utc
from rentpay_cli.core.health import Facts, Finding, Thresholds, findings, metrics
from rentpay_cli.core.money import parse_cents, shillings, show_kes

if TYPE_CHECKING:
    from datetime import datetime

_NEEDS_ATTENTION = 6
_MOST = 1_000_000


def health(
    pending_minutes: Annotated[
        int, typer.Option(min=1, max=_MOST, metavar="N", help="Minutes that a payment or disbursement may be pending.")
    ] = 60,
    processing_minutes: Annotated[
        int,
        typer.Option(
            min=1, max=_MOST, metavar="N", help="Minutes that M-Pesa may take to say what became of a payout."
        ),
    ] = 5,
    silence_minutes: Annotated[
        int,
        typer.Option(min=1, max=_MOST, metavar="N", help="Minutes without any callback while something waits for one."),
    ] = 30,
    worker_seconds: Annotated[
        int, typer.Option(min=1, max=_MOST, metavar="N", help="Seconds that the worker may give no sign of life.")
    ] = 60,
    low_float: Annotated[
        str | None,
        typer.Option(metavar="N", help="Shillings under which the float is low. [default: RENTPAY_LOW_FLOAT]"),
    ] = None,
    output: Annotated[
        str, typer.Option("--format", metavar="FORMAT", help="text, or prometheus for a monitor.")
    ] = "text",
) -> None:
    """It only looks at the database. The float is the last reading of the Working Account, which `rentpay balance`
    renews.

    Examples:
    rentpay health
    rentpay health --pending-minutes 180 --low-float 50000 --json
    rentpay health --format prometheus
    """
    from rentpay_cli.flows.health import facts as look

    _check_format(output)
    low_float_cents = None if low_float is None else _cents(low_float)
    with runtime() as rt:
        thresholds = Thresholds(
            pending_minutes=pending_minutes,
            processing_minutes=processing_minutes,
            silence_minutes=silence_minutes,
            worker_seconds=worker_seconds,
            float_cents=rt.settings.low_float_cents if low_float_cents is None else low_float_cents,
        )
        facts = look(rt, thresholds)
    found = findings(facts, thresholds)
    if output == "prometheus":
        sys.stdout.write(metrics(facts, thresholds))
    elif show.wants_json():
        _show_json(facts, found)
    else:
        _show(facts, found)
    if found:
        raise typer.Exit(_NEEDS_ATTENTION)


def _check_format(output: str) -> None:
    from rentpay_cli.errors import WrongUse

    if output not in ("text", "prometheus"):
        raise WrongUse(f"'{output}' is not a value of --format.", "Use text or prometheus; for JSON add --json.")
    if output == "prometheus" and show.wants_json():
        raise WrongUse("--format prometheus and --json exclude each other.", "Leave one of them out.")


def _cents(text: str) -> int:
    from rentpay_cli.errors import WrongUse

    try:
        return parse_cents(text)
    except ValueError as error:
        raise WrongUse(f"{error}.", "For example: --low-float 50000") from None


def _show(facts: Facts, found: list[Finding]) -> None:
    if not found:
        show.line("All is well: nothing needs a person now.")
    else:
        show.table(
            [("Needs attention", "left"), ("Deal with it", "left")],
            [(finding.text, finding.command) for finding in found],
            empty="",
        )
    unclear = f", {facts.unclear} unclear" if facts.unclear else ""
    show.line(f"On their way: {facts.pending} pending, {facts.processing} processing{unclear}. {_float_words(facts)}")


def _float_words(facts: Facts) -> str:
    due = f"To be sent to owners (pending, or failed and safe to send again): {show_kes(facts.due_cents)}"
    if facts.float is None:
        return f"{due}; the float is not known."
    since = ", and money has come in since" if facts.float.is_outdated else ""
    return f"{due}; the float held {show_kes(facts.float.cents)} when last read{since}."


def _show_json(facts: Facts, found: list[Finding]) -> None:
    show.document(
        healthy=not found,
        findings=[
            {"kind": finding.kind, "message": finding.text, "command": finding.command, "count": finding.count}
            for finding in found
        ],
        counts={
            "failed": facts.failed,
            "pending": facts.pending,
            "pendingLate": facts.pending_late,
            "processing": facts.processing,
            "processingLate": facts.processing_late,
            "paymentsPendingLate": facts.rents_late,
            "unclear": facts.unclear,
            "unreadCallbacks": facts.unread,
            "heldCallbacks": facts.held,
            "refusedCallbacks": facts.refused_in_all,
            "heldPayouts": facts.held_payouts,
            "openFindings": facts.findings,
            "stoppedOwners": facts.owners_stopped,
            "heldPaybillChanges": facts.changes_held,
        },
        payoutsStopped=facts.stop_reason,
        due=shillings(facts.due_cents),
        float=shillings(facts.float.cents) if facts.float else None,
        floatAt=_moment(facts.float.read_at) if facts.float else None,
        floatKnown=facts.float is not None and not facts.float.is_outdated,
        lastCallbackAt=_moment(facts.last_callback_at),
        workerAliveAt=_moment(facts.worker_alive_at),
    )


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else iso_utc(moment)
