"""Wait for an outcome and end with its exit status: 0 done, 1 failed, 5 not known when the time is up."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rentpay_cli.cli import documents, show
from rentpay_cli.core.members import payments_in_words
from rentpay_cli.core.money import show_kes
from rentpay_cli.core.payout import PayableStatus, PaymentStatus
from rentpay_cli.errors import OutcomeUnknown, RuleRefused

if TYPE_CHECKING:
    from rentpay_cli.runtime import Runtime

WAIT_SECONDS = 120
POLL_SECONDS = 0.3

Wait = Annotated[bool, typer.Option("--wait", help="Wait until it is known what became of it.")]
Timeout = Annotated[int, typer.Option(min=1, metavar="S", help="How many seconds --wait waits at most.")]


def until(found: Callable[[], Any], timeout_seconds: float, words: str) -> Any:
    """What `found` returns once it is not None; None when the time is up."""
    import sys

    ends = time.monotonic() + timeout_seconds
    quiet = show.wants_json() or not sys.stderr.isatty()
    with nullcontext() if quiet else show.console(err=True).status(words):
        while True:
            result = found()
            if result is not None or time.monotonic() >= ends:
                return result
            time.sleep(POLL_SECONDS)


def wait_for_payment(rt: Runtime, payment_id: int, timeout_seconds: int) -> None:
    """Wait until the tenant's payment succeeded or failed, and show it."""
    from rentpay_cli.store import reads

    def ended() -> documents.Row | None:
        row = reads.payment(rt.reader, payment_id)
        return row if row and row["status"] != PaymentStatus.PENDING else None

    row = until(ended, timeout_seconds, "Waiting for the tenant…")
    if row is None:
        raise OutcomeUnknown(
            f"After {timeout_seconds} seconds M-Pesa has not said whether payment {payment_id} was paid.",
            f"Do not ask again yet. Is `rentpay serve-callbacks` running? See: rentpay status {payment_id}",
        )
    if row["status"] == PaymentStatus.FAILED:
        raise RuleRefused(
            f"Payment {payment_id} failed: {row['failure_reason']} ({row['failure_code']})",
            f"See: rentpay status {payment_id}",
            code="payment_failed",
        )
    words = f"The tenant paid {show_kes(row['amount_cents'])} ({_receipt(row['receipt'])})."
    _show_ended(rt, row, words, whole_id=True)  # as `initiate` gives it without --wait, for scripts


def wait_for_disbursement(rt: Runtime, payment_id: int, timeout_seconds: int) -> None:
    """Wait until the owner's share is completed or failed, and show it."""
    from rentpay_cli.store import reads

    ended_as = (PayableStatus.COMPLETED, PayableStatus.FAILED)

    def ended() -> documents.Row | None:
        row = reads.payment(rt.reader, payment_id)
        return row if row and row["disbursement_status"] in ended_as else None

    row = until(ended, timeout_seconds, "Waiting for M-Pesa…")
    if row is None:
        raise OutcomeUnknown(
            f"After {timeout_seconds} seconds M-Pesa has not said whether the owner was paid for payment {payment_id}.",
            f"It will not be sent again until that is known. Is `rentpay serve-callbacks` running? "
            f"See: rentpay status {payment_id}",
        )
    if row["disbursement_status"] == PayableStatus.FAILED:
        raise RuleRefused(
            f"The payout of payment {payment_id} failed: {row['disbursement_failure_reason']} "
            f"({row['disbursement_failure_code']}) Nothing moved.",
            f"See: rentpay explain {row['disbursement_failure_code']}",
            code="disbursement_failed",
        )
    paid = f"The owner was paid {show_kes(row['share_cents'])}{_with_others(row)} ({_receipt(row['transaction_id'])})."
    _show_ended(rt, row, paid)


def _with_others(row: documents.Row) -> str:
    """That the share went in one transfer with others, where it did."""
    if len(row["payments"]) == 1:
        return ""
    return f", in one transfer of {show_kes(row['transfer_cents'])} for {payments_in_words(row['payments'])}"


def _show_ended(rt: Runtime, row: documents.Row, words: str, *, whole_id: bool = False) -> None:
    from rentpay_cli.cli.why import next_command
    from rentpay_cli.flows.why import why_not_sent

    if show.wants_json():
        show.document(
            message=words,
            paymentId=str(row["id"]),
            payments=documents.numbers(row["payments"]),
            checkoutRequestId=documents.checkout_id(row["checkout_request_id"], reveal=whole_id),
            merchantRequestId=row["merchant_request_id"],
            disbursementConversationId=row["conversation_id"],
            payment=documents.payment(row),
        )
    else:
        show.line(f"Payment {row['id']}: {words}")
        if row["disbursement_status"] != PayableStatus.PENDING:
            return
        why = why_not_sent(rt, row)
        step = next_command(rt, why.reason, row) if why else f"Send the owner's share: rentpay disburse {row['id']}"
        show.next_step(step)


def _receipt(receipt: str | None) -> str:
    return f"receipt {receipt}" if receipt else "its receipt is still to come"
