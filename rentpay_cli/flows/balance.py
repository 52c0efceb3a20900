"""Ask M-Pesa what the paybill's accounts hold; the answer comes by callback."""

from __future__ import annotations

from dataclasses import dataclass

from rentpay_cli.config import PAY_OUT
from rentpay_cli.core.callbacks import EnquiryKind, EnquiryState
from rentpay_cli.core.evidence import Acknowledged, Refused
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import enquiries, journal
from rentpay_cli.store.rows import number_of


@dataclass(frozen=True, slots=True)
class NotTaken:
    """M-Pesa did not take the question, and why."""

    reason: str


def ask_balance(rt: Runtime) -> int | NotTaken:
    """Send the question and return its number; raises `MpesaUnreachable` before it is written down."""
    rt.settings.require(PAY_OUT)
    rt.mpesa.prepare()
    token = rt.new_token()
    with rt.database.transaction() as session:
        enquiry = enquiries.ask(session, EnquiryKind.BALANCE, token, rt.now())
        journal.write(session, rt.now(), rt.actor, "asked M-Pesa", about=EnquiryKind.BALANCE.value, question=enquiry.id)
    reply = rt.mpesa.account_balance(
        remarks="rentpay balance",
        result_url=f"{rt.settings.b2b_callback_url}/{token}",
        timeout_url=f"{rt.settings.timeout_url}/{token}/timeout",
    )
    if isinstance(reply, Acknowledged):
        text = "accepted"
    else:
        text = f"{reply.text} ({reply.code})" if isinstance(reply, Refused) else reply.reason
    with rt.database.transaction() as session:
        if not isinstance(reply, Acknowledged):
            enquiries.settle(session, enquiry, EnquiryState.REFUSED, text, rt.now())
        journal.write(
            session,
            rt.now(),
            rt.actor,
            "M-Pesa answered",
            about=EnquiryKind.BALANCE.value,
            question=enquiry.id,
            answer=text,
        )
    return number_of(enquiry) if isinstance(reply, Acknowledged) else NotTaken(text)
