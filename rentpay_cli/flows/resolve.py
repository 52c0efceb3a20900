"""A person's ruling on what M-Pesa does not say, with evidence from elsewhere such as the paybill's statement."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session

from rentpay_cli.core.attempt import ENDED, Direction, State
from rentpay_cli.core.callbacks import CallbackState
from rentpay_cli.core.codes import RULED_NOT_PAID, Advice
from rentpay_cli.core.evidence import Moved, NotMoved, Source
from rentpay_cli.core.members import if_several
from rentpay_cli.core.notices import OWNER, NoticeKind
from rentpay_cli.core.payout import PayableStatus, PaymentStatus
from rentpay_cli.core.redact import printable
from rentpay_cli.daraja.incoming import receipt_of
from rentpay_cli.errors import RuleRefused, WrongUse
from rentpay_cli.flows.learn import learn, payments_of
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import attempts, inbox, journal, notices, payments
from rentpay_cli.store.rows import number_of
from rentpay_cli.store.tables import Attempt, Payable
from rentpay_cli.store.write import disbursements, holds, payables


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a person rules about a payment's open attempt: a receipt means paid, a reason alone means not paid."""

    payment_id: int
    receipt: str | None
    reason: str
    attempt: int | None = None
    """Which try to pay the owner it is about, where it could be about several: 1 is the first."""


@dataclass(frozen=True, slots=True)
class Question:
    """What the ruling would be about, to be asked back."""

    payment_id: int
    direction: Direction
    amount_cents: int
    attempt_id: int | None
    """None if it is a share that was never sent from here."""
    payments: tuple[int, ...]
    """The payments that it counts for: several, where one transfer settles them."""

    @property
    def never_sent(self) -> bool:
        return self.attempt_id is None


def read_ruling(
    payment_id: int, paid: str | None, not_paid: bool, reason: str | None, attempt: int | None = None
) -> Ruling:
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
    return Ruling(payment_id, receipt, text, attempt)


def question(rt: Runtime, ruling: Ruling) -> Question:
    """What the ruling would be about; raises `RuleRefused` if there is nothing to rule on."""
    with rt.database.transaction() as session:
        return _question(session, ruling.payment_id, _open_to_ruling(session, ruling))


def _question(session: Session, payment_id: int, about: Attempt | Payable) -> Question:
    if isinstance(about, Payable):
        return Question(payment_id, Direction.PAYOUT, about.amount_cents, None, (payment_id,))
    counts_for = tuple(payments_of(session, about))
    return Question(payment_id, Direction(about.direction), about.amount_cents, about.id, counts_for)


def resolve(rt: Runtime, ruling: Ruling, asked: Question | None = None) -> State:
    """Carry the ruling out and return the attempt's state; raises `RuleRefused` if it cannot be.

    It cannot if it would be about anything else by now than what the person was asked about.
    """
    at = rt.now()
    with rt.database.transaction() as session:
        about = _open_to_ruling(session, ruling)
        question = _question(session, ruling.payment_id, about)
        if asked is not None and asked != question:
            raise RuleRefused(
                f"The ruling on payment {ruling.payment_id} was not carried out: there was news about it meanwhile.",
                f"See: rentpay status {ruling.payment_id}",
                code="ruling_refused",
            )
        journal.write(
            session,
            at,
            rt.actor,
            "ruled paid" if ruling.receipt else "ruled not paid",
            payment_id=ruling.payment_id,
            attempt_id=question.attempt_id,
            receipt=ruling.receipt,
            reason=ruling.reason or None,
            never_sent=question.never_sent or None,
            payments=if_several(question.payments),
        )
        if isinstance(about, Payable):
            return _not_sent_from_here(rt, session, about, ruling, at)
        if ruling.receipt is None and about.state == State.NOT_MOVED:
            _is_certain(session, about)
            _end_doubt(rt, session, about, ruling, at)
            return State.NOT_MOVED
        evidence = (
            Moved(ruling.receipt, None)
            if ruling.receipt
            else NotMoved(RULED_NOT_PAID, f"Ruled not paid by {rt.actor}: {ruling.reason}")
        )
        learned = learn(session, number_of(about), evidence, source=Source.RULING, actor=rt.actor, at=at)
        if learned.disbelieved:
            raise RuleRefused(
                f"The ruling on payment {ruling.payment_id} was not carried out: {learned.disbelieved}.",
                f"See: rentpay status {ruling.payment_id}",
                code="ruling_refused",
            )
        _end_doubt(rt, session, about, ruling, at)
        return learned.state


def _end_doubt(rt: Runtime, session: Session, attempt: Attempt, ruling: Ruling, at: datetime) -> None:
    """What was contrary about the attempt is dealt with: its findings, its held callbacks, the holds on its members."""
    verdict = "paid" if ruling.receipt else "not paid"
    journal.close_findings(session, number_of(attempt), rt.actor, at, ruling.reason or f"ruled {verdict}")
    inbox.settle_held(session, attempt.token_sha256, f"ruled {verdict}", ruling.payment_id, at)
    if attempt.disbursement_id is None:
        return
    members = disbursements.every_member_of(session, attempt.disbursement_id)
    payables.lock(session, members)
    for each in payables.candidates(session, members, at):
        if not each.facts.is_contradicted:
            reason = ruling.reason or f"ruled {verdict}"
            holds.end_evidence(session, each.payable_id, rt.actor, at, reason)


def _open_to_ruling(session: Session, ruling: Ruling) -> Attempt | Payable:
    """What a person may rule on: the tenant's attempt, while that is open, else a payout in doubt, or the last one.

    A share that was never sent from here may be ruled paid, too: after a restore the database has forgotten payouts.
    Attempts are locked before what they are about, as whoever reads M-Pesa's news does at the same moment.
    """
    collection = attempts.of_payment(session, ruling.payment_id)
    payment = payments.get(session, ruling.payment_id)
    if collection is not None and (
        payment.status != PaymentStatus.SUCCESS.value or attempts.receipt_of(session, collection) is None
    ):
        return _may_rule(collection, ruling, failed=payment.status == PaymentStatus.FAILED.value)
    share = payables.share_of(session, ruling.payment_id)
    if share is None:
        raise _nothing_to_rule(ruling.payment_id, "it moved no M-Pesa money")
    payouts = attempts.of_payable(session, number_of(share))
    (share,) = payables.lock(session, [number_of(share)])
    doubtful = [each for each in payouts if _is_doubtful(session, each)]
    if ruling.attempt is not None:
        attempt = _may_rule(_chosen(payouts, ruling, ruling.attempt), ruling, failed=True)
        return _is_read(session, attempt, ruling)
    if len(doubtful) > 1:
        raise _several(ruling, [payouts.index(each) + 1 for each in doubtful])
    if doubtful:
        return _is_read(session, _may_rule(doubtful[0], ruling, failed=False), ruling)
    if share.status == PayableStatus.COMPLETED.value:
        raise _nothing_to_rule(ruling.payment_id, "the owner was paid, and there is a receipt")
    if share.status == PayableStatus.PROCESSING.value and all(each.state in ENDED for each in payouts):
        raise _too_early(ruling.payment_id)  # it was sent while we waited for it
    if not payouts:
        return _may_rule_unsent(share, ruling)
    return _may_rule(payouts[-1], ruling, failed=payouts[-1].state == State.NOT_MOVED)


def _is_doubtful(session: Session, attempt: Attempt) -> bool:
    """Whether nobody knows what became of the attempt, or something contradicts what is known."""
    if attempt.state == State.UNCLEAR:
        return True
    if attempt.state != State.NOT_MOVED:
        return False
    return journal.is_contradicted(session, number_of(attempt)) or bool(inbox.open_about(session, attempt.token_sha256))


def _is_read(session: Session, attempt: Attempt, ruling: Ruling) -> Attempt:
    """Nobody rules on what M-Pesa may have told already."""
    if CallbackState.NEW in inbox.open_about(session, attempt.token_sha256):
        raise RuleRefused(
            f"A callback about the payout of payment {ruling.payment_id} is not read yet.",
            "`rentpay serve-callbacks` reads it; if it does not run, start it. Then look again.",
            code="too_early",
        )
    return attempt


def _chosen(payouts: list[Attempt], ruling: Ruling, number: int) -> Attempt:
    if not 1 <= number <= len(payouts):
        raise _nothing_to_rule(ruling.payment_id, f"its owner's share has no attempt {number}")
    return payouts[number - 1]


def _several(ruling: Ruling, numbers: list[int]) -> RuleRefused:
    listed = ", ".join(map(str, numbers))
    return RuleRefused(
        f"Several attempts to pay the owner of payment {ruling.payment_id} are in doubt: {listed}.",
        "Say which one it is: --attempt N",
        code="several_attempts",
    )


def _may_rule_unsent(share: Payable, ruling: Ruling) -> Payable:
    if share.status != PayableStatus.PENDING.value:
        raise _nothing_to_rule(ruling.payment_id, "it moves no M-Pesa money to the owner")
    if ruling.receipt is None:
        raise _nothing_to_rule(ruling.payment_id, "nothing was sent to the owner from here, so that it is not paid")
    return share


def _not_sent_from_here(rt: Runtime, session: Session, share: Payable, ruling: Ruling, at: datetime) -> State:
    """The transfer that the statement shows and that this database knows not of: as one that was made by hand."""
    assert ruling.receipt is not None  # only "paid" can be said of what was not sent from here
    if attempts.receipt_is_used(session, ruling.receipt):
        raise RuleRefused(
            f"The ruling on payment {ruling.payment_id} was not carried out: its receipt {ruling.receipt} already "
            "belongs to another payment.",
            f"See: rentpay status {ruling.payment_id}",
            code="ruling_refused",
        )
    receipt = ruling.receipt
    made = disbursements.pay_by_hand(session, [number_of(share)], at, rt.actor, receipt=receipt, moved_at=at)
    for audience in OWNER:
        notices.put(session, NoticeKind.COMPLETED, made, audience, at)
    return State.MOVED


def _may_rule(attempt: Attempt, ruling: Ruling, *, failed: bool) -> Attempt:
    if attempt.state in (State.SENDING, State.WAITING):
        raise _too_early(ruling.payment_id)
    if failed and ruling.receipt is None and attempt.direction == Direction.COLLECTION.value:
        raise _nothing_to_rule(ruling.payment_id, "the tenant's payment has failed already")
    if attempt.state == State.MOVED and ruling.receipt is None:
        raise _nothing_to_rule(ruling.payment_id, "M-Pesa confirmed that it was paid; only the receipt is missing")
    return attempt


def _is_certain(session: Session, attempt: Attempt) -> None:
    """A failure that left doubt is ruled certain: what it was to pay may be sent again."""
    assert attempt.disbursement_id is not None  # there is nothing to rule on about rent that was not paid
    disbursement = disbursements.get(session, attempt.disbursement_id)
    if disbursement.advice == Advice.SEND_AGAIN.value and not _is_doubtful(session, attempt):
        raise RuleRefused("It may be sent again already.", "Send it with: rentpay disburse", code="nothing_to_rule")
    disbursements.advise(session, disbursement, Advice.SEND_AGAIN.value)


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
