"""With RENTPAY_CONFIRM_COLLECTION, ask M-Pesa whether a tenant really paid before money goes out for it.

A callback that somebody forged in spite of everything would then still not move the platform's money.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlmodel import Session

from rentpay_cli.config import COLLECT
from rentpay_cli.core.evidence import Moved, NotMoved
from rentpay_cli.flows.learn import Source, learn
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import attempts, disbursements, journal, payments
from rentpay_cli.store.tables import Disbursement

ASK_AGAIN_AFTER = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Unconfirmed:
    """M-Pesa did not say that the rent came in; where it said the contrary, the share is held, and why."""

    held_because: str | None = None


def confirm_collection(rt: Runtime, payment_id: int) -> Unconfirmed | None:
    """Make sure, by an STK query, that the rent came in; None if it did, or if nobody wants to know."""
    if not rt.settings.confirm_collection:
        return None
    rt.settings.require(COLLECT)
    with rt.database.transaction() as session:
        attempt = attempts.of_payment(session, payment_id)
        if attempt is None or attempt.confirmed_at is not None or attempt.learned_by in _SURE:
            return None
        attempt_id, checkout_request_id = attempt.id or 0, attempt.checkout_request_id
    if checkout_request_id is None:
        return _hold(rt, payment_id, "M-Pesa gave no id by which it could be asked whether the tenant paid")
    answer = rt.mpesa.stk_query(checkout_request_id)
    match answer:
        case Moved():
            with rt.database.transaction() as session:
                attempts.note_confirmed(session, attempt_id, rt.now())
                journal.write(
                    session, rt.now(), rt.actor, "rent confirmed", payment_id=payment_id, attempt_id=attempt_id
                )
            return None
        case NotMoved(code, text):
            with rt.database.transaction() as session:
                learn(session, attempt_id, answer, source=Source.QUERY, actor=rt.actor, at=rt.now())
            because = f"a callback said that the tenant paid, and M-Pesa's query says: {text} ({code})"
            return _hold(rt, payment_id, because)
        case _:
            with rt.database.transaction() as session:
                disbursements.not_before(session, _disbursement(session, payment_id), rt.now() + ASK_AGAIN_AFTER)
            return Unconfirmed()


_SURE = (Source.QUERY.value, Source.RULING.value)
"""By which a collection became known that needs no second word: M-Pesa's answer to us, or a person's."""


def _hold(rt: Runtime, payment_id: int, because: str) -> Unconfirmed:
    with rt.database.transaction() as session:
        disbursements.hold(session, _disbursement(session, payment_id), because)
        journal.write(session, rt.now(), rt.actor, "payout held", payment_id=payment_id, reason=because)
    return Unconfirmed(because)


def _disbursement(session: Session, payment_id: int) -> Disbursement:
    return disbursements.get(session, payments.get(session, payment_id).disbursement_id or 0)
