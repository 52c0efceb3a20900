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
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from rentpay_cli.core.attempt import State
from rentpay_cli.core.clock import eat_midnight
from rentpay_cli.core.codes import Advice
from rentpay_cli.core.evidence import Acknowledged, Refused, Source, Unanswered
from rentpay_cli.core.limits import REPEATED, SentToday, why_held
from rentpay_cli.core.members import if_several
from rentpay_cli.core.payout import WORDS, HoldKind, Refusal, Way, because
from rentpay_cli.core.transfers import Transfer
from rentpay_cli.errors import BadDatabase
from rentpay_cli.flows.confirm import confirm_collection
from rentpay_cli.flows.learn import learn
from rentpay_cli.flows.why import Intended, plan
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import attempts, brake, journal, register, stops
from rentpay_cli.store.engine import lock_payouts
from rentpay_cli.store.guard import Candidate
from rentpay_cli.store.rows import StaleWrite, number_of
from rentpay_cli.store.tables import Owner, Payable
from rentpay_cli.store.write import disbursements, holds, payables
from rentpay_cli.store.write.payables import payment_of

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


@dataclass(frozen=True, slots=True)
class Settled:
    """Nothing left: the owner owes so much that the share settles a part of it."""

    payment_id: int
    share_cents: int
    owes_cents: int


Outcome: TypeAlias = Sent | NotSent | Held | Failed | Unclear | Settled


@dataclass(frozen=True, slots=True)
class Claimed:
    """A transfer that is written down and may now go on the wire, once."""

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
    find: Callable[[Session], Payable | None],
    *,
    mended: Iterable[Advice],
    began_at: datetime | None = None,
) -> Claimed | NotSent | Held | Settled | None:
    """Write down that the share which `find` locks is about to be sent, or why it is not; None if it locks none.

    What its owner owes goes with it. `mended` is what a person vouches for; `began_at` is when the run began, in which
    the float may have run out.
    """
    limits = rt.settings.limits
    payment_id: int | None = None
    try:
        with rt.database.transaction() as session:
            lock_payouts(session, alone=limits.day_cents is not None or limits.owner_day_cents is not None)
            found = find(session)
            if found is None:
                return None
            payment_id, at = payment_of(found), rt.now()
            own = rt.settings.short_code
            intended = intend(session, found, at, own=own, mended=mended, began_at=began_at)
            if isinstance(intended, NotSent):
                return intended
            share, members, transfer = intended.share, intended.members, intended.transfer
            if transfer.way is Way.NONE:
                return _settle(rt, session, transfer, members, share, at)
            held = _why_held(rt, session, share, transfer.amount_cents, at)
            if held is not None:
                return _hold(rt, session, share, *held, at)
            return write_intention(rt, session, transfer, members, at)
    except (StaleWrite, IntegrityError) as error:  # the database knows better: something has the share
        if payment_id is None or (isinstance(error, IntegrityError) and not disbursements.is_taken(error)):
            raise
        return NotSent(payment_id, Refusal.UNDER_WAY, WORDS[Refusal.UNDER_WAY])


def intend(
    session: Session,
    share: Payable,
    at: datetime,
    *,
    own: str,
    mended: Iterable[Advice],
    began_at: datetime | None = None,
) -> Intended | NotSent:
    """The one transfer of a share and of what its owner owes, as it would be made now, or why none is.

    `own` is the platform's short code.
    """
    debts = payables.lock_debts(session, share.owner_id)
    numbers = [number_of(share), *(number_of(debt) for debt in debts)]
    among = payables.candidates(session, numbers, at, began_at, own=own)
    found = plan(among, number_of(share), mended=mended)
    return found if isinstance(found, Intended) else _not_sent(session, share, found, at)


def _settle(
    rt: Runtime, session: Session, transfer: Transfer, members: Sequence[Candidate], share: Candidate, at: datetime
) -> Settled:
    """The owner owes more than the share: it settles a part of that, and no money moves."""
    number = disbursements.propose(session, transfer, members, at)
    disbursements.settle(session, number, at, rt.actor)
    payment_id = payment_of(share)
    owes_cents = -transfer.carried_cents
    journal.write(
        session,
        at,
        rt.actor,
        "settled without a transfer",
        payment_id=payment_id,
        disbursement=number,
        owes_cents=owes_cents,
    )
    return Settled(payment_id, share.amount_cents, owes_cents)


def _hold(rt: Runtime, session: Session, share: Candidate, kind: HoldKind, because: str, at: datetime) -> Held:
    payment_id = payment_of(share)
    holds.place(session, kind, because, rt.actor, at, payable_id=share.payable_id)
    journal.write(session, at, rt.actor, "payout held", payment_id=payment_id, reason=because)
    return Held(payment_id, because)


def write_intention(
    rt: Runtime, session: Session, transfer: Transfer, members: Sequence[Candidate], at: datetime
) -> Claimed:
    """Write down a transfer of these members, which are locked and may be sent, as one that is about to leave."""
    paid = [each.payment_id for each in members if each.is_share and each.payment_id]
    token = rt.new_token()
    paybill, account_number = transfer.destination or ("", "")
    brake.credential_since(session, credential_digest(rt), at)
    disbursement_id = disbursements.propose(session, transfer, members, at)
    disbursements.send(session, disbursement_id, members)
    short_code = rt.settings.short_code
    attempt_id = attempts.open_payout(session, disbursement_id, transfer.amount_cents, token, at, short_code)
    number = disbursements.number_of_try(session, disbursement_id)
    journal.write(
        session,
        at,
        rt.actor,
        "payout intended",
        payment_id=paid[0] if paid else None,
        attempt_id=attempt_id,
        amount_cents=transfer.amount_cents,
        paybill=paybill,
        account_number=account_number,
        number=number,
        payables=if_several([each.payable_id for each in members]),
        payments=if_several(paid),
    )
    return Claimed(
        paid[0] if paid else 0,
        disbursement_id,
        attempt_id,
        number,
        transfer.amount_cents,
        sum(each.fee_cents for each in members),
        paybill,
        account_number,
        token,
    )


def credential_digest(rt: Runtime) -> str:
    """By what another credential of the operator, or another paybill, is told from the one before."""
    parts = (rt.settings.short_code, rt.settings.initiator_name, rt.settings.security_credential)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _not_sent(session: Session, share: Payable, reason: Refusal, at: datetime) -> NotSent:
    payment_id = payment_of(share)
    if reason is Refusal.STOPPED:
        return stopped(session, payment_id, share.owner_id)
    detail = holds.reason(session, number_of(share), at) if reason is Refusal.HELD else None
    return NotSent(payment_id, reason, because(reason, detail))


def stopped(session: Session, payment_id: int, owner_id: int) -> NotSent:
    """That nothing is sent because all payouts, or those to this owner, are stopped, and why."""
    stop = stops.against(session, owner_id)
    assert stop is not None  # that there is one was read in this transaction
    name = None if stop.owner_id is None else register.find(session, Owner, str(stop.owner_id)).name
    return NotSent(payment_id, Refusal.STOPPED, because(Refusal.STOPPED, stop.reason, owner_name=name), stop.owner_id)


def _why_held(
    rt: Runtime, session: Session, share: Candidate, amount_cents: int, at: datetime
) -> tuple[HoldKind, str] | None:
    """Why a person must look at the share before it is sent, unless one has."""
    limits, day_began = rt.settings.limits, eat_midnight(at)
    sent = SentToday()
    if limits.day_cents is not None or limits.owner_day_cents is not None:
        sent = SentToday(
            attempts.sent_since(session, day_began), attempts.sent_since(session, day_began, share.owner_id)
        )
    reason = why_held(amount_cents, limits, sent)
    if reason and not holds.was_released(session, share.payable_id, HoldKind.LIMIT):
        return HoldKind.LIMIT, reason
    # Somebody, not M-Pesa, said that the rent came in or that an earlier payout did not go out.
    if not payables.was_learned_by(session, share.payable_id, Source.RULING):
        return None
    if not payables.looks_repeated(session, share.owner_id, amount_cents, at - timedelta(hours=24)):
        return None
    if holds.was_released(session, share.payable_id, HoldKind.REPEATED):
        return None
    return HoldKind.REPEATED, REPEATED


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
