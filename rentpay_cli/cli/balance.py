"""`rentpay balance`: what the paybill's accounts hold."""

from __future__ import annotations

from rentpay_cli.cli import documents, show
from rentpay_cli.cli.common import runtime, say_environment
from rentpay_cli.cli.waiting import WAIT_SECONDS, Timeout, Wait, until
from rentpay_cli.core.callbacks import EnquiryState
from rentpay_cli.core.money import shillings, show_kes


def balance(wait: Wait = False, timeout: Timeout = WAIT_SECONDS) -> None:
    """M-Pesa answers by callback, which `rentpay serve-callbacks` receives. Without --wait, the last known balances are
    shown.

    Examples:
    rentpay balance --wait
    """
    from rentpay_cli.errors import OutcomeUnknown, RuleRefused
    from rentpay_cli.flows.balance import NotTaken, ask_balance
    from rentpay_cli.store import reads

    with runtime() as rt:
        say_environment(rt)
        number = ask_balance(rt)
        if isinstance(number, NotTaken):
            raise RuleRefused(
                f"M-Pesa did not take the question: {number.reason}", "Try again; a question moves no money."
            )
        answered = False
        if wait:

            def ended() -> documents.Row | None:
                row = reads.enquiry(rt.reader, number)
                return row if row and row["state"] != EnquiryState.ASKED else None

            row = until(ended, timeout, "Waiting for M-Pesa…")
            if row is None:
                raise OutcomeUnknown(
                    f"After {timeout} seconds M-Pesa has not answered.",
                    "Is `rentpay serve-callbacks` running? A question moves no money: ask again at any time.",
                )
            if row["state"] != EnquiryState.ANSWERED:
                raise RuleRefused(f"M-Pesa did not tell the balance: {row['outcome']}", code="balance_refused")
            answered = True
        rows = reads.balances(rt.reader)
    accounts = [
        {
            "account": row["account"],
            "current": shillings(row["current_cents"]),
            "available": shillings(row["available_cents"]),
            "at": documents.moment(row["read_at"]),
        }
        for row in rows
    ]
    if show.wants_json():
        show.document(message="Balance received" if answered else "Balance asked for", accounts=accounts)
        return
    if not answered:
        show.line("M-Pesa was asked; the answer comes by callback. Last known:")
    show.table(
        [("Account", "left"), ("Current", "right"), ("Available", "right"), ("As of (EAT)", "left")],
        [
            (
                row["account"],
                show_kes(row["current_cents"]),
                show_kes(row["available_cents"]),
                documents.listed(row["read_at"]),
            )
            for row in rows
        ],
        empty="No balance is known yet.",
    )
