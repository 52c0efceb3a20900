"""With RENTPAY_CONFIRM_COLLECTION, ask M-Pesa whether a tenant really paid before money goes out for it.

A callback that somebody forged in spite of everything would then still not move the platform's money.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlmodel import Session

from rentpay_cli.config import COLLECT
from rentpay_cli.core.evidence import Moved, NotMoved, Source
from rentpay_cli.core.payout import HoldKind
from rentpay_cli.flows.learn import learn
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import attempts, journal
from rentpay_cli.store.rows import number_of
from rentpay_cli.store.write import holds, payables

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
        if _was_released(session, payment_id):
            return None
        attempt_id, checkout_request_id = number_of(attempt), attempt.checkout_request_id
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
                attempts.ask_again_at(session, attempts.get(session, attempt_id), rt.now() + ASK_AGAIN_AFTER)
            return Unconfirmed()


_SURE = (Source.QUERY.value, Source.RULING.value)
"""By which a collection became known that needs no second word: M-Pesa's answer to us, or a person's."""


def _hold(rt: Runtime, payment_id: int, because: str) -> Unconfirmed:
    with rt.database.transaction() as session:
        share = payables.share_of(session, payment_id)
        assert share is not None  # that the rent came in is what was asked about
        payables.lock(session, [number_of(share)])
        holds.place(session, HoldKind.COLLECTION, because, rt.actor, rt.now(), payable_id=share.id)
        journal.write(session, rt.now(), rt.actor, "payout held", payment_id=payment_id, reason=because)
    return Unconfirmed(because)


def _was_released(session: Session, payment_id: int) -> bool:
    """Whether a person let the share go although M-Pesa does not confirm the rent."""
    share = payables.share_of(session, payment_id)
    return share is not None and holds.was_released(session, number_of(share), HoldKind.COLLECTION)
