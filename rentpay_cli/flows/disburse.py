"""Send an owner's share: one payment's, and the one way in which any share is sent.

① commit: disbursement `processing`, attempt `sending`     the database refuses a second live attempt
② the wire                                                 one B2B request, outside any transaction
③ commit: what we learned
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from rentpay_cli.config import PAY_OUT
from rentpay_cli.core.attempt import State
from rentpay_cli.core.clock import eat_midnight
from rentpay_cli.core.codes import Advice
from rentpay_cli.core.disburse import DisbursementStatus, PaymentStatus, Refusal, Share, why_not
from rentpay_cli.core.evidence import Acknowledged, Refused, Unanswered
from rentpay_cli.core.limits import REPEATED, SentToday, why_held
from rentpay_cli.errors import MpesaUnreachable, OutcomeUnknown, RuleRefused
from rentpay_cli.flows.confirm import confirm_collection
from rentpay_cli.flows.learn import Source, learn
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import attempts, disbursements, journal, payments, register, stops
from rentpay_cli.store.engine import lock_while_deciding
from rentpay_cli.store.rows import StaleWrite
from rentpay_cli.store.tables import Disbursement, Owner, Payment, PayoutStop

Reply: TypeAlias = Acknowledged | Refused | Unanswered

_REASONS = {
    Refusal.STOPPED: ("all payouts are stopped", "Once the cause is mended: rentpay payouts resume"),
    Refusal.HELD: (
        "it is held for a person to look at",
        "See why: rentpay status {id}. To let it go: rentpay payouts release {id} --reason TEXT",
    ),
    Refusal.NO_RECEIPT: (
        "M-Pesa confirmed the tenant's payment, but its receipt has not come yet",
        "Take the receipt from the paybill's statement: rentpay resolve {id} --paid RECEIPT",
    ),
    Refusal.NOT_PAID: ("the tenant has not paid yet", "See: rentpay status {id}"),
    Refusal.PAYMENT_FAILED: ("the tenant's payment failed", "Ask again with: rentpay initiate"),
    Refusal.REVERSED: ("the tenant's payment was reversed", "See: rentpay status {id}"),
    Refusal.NOT_REQUIRED: ("it moves no M-Pesa money to the owner", "See: rentpay status {id}"),
    Refusal.COMPLETED: ("the owner was already paid", "See: rentpay status {id}"),
    Refusal.UNCLEAR: (
        "it was sent and M-Pesa has not said whether the owner was paid; a second transfer could pay twice",
        "Ask M-Pesa: rentpay chase. Or rule with the statement in hand: rentpay resolve {id}",
    ),
    Refusal.UNDER_WAY: (
        "it is on its way: M-Pesa has not said yet whether the owner was paid",
        "See: rentpay status {id}",
    ),
    Refusal.NEVER: ("the last failure is of a kind that must not be sent again", "See: rentpay status {id}"),
    Refusal.MEND_FIRST: ("the cause of the last failure must be mended first", "See: rentpay status {id}"),
    Refusal.ASK: (
        "the last failure does not prove that nothing moved",
        "Look for the transfer on the paybill's statement; if it is not there: "
        "rentpay resolve {id} --not-paid --reason TEXT",
    ),
}


@dataclass(frozen=True, slots=True)
class Sending:
    """A share that is written down and may now go on the wire, once."""

    payment_id: int
    attempt_id: int
    number: int
    amount_cents: int
    paybill: str
    account_number: str
    token: str


@dataclass(frozen=True, slots=True)
class Held:
    """A share that waits for a person, and why."""

    payment_id: int
    reason: str


@dataclass(frozen=True, slots=True)
class Sent:
    """A share that went on the wire, and what M-Pesa's reply said."""

    payment_id: int
    amount_cents: int
    fee_cents: int
    paybill: str
    account_number: str
    reply: Reply
    state: State


@dataclass(frozen=True, slots=True)
class Preview:
    """What `disburse` would send."""

    payment_id: int
    amount_cents: int
    fee_cents: int
    paybill: str
    account_number: str


def preview(rt: Runtime, payment_id: int) -> Preview:
    """What would be sent for the payment; raises `RuleRefused` with the reason if nothing may be."""
    with rt.database.transaction() as session:
        payment, disbursement = _sendable(session, payment_id)
        _refuse_while_stopped(session, disbursement, payment_id)
        return Preview(
            payment_id,
            disbursement.amount_cents,
            disbursement.fee_cents,
            payment.owner_paybill,
            payment.owner_account_number,
        )


def disburse(rt: Runtime, payment_id: int) -> Sent:
    """Send the owner's share of one payment.

    Raises `RuleRefused` if it may not be sent or M-Pesa refuses it, and `OutcomeUnknown` if M-Pesa did not answer.
    """
    rt.settings.require(PAY_OUT)
    preview(rt, payment_id)  # say what is wrong before M-Pesa is asked for a token
    rt.mpesa.prepare()
    confirm_collection(rt, payment_id)
    with rt.database.transaction() as session:
        _, disbursement = _sendable(session, payment_id)
        fee_cents = disbursement.fee_cents
        sending = write_intention(rt, session, disbursement, payment_id)
    if isinstance(sending, Held):
        raise held_error(sending)
    reply, state = send(rt, sending)
    match reply:
        case Refused(code="not_sent"):
            raise MpesaUnreachable(
                f"The payout of payment {payment_id} did not leave. {reply.text}",
                f"Find out why: rentpay doctor. Then send it again: rentpay disburse {payment_id}",
            )
        case Refused():
            raise RuleRefused(
                f"M-Pesa refused the payout of payment {payment_id}: {reply.text} ({reply.code}). Nothing moved.",
                f"What the code means: rentpay explain {reply.code}",
                code="mpesa_refused",
            )
        case Unanswered() if state is State.UNCLEAR:
            raise OutcomeUnknown(
                f"M-Pesa gave no usable answer to the payout of payment {payment_id}: the owner may have been paid.",
                f"It will not be sent again until that is known. See: rentpay status {payment_id}",
            )
    return Sent(payment_id, sending.amount_cents, fee_cents, sending.paybill, sending.account_number, reply, state)


def write_intention(rt: Runtime, session: Session, disbursement: Disbursement, payment_id: int) -> Sending | Held:
    """Write down that the share is about to be sent, or that it waits for a person, who has not looked at it yet.

    Raises `RuleRefused` if another process was faster, or all payouts or those to the owner are stopped.
    """
    at, token = rt.now(), rt.new_token()
    _refuse_while_stopped(session, disbursement, payment_id)
    held_because = _why_held(rt, session, disbursement, at)
    if held_because:
        disbursements.hold(session, disbursement, held_because)
        journal.write(session, at, rt.actor, "payout held", payment_id=payment_id, reason=held_because)
        return Held(payment_id, held_because)
    try:
        disbursements.move(session, disbursement, DisbursementStatus.PROCESSING)
        attempt_id, number = attempts.open_payout(session, disbursement.id or 0, disbursement.amount_cents, token, at)
    except (StaleWrite, IntegrityError) as error:
        raise refusal(Refusal.UNDER_WAY, payment_id) from error
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
    return Sending(
        payment_id,
        attempt_id,
        number,
        disbursement.amount_cents,
        disbursement.paybill,
        disbursement.account_number,
        token,
    )


def _why_held(rt: Runtime, session: Session, disbursement: Disbursement, at: datetime) -> str:
    """Why a person must look at the share before it is sent, or an empty text."""
    if disbursement.released_at is not None:
        return ""
    limits, day_began = rt.settings.limits, eat_midnight(at)
    sent = SentToday()
    if limits.day_cents is not None or limits.owner_day_cents is not None:
        lock_while_deciding(session, "payout limits")
        sent = SentToday(
            attempts.sent_since(session, day_began), attempts.sent_since(session, day_began, disbursement.owner_id)
        )
    reason = why_held(disbursement.amount_cents, limits, sent)
    # Somebody, not M-Pesa, said that the rent came in or that an earlier payout did not go out.
    if not reason and disbursements.was_learned_by(session, disbursement.id or 0, Source.RULING.value):
        reason = REPEATED if disbursements.looks_repeated(session, disbursement, at - timedelta(hours=24)) else ""
    return reason


def send(rt: Runtime, sending: Sending) -> tuple[Reply, State]:
    """Put a written intention on the wire, once, and learn from the reply."""
    reply = put_on_wire(rt, sending)
    with rt.database.transaction() as session:
        return reply, learn_from(rt, session, sending, reply)


def put_on_wire(rt: Runtime, sending: Sending) -> Reply:
    """Send one B2B request; what M-Pesa replied must be learned next."""
    rt.sending(sending.payment_id)
    return rt.mpesa.b2b_payment(
        to_paybill=sending.paybill,
        account_number=sending.account_number,
        amount_cents=sending.amount_cents,
        remarks=f"Rent payment {sending.payment_id} attempt {sending.number}",
        result_url=f"{rt.settings.b2b_callback_url}/{sending.token}",
        timeout_url=f"{rt.settings.timeout_url}/{sending.token}/timeout",
    )


def learn_from(rt: Runtime, session: Session, sending: Sending, reply: Reply) -> State:
    """Learn from the reply; the attempt's state now."""
    return learn(session, sending.attempt_id, reply, source=Source.REPLY, actor=rt.actor, at=rt.now()).state


def share_of(session: Session, payment: Payment, disbursement: Disbursement | None) -> Share:
    """All that decides whether the share may be sent."""
    states = attempts.states_of_disbursement(session, disbursement.id or 0) if disbursement else ()
    return Share(
        PaymentStatus(payment.status),
        DisbursementStatus(disbursement.status) if disbursement else DisbursementStatus.PENDING,
        states,
        Advice(disbursement.advice) if disbursement and disbursement.advice else None,
        has_receipt=payment.receipt is not None,
        is_held=disbursement is not None and disbursement.held_reason is not None,
    )


def refusal(reason: Refusal, payment_id: int) -> RuleRefused:
    """The error that says why the share of this payment must not be sent."""
    why, hint = _REASONS[reason]
    return RuleRefused(f"Payment {payment_id} was not disbursed: {why}.", hint.format(id=payment_id), code=reason.value)


def held_error(held: Held) -> RuleRefused:
    """The error that says that a share waits for a person, and why."""
    _, hint = _REASONS[Refusal.HELD]
    return RuleRefused(
        f"Payment {held.payment_id} was not disbursed: it is held, because {held.reason}.",
        hint.format(id=held.payment_id),
        code=Refusal.HELD.value,
    )


def stopped_error(session: Session, stop: PayoutStop, payment_id: int | None = None) -> RuleRefused:
    """The error that says that all payouts, or those to one owner, are stopped, and why."""
    which, hint = _REASONS[Refusal.STOPPED]
    if stop.owner_id is not None:
        which = f"payouts to {register.find(session, Owner, str(stop.owner_id)).name} are stopped"
        hint = f"{hint} --owner {stop.owner_id}"
    what = f"Payment {payment_id} was not disbursed" if payment_id is not None else "Nothing was sent"
    return RuleRefused(f"{what}: {which} ({stop.reason})", hint, code=Refusal.STOPPED.value)


def _refuse_while_stopped(session: Session, disbursement: Disbursement, payment_id: int) -> None:
    stop = stops.against(session, disbursement.owner_id)
    if stop is not None:
        raise stopped_error(session, stop, payment_id)


def _sendable(session: Session, payment_id: int) -> tuple[Payment, Disbursement]:
    payment = payments.get(session, payment_id)
    disbursement = disbursements.get(session, payment.disbursement_id) if payment.disbursement_id else None
    reason = why_not(share_of(session, payment, disbursement), mended=(Advice.MEND_FIRST,))
    if reason is not None:
        raise refusal(reason, payment_id)
    assert disbursement is not None  # a payment that succeeded has one
    return payment, disbursement
