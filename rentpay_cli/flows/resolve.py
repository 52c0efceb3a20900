"""A person's ruling on what M-Pesa does not say, with evidence from elsewhere such as the paybill's statement."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session

from rentpay_cli.core.attempt import ENDED, Direction, State
from rentpay_cli.core.codes import Advice
from rentpay_cli.core.disburse import DisbursementStatus, PaymentStatus
from rentpay_cli.core.evidence import Moved, NotMoved
from rentpay_cli.core.redact import printable
from rentpay_cli.daraja.incoming import receipt_of
from rentpay_cli.errors import RuleRefused, WrongUse
from rentpay_cli.flows.learn import Source, learn
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import attempts, disbursements, journal, payments
from rentpay_cli.store.tables import Attempt, Disbursement


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a person rules about a payment's open attempt: a receipt means paid, a reason alone means not paid."""

    payment_id: int
    receipt: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Question:
    """What the ruling would be about, to be asked back."""

    payment_id: int
    direction: Direction
    amount_cents: int
    attempt_id: int | None
    """None if it is a share that was never sent from here."""

    @property
    def never_sent(self) -> bool:
        return self.attempt_id is None


def read_ruling(payment_id: int, paid: str | None, not_paid: bool, reason: str | None) -> Ruling:
    """Check what was typed; raises `WrongUse`."""
    if (paid is not None) == not_paid:
        raise WrongUse(
            "A ruling is either --paid RECEIPT or --not-paid.", "Take the receipt from the paybill's statement."
        )
    text = printable(" ".join((reason or "").split()), 200)
    if not_paid and len(text) < 5:
        raise WrongUse("--not-paid needs a reason.", "For example: --reason 'not on the statement of 23 November'")
    receipt = receipt_of(paid)
    if paid is not None and receipt is None:
        raise WrongUse(
            f"'{printable(paid, 40)}' is not a receipt of M-Pesa's.",
            "A receipt is letters and digits, such as SG722NMVXQ.",
        )
    return Ruling(payment_id, receipt, text)


def question(rt: Runtime, ruling: Ruling) -> Question:
    """What the ruling would be about; raises `RuleRefused` if there is nothing to rule on."""
    with rt.database.transaction() as session:
        return _question(ruling.payment_id, _open_to_ruling(session, ruling))


def _question(payment_id: int, about: Attempt | Disbursement) -> Question:
    if isinstance(about, Disbursement):
        return Question(payment_id, Direction.PAYOUT, about.amount_cents, None)
    return Question(payment_id, Direction(about.direction), about.amount_cents, about.id)


def resolve(rt: Runtime, ruling: Ruling, asked: Question | None = None) -> State:
    """Carry the ruling out and return the attempt's state; raises `RuleRefused` if it cannot be.

    It cannot if it would be about anything else by now than what the person was asked about.
    """
    at = rt.now()
    with rt.database.transaction() as session:
        about = _open_to_ruling(session, ruling)
        if asked is not None and asked != _question(ruling.payment_id, about):
            raise RuleRefused(
                f"The ruling on payment {ruling.payment_id} was not carried out: there was news about it meanwhile.",
                f"See: rentpay status {ruling.payment_id}",
                code="ruling_refused",
            )
        attempt = _not_sent_from_here(rt, session, about, at) if isinstance(about, Disbursement) else about
        journal.write(
            session,
            at,
            rt.actor,
            "ruled paid" if ruling.receipt else "ruled not paid",
            payment_id=ruling.payment_id,
            attempt_id=attempt.id,
            receipt=ruling.receipt,
            reason=ruling.reason or None,
            never_sent=attempt is not about or None,
        )
        if ruling.receipt is None and attempt.state == State.NOT_MOVED:
            _release(session, attempt)
            return State.NOT_MOVED
        evidence = (
            Moved(ruling.receipt, None)
            if ruling.receipt
            else NotMoved("ruling", f"Ruled not paid by {rt.actor}: {ruling.reason}")
        )
        learned = learn(session, attempt.id or 0, evidence, source=Source.RULING, actor=rt.actor, at=at)
        if learned.disbelieved:
            raise RuleRefused(
                f"The ruling on payment {ruling.payment_id} was not carried out: {learned.disbelieved}.",
                f"See: rentpay status {ruling.payment_id}",
                code="ruling_refused",
            )
        journal.close_findings(session, attempt.id, at)
        return learned.state


def _open_to_ruling(session: Session, ruling: Ruling) -> Attempt | Disbursement:
    """What a person may rule on: the tenant's attempt, while that is open, else the last payout.

    A share that was never sent from here may be ruled paid, too: after a restore the database has forgotten payouts.
    Attempts are locked before what they are about, as whoever reads M-Pesa's news does at the same moment.
    """
    collection = attempts.of_payment(session, ruling.payment_id)
    payment = payments.get(session, ruling.payment_id)
    if collection is None:
        raise _nothing_to_rule(ruling.payment_id, "it moved no M-Pesa money")
    if payment.status != PaymentStatus.SUCCESS.value or collection.receipt is None:
        return _may_rule(collection, ruling, failed=payment.status == PaymentStatus.FAILED.value)
    assert payment.disbursement_id is not None  # a payment that succeeded has one
    payouts = attempts.of_disbursement(session, payment.disbursement_id)
    disbursement = disbursements.get(session, payment.disbursement_id)
    if disbursement.status == DisbursementStatus.COMPLETED.value:
        raise _nothing_to_rule(ruling.payment_id, "the owner was paid, and there is a receipt")
    if disbursement.status == DisbursementStatus.PROCESSING.value and all(each.state in ENDED for each in payouts):
        raise _too_early(ruling.payment_id)  # it was sent while we waited for it
    if not payouts:
        return _may_rule_unsent(disbursement, ruling)
    return _may_rule(payouts[-1], ruling, failed=payouts[-1].state == State.NOT_MOVED)


def _may_rule_unsent(disbursement: Disbursement, ruling: Ruling) -> Disbursement:
    if disbursement.status != DisbursementStatus.PENDING.value:
        raise _nothing_to_rule(ruling.payment_id, "it moves no M-Pesa money to the owner")
    if ruling.receipt is None:
        raise _nothing_to_rule(ruling.payment_id, "nothing was sent to the owner from here, so that it is not paid")
    return disbursement


def _not_sent_from_here(rt: Runtime, session: Session, disbursement: Disbursement, at: datetime) -> Attempt:
    """An attempt, never on the wire, for the transfer that the statement shows and that this database knows not of."""
    disbursements.move(session, disbursement, DisbursementStatus.PROCESSING, held_reason=None)
    attempt_id, _ = attempts.open_payout(
        session, disbursement.id or 0, disbursement.amount_cents, rt.new_token(), at, State.UNCLEAR
    )
    return attempts.get(session, attempt_id)


def _may_rule(attempt: Attempt, ruling: Ruling, *, failed: bool) -> Attempt:
    if attempt.state in (State.SENDING, State.WAITING):
        raise _too_early(ruling.payment_id)
    if failed and ruling.receipt is None and attempt.direction == Direction.COLLECTION.value:
        raise _nothing_to_rule(ruling.payment_id, "the tenant's payment has failed already")
    if attempt.state == State.MOVED and ruling.receipt is None:
        raise _nothing_to_rule(ruling.payment_id, "M-Pesa confirmed that the tenant paid; only the receipt is missing")
    return attempt


def _release(session: Session, attempt: Attempt) -> None:
    """A failure that left doubt is ruled certain: the share may be sent again."""
    disbursement = disbursements.get(session, attempt.disbursement_id or 0)
    if disbursement.status != DisbursementStatus.FAILED.value or disbursement.advice == Advice.SEND_AGAIN.value:
        raise RuleRefused("It may be sent again already.", "Send it with: rentpay disburse", code="nothing_to_rule")
    disbursement.advice = Advice.SEND_AGAIN.value
    session.add(disbursement)


def _too_early(payment_id: int) -> RuleRefused:
    return RuleRefused(
        f"M-Pesa still has time to answer for payment {payment_id}: there is nothing to rule on yet.",
        "Ask M-Pesa first: rentpay chase",
        code="too_early",
    )


def _nothing_to_rule(payment_id: int, why: str) -> RuleRefused:
    return RuleRefused(
        f"There is nothing to rule on about payment {payment_id}: {why}.",
        f"See: rentpay status {payment_id}",
        code="nothing_to_rule",
    )
