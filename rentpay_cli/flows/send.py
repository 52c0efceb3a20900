"""The one way in which money leaves, for one share and for ten thousand: claim, wire, learn.

    claim   one transaction: the share is locked, then its guard is read, then the attempt is written down
    wire    one B2B request, outside any transaction
    learn   one transaction: what M-Pesa's reply says

A process that dies between two of them leaves an attempt in `sending`, which is not sent again and is asked about. The
claims of a run are made one after the other, each right before its request leaves, so that whatever forbids payouts (a
stop, the end of the float, an answer that asks for less) keeps the next one from leaving; requests and replies
overlap. How many are on the wire, and what ends a run early, is told in `flows/brake`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from rentpay_cli.core.attempt import State
from rentpay_cli.core.clock import eat_midnight
from rentpay_cli.core.codes import Advice
from rentpay_cli.core.disburse import WORDS, DisbursementStatus, Refusal, why_not
from rentpay_cli.core.evidence import Acknowledged, Refused, Unanswered
from rentpay_cli.core.limits import REPEATED, SentToday, why_held
from rentpay_cli.errors import BadDatabase
from rentpay_cli.flows.confirm import confirm_collection
from rentpay_cli.flows.learn import Source, learn
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import attempts, brake, disbursements, journal, register, stops
from rentpay_cli.store.engine import lock_payouts
from rentpay_cli.store.rows import StaleWrite
from rentpay_cli.store.tables import Disbursement, Owner

Reply: TypeAlias = Acknowledged | Refused | Unanswered

LEARN_AGAIN_SECONDS = (0.5, 1, 2, 4, 8, 15, 30)
"""How long to wait before a reply that could not be written is written again: a minute in all."""


@dataclass(frozen=True, slots=True)
class Sent:
    """M-Pesa accepted the request; whether the owner is paid is not known yet."""

    payment_id: int
    amount_cents: int
    fee_cents: int
    paybill: str
    account_number: str
    conversation_id: str | None


@dataclass(frozen=True, slots=True)
class NotSent:
    """Nothing left, and why; `owner_id` is whose payouts are stopped, where it is one owner's alone."""

    payment_id: int
    reason: Refusal
    because: str
    owner_id: int | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """Nothing left: the share now waits for a person, and why."""

    payment_id: int
    because: str


@dataclass(frozen=True, slots=True)
class Failed:
    """M-Pesa refused the request, or could not be reached: nothing moved."""

    payment_id: int
    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Unclear:
    """No usable answer came: the owner may have been paid."""

    payment_id: int
    reason: str
    slow_down: bool = False


Outcome: TypeAlias = Sent | NotSent | Held | Failed | Unclear


@dataclass(frozen=True, slots=True)
class Claimed:
    """A share that is written down and may now go on the wire, once."""

    payment_id: int
    disbursement_id: int
    attempt_id: int
    number: int
    amount_cents: int
    fee_cents: int
    paybill: str
    account_number: str
    token: str


def claim(
    rt: Runtime,
    find: Callable[[Session], Disbursement | None],
    *,
    mended: Iterable[Advice],
    began_at: datetime | None = None,
) -> Claimed | NotSent | Held | None:
    """Write down that the share which `find` locks is about to be sent, or why it is not; None if it locks none.

    `mended` is what a person vouches for; `began_at` is when the run began, in which the float may have run out.
    """
    limits, payment_id = rt.settings.limits, 0
    try:
        with rt.database.transaction() as session:
            lock_payouts(session, alone=limits.day_cents is not None or limits.owner_day_cents is not None)
            disbursement = find(session)
            if disbursement is None:
                return None
            payment_id, share = disbursements.share(session, disbursement.id or 0, began_at)
            reason = why_not(share, mended=mended)
            if reason is not None:
                return _not_sent(session, payment_id, reason, disbursement.owner_id)
            at = rt.now()
            held_because = _why_held(rt, session, disbursement, at)
            if held_because:
                disbursements.hold(session, disbursement, held_because)
                journal.write(session, at, rt.actor, "payout held", payment_id=payment_id, reason=held_because)
                return Held(payment_id, held_because)
            return _write_intention(rt, session, disbursement, payment_id, at)
    except (StaleWrite, IntegrityError):  # the database knows better: it has a live attempt
        return NotSent(payment_id, Refusal.UNDER_WAY, WORDS[Refusal.UNDER_WAY])


def _write_intention(
    rt: Runtime, session: Session, disbursement: Disbursement, payment_id: int, at: datetime
) -> Claimed:
    token, disbursement_id = rt.new_token(), disbursement.id or 0
    brake.credential_since(session, credential_digest(rt), at)
    disbursements.move(session, disbursement, DisbursementStatus.PROCESSING)
    attempt_id, number = attempts.open_payout(session, disbursement_id, disbursement.amount_cents, token, at)
    journal.write(
        session,
        at,
        rt.actor,
        "payout intended",
        payment_id=payment_id,
        attempt_id=attempt_id,
        amount_cents=disbursement.amount_cents,
        paybill=disbursement.paybill,
        account_number=disbursement.account_number,
        number=number,
    )
    return Claimed(
        payment_id,
        disbursement_id,
        attempt_id,
        number,
        disbursement.amount_cents,
        disbursement.fee_cents,
        disbursement.paybill,
        disbursement.account_number,
        token,
    )


def credential_digest(rt: Runtime) -> str:
    """By what another credential of the operator, or another paybill, is told from the one before."""
    parts = (rt.settings.short_code, rt.settings.initiator_name, rt.settings.security_credential)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _not_sent(session: Session, payment_id: int, reason: Refusal, owner_id: int) -> NotSent:
    if reason is not Refusal.STOPPED:
        return NotSent(payment_id, reason, WORDS[reason])
    return stopped(session, payment_id, owner_id)


def stopped(session: Session, payment_id: int, owner_id: int) -> NotSent:
    """That nothing is sent because all payouts, or those to this owner, are stopped, and why."""
    stop = stops.against(session, owner_id)
    assert stop is not None  # that there is one was read in this transaction
    which = WORDS[Refusal.STOPPED]
    if stop.owner_id is not None:
        which = f"payouts to {register.find(session, Owner, str(stop.owner_id)).name} are stopped"
    return NotSent(payment_id, Refusal.STOPPED, f"{which} ({stop.reason})", stop.owner_id)


def _why_held(rt: Runtime, session: Session, disbursement: Disbursement, at: datetime) -> str:
    """Why a person must look at the share before it is sent, or an empty text."""
    if disbursement.released_at is not None:
        return ""
    limits, day_began = rt.settings.limits, eat_midnight(at)
    sent = SentToday()
    if limits.day_cents is not None or limits.owner_day_cents is not None:
        sent = SentToday(
            attempts.sent_since(session, day_began), attempts.sent_since(session, day_began, disbursement.owner_id)
        )
    reason = why_held(disbursement.amount_cents, limits, sent)
    # Somebody, not M-Pesa, said that the rent came in or that an earlier payout did not go out.
    if not reason and disbursements.was_learned_by(session, disbursement.id or 0, Source.RULING.value):
        reason = REPEATED if disbursements.looks_repeated(session, disbursement, at - timedelta(hours=24)) else ""
    return reason


def put_on_wire(rt: Runtime, claimed: Claimed) -> Reply:
    """Send one B2B request; what M-Pesa replied must be learned next."""
    rt.sending(claimed.payment_id)
    return rt.mpesa.b2b_payment(
        to_paybill=claimed.paybill,
        account_number=claimed.account_number,
        amount_cents=claimed.amount_cents,
        remarks=f"Rent payment {claimed.payment_id} attempt {claimed.number}",
        result_url=f"{rt.settings.b2b_callback_url}/{claimed.token}",
        timeout_url=f"{rt.settings.timeout_url}/{claimed.token}/timeout",
    )


def learn_reply(rt: Runtime, claimed: Claimed, reply: Reply) -> Outcome:
    """Write down what M-Pesa replied, again for a minute if it cannot be written; raises `BadDatabase` after that."""
    for pause_seconds in (*LEARN_AGAIN_SECONDS, None):
        try:
            with rt.database.transaction() as session:
                learned = learn(session, claimed.attempt_id, reply, source=Source.REPLY, actor=rt.actor, at=rt.now())
        except BadDatabase:
            if pause_seconds is None:
                raise
            rt.pause(pause_seconds)
        else:
            break
    match reply:
        case Refused(code, text):
            return Failed(claimed.payment_id, code, text)
        case Unanswered(reason, slow_down) if learned.state is State.UNCLEAR or slow_down:
            return Unclear(claimed.payment_id, reason, slow_down)
    return Sent(
        claimed.payment_id,
        claimed.amount_cents,
        claimed.fee_cents,
        claimed.paybill,
        claimed.account_number,
        getattr(reply, "conversation_id", None),
    )


def confirm(rt: Runtime, payment_id: int) -> NotSent | Held | None:
    """Ask M-Pesa whether the rent came in, where the settings want that; why nothing may be sent, if it did not."""
    found = confirm_collection(rt, payment_id)
    if found is None:
        return None
    if found.held_because is not None:
        return Held(payment_id, found.held_because)
    return NotSent(payment_id, Refusal.NOT_CONFIRMED, WORDS[Refusal.NOT_CONFIRMED])
