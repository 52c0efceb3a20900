"""With RENTPAY_CONFIRM_COLLECTION, ask M-Pesa whether a tenant really paid before money goes out for it.

A callback that somebody forged in spite of everything would then still not move the platform's money.
"""

from __future__ import annotations

from datetime import timedelta

from sqlmodel import Session

from rentpay_cli.config import COLLECT
from rentpay_cli.core.evidence import Moved, NotMoved
from rentpay_cli.errors import RuleRefused
from rentpay_cli.flows.learn import Source, learn
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import attempts, disbursements, journal, payments
from rentpay_cli.store.tables import Disbursement

ASK_AGAIN_AFTER = timedelta(minutes=1)


def confirm_collection(rt: Runtime, payment_id: int) -> None:
    """Make sure, by an STK query, that the rent came in; raises `RuleRefused` unless M-Pesa says so."""
    if not rt.settings.confirm_collection:
        return
    rt.settings.require(COLLECT)
    with rt.database.transaction() as session:
        attempt = attempts.of_payment(session, payment_id)
        if attempt is None or attempt.confirmed_at is not None or attempt.learned_by in _SURE:
            return
        attempt_id, checkout_request_id = attempt.id or 0, attempt.checkout_request_id
    if checkout_request_id is None:
        _hold(rt, payment_id, "M-Pesa gave no id by which it could be asked whether the tenant paid")
    answer = rt.mpesa.stk_query(checkout_request_id or "")
    match answer:
        case Moved():
            with rt.database.transaction() as session:
                attempts.note_confirmed(session, attempt_id, rt.now())
                journal.write(
                    session, rt.now(), rt.actor, "rent confirmed", payment_id=payment_id, attempt_id=attempt_id
                )
        case NotMoved(code, text):
            with rt.database.transaction() as session:
                learn(session, attempt_id, answer, source=Source.QUERY, actor=rt.actor, at=rt.now())
            _hold(rt, payment_id, f"a callback said that the tenant paid, and M-Pesa's query says: {text} ({code})")
        case _:
            with rt.database.transaction() as session:
                disbursements.not_before(session, _disbursement(session, payment_id), rt.now() + ASK_AGAIN_AFTER)
            raise RuleRefused(
                f"Payment {payment_id} was not disbursed: M-Pesa has not confirmed by query yet that the tenant paid.",
                f"Try again in a minute: rentpay disburse {payment_id}",
                code="not_confirmed",
            )


_SURE = (Source.QUERY.value, Source.RULING.value)
"""By which a collection became known that needs no second word: M-Pesa's answer to us, or a person's."""


def _hold(rt: Runtime, payment_id: int, reason: str) -> None:
    with rt.database.transaction() as session:
        disbursements.hold(session, _disbursement(session, payment_id), reason)
        journal.write(session, rt.now(), rt.actor, "payout held", payment_id=payment_id, reason=reason)
    raise RuleRefused(
        f"Payment {payment_id} was not disbursed: it is held, because {reason}.",
        f"Look on the paybill's statement. To let it go: rentpay payouts release {payment_id} --reason TEXT",
        code="held",
    )


def _disbursement(session: Session, payment_id: int) -> Disbursement:
    return disbursements.get(session, payments.get(session, payment_id).disbursement_id or 0)
