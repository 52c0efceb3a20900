"""The single door through which the fate of an attempt becomes known.

Replies, callbacks, queries and rulings all end here, as evidence, in one transaction with everything that follows from
them: the attempt's state, the payment or the disbursement, the receipt, the journal. What contradicts what is known
changes nothing and becomes a finding for a person.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session

from rentpay_cli.core.attempt import RULINGS, Contradiction, Direction, State, next_state
from rentpay_cli.core.clock import eat_day
from rentpay_cli.core.codes import Family, look_up, payout_advice
from rentpay_cli.core.collect import WayIn
from rentpay_cli.core.evidence import Acknowledged, Evidence, Moved, NotMoved, Overdue, Refused, Source, Unanswered
from rentpay_cli.core.findings import FindingKind
from rentpay_cli.core.members import if_several, payments_in_words
from rentpay_cli.core.money import show_kes
from rentpay_cli.core.notices import OWNER, Audience, NoticeKind
from rentpay_cli.core.paybill import same_organisation
from rentpay_cli.core.payout import HoldKind, PaymentStatus, StopKind
from rentpay_cli.store import attempts, journal, notices, payments, register, stops
from rentpay_cli.store.engine import lock_payouts
from rentpay_cli.store.rows import number_of
from rentpay_cli.store.tables import Attempt, Disbursement, Owner, Payment
from rentpay_cli.store.write import disbursements, holds, money_in, payables, refunds


@dataclass(frozen=True, slots=True)
class Learned:
    """What became of the evidence: the attempt's state now, and why it was not believed, if it was not."""

    state: State
    payment_id: int | None
    disbelieved: str = ""
    news: bool = False


def learn(
    session: Session, attempt_id: int, evidence: Evidence, *, source: Source, actor: str, at: datetime
) -> Learned:
    """Let the evidence change what is known about the attempt; raises `StaleWrite` if another process was faster."""
    return learn_about(session, attempts.get(session, attempt_id), evidence, source=source, actor=actor, at=at)


def learn_about(
    session: Session, attempt: Attempt, evidence: Evidence, *, source: Source, actor: str, at: datetime
) -> Learned:
    """The same as `learn`, for an attempt that the caller has locked."""
    if _may_stop_payouts(attempt, evidence):
        lock_payouts(session, alone=True)  # before the rows that a claim locks: no lock is taken out of order
    about = payments_of(session, attempt)
    payment_id = about[0] if about else None
    state = State(attempt.state)
    disbelieved = _why_not_believed(session, attempt, evidence)
    after = _ruled(state, evidence) if source is Source.RULING else next_state(state, evidence)
    if not disbelieved and isinstance(after, Contradiction):
        disbelieved = f"it says {_words(evidence)}, but the attempt is already {state.value}"
    if disbelieved or isinstance(after, Contradiction):
        kind = FindingKind.CONTRADICTION if isinstance(after, Contradiction) else FindingKind.MISMATCH
        text = f"A {source.value} about {_which(session, attempt, about)} was not believed: {disbelieved}."
        journal.raise_finding(session, at, kind, text, payment_id=payment_id, attempt_id=attempt.id)
        if state is State.NOT_MOVED and isinstance(evidence, Moved):
            _hold_members(session, attempt, text, at)
        _write_journal(session, at, actor, source, attempt, about, evidence, state, disbelieved)
        return Learned(state, payment_id, disbelieved)
    changes = _facts(attempt, evidence)
    _drop_ids_of_others(session, attempt, changes, about, at)
    if after is not state:
        changes["learned_by"] = source.value
    if changes or _is_new_receipt(session, attempt, evidence):
        attempts.move(session, attempt, after, at, **changes)
        if isinstance(evidence, Moved | Refused | NotMoved):  # the rest says nothing about the money
            _follow(session, attempt, about, state, after, evidence, source, actor, at)
        _write_journal(session, at, actor, source, attempt, about, evidence, state)
    if isinstance(evidence, Moved) and attempt.disbursement_id is not None:
        _check_receiver(session, attempt, attempt.disbursement_id, about, evidence.receiver_name, at)
    return Learned(after, payment_id, news=after is not state)


def _is_new_receipt(session: Session, attempt: Attempt, evidence: Evidence) -> bool:
    if not isinstance(evidence, Moved) or evidence.receipt is None:
        return False
    return attempts.receipt_of(session, attempt) is None


def _ruled(state: State, evidence: Evidence) -> State | Contradiction:
    """The state that a person's ruling makes, where one may be made."""
    wanted = State.MOVED if isinstance(evidence, Moved) else State.NOT_MOVED
    return wanted if (state, wanted) in RULINGS else Contradiction(state, evidence)


def payments_of(session: Session, attempt: Attempt) -> list[int]:
    """The numbers of the payments that the attempt is about: several, if its transfer settles several; or none."""
    if attempt.refund_id is not None:
        return payments.of_money(session, refunds.get(session, attempt.refund_id).money_in_id)
    if attempt.disbursement_id is not None:
        return disbursements.payment_numbers(session, attempt.disbursement_id)
    return [] if attempt.payment_id is None else [attempt.payment_id]


def _which(session: Session, attempt: Attempt, about: Sequence[int]) -> str:
    number = disbursements.number_of_try(session, attempt.disbursement_id) if attempt.disbursement_id else 1
    whose = payments_in_words(about) if about else f"disbursement {attempt.disbursement_id}"
    return f"attempt {number} of {whose}"


def _hold_members(session: Session, attempt: Attempt, why: str, at: datetime) -> None:
    """Hold what the attempt was to pay until a person rules: it counts as not paid, and something says that it is."""
    if attempt.disbursement_id is not None:
        members = disbursements.every_member_of(session, attempt.disbursement_id)
    elif attempt.refund_id is not None:
        members = payables.shares_of_money(session, refunds.get(session, attempt.refund_id).money_in_id)
    else:
        return
    for payable in payables.lock(session, members):
        holds.place(session, HoldKind.EVIDENCE, why, "rentpay", at, payable_id=payable.id)


def _why_not_believed(session: Session, attempt: Attempt, evidence: Evidence) -> str:
    """Why the evidence cannot be about this attempt, or an empty text."""
    if not isinstance(evidence, Moved):
        return ""
    if evidence.amount_cents is not None and evidence.amount_cents != attempt.amount_cents:
        return f"it says {show_kes(evidence.amount_cents)} moved, but {show_kes(attempt.amount_cents)} was asked"
    if evidence.receipt is None:
        return ""
    known = attempts.receipt_of(session, attempt)
    if known is not None and known != evidence.receipt:
        return f"its receipt {evidence.receipt} is not the {known} that is known"
    if known is None and attempts.receipt_is_used(session, evidence.receipt):
        return f"its receipt {evidence.receipt} already belongs to another payment"
    return ""


def _facts(attempt: Attempt, evidence: Evidence) -> dict[str, object]:
    """What the evidence tells that was not known: ids, the receipt, the reason."""
    match evidence:
        case Acknowledged():
            named = {
                "conversation_id": evidence.conversation_id,
                "originator_conversation_id": evidence.originator_conversation_id,
                "checkout_request_id": evidence.checkout_request_id,
                "merchant_request_id": evidence.merchant_request_id,
            }
            return {name: value for name, value in named.items() if value and getattr(attempt, name) is None}
        case Refused() | NotMoved() if attempt.state != State.NOT_MOVED:
            return {"code": evidence.code, "reason": evidence.text}
        case Unanswered() | Overdue() if attempt.state in (State.SENDING, State.WAITING):
            return {"reason": evidence.reason}
    return {}


def _drop_ids_of_others(
    session: Session, attempt: Attempt, changes: dict[str, object], about: Sequence[int], at: datetime
) -> None:
    """Leave out ids that M-Pesa already gave to another attempt: they name neither of the two."""
    payment_id = about[0] if about else None
    for name in attempts.ids_in_use(session, changes, number_of(attempt)):
        text = f"M-Pesa gave {_which(session, attempt, about)} a {name} that another attempt already has."
        journal.raise_finding(session, at, FindingKind.REPEATED_ID, text, payment_id=payment_id, attempt_id=attempt.id)
        del changes[name]


def _follow(
    session: Session,
    attempt: Attempt,
    about: Sequence[int],
    before: State,
    after: State,
    evidence: Moved | Refused | NotMoved,
    source: Source,
    actor: str,
    at: datetime,
) -> None:
    """Let the payment, the transfer or the refund follow its attempt."""
    is_news = after is not before
    if attempt.payment_id is not None:
        payment = payments.get(session, attempt.payment_id)
        _payment_follows(session, attempt, payment, is_news, evidence, source, actor, at)
    elif attempt.disbursement_id is not None:
        disbursement = disbursements.get(session, attempt.disbursement_id)
        match evidence:
            case Moved() if is_news:
                _paid_out(session, disbursement, before, evidence, actor, at)
            case Moved() if evidence.receipt and disbursement.receipt is None:
                disbursements.note_receipt(session, disbursement, evidence.receipt)
            case Refused() | NotMoved() if is_news:
                _not_paid_out(session, attempt, disbursement, about, evidence, actor, at)
    elif attempt.refund_id is not None and is_news:
        refund = refunds.get(session, attempt.refund_id)
        if isinstance(evidence, Moved):
            moved_at = evidence.moved_at or at
            refunds.complete(session, refund, at, actor, receipt=evidence.receipt, moved_at=moved_at)
        else:
            refunds.fail(session, refund)


def _payment_follows(
    session: Session,
    attempt: Attempt,
    payment: Payment,
    is_news: bool,
    evidence: Moved | Refused | NotMoved,
    source: Source,
    actor: str,
    at: datetime,
) -> None:
    match evidence:
        case Moved() if is_news:
            _collected(session, attempt, payment, evidence, source, actor, at)
        case Moved() if evidence.receipt and payment.money_in_id is not None:
            money_in.note_receipt(session, money_in.get(session, payment.money_in_id), evidence.receipt)
        case Refused() | NotMoved() if is_news:
            failure = {"failure_code": evidence.code, "failure_reason": evidence.text}
            payments.move(session, payment, PaymentStatus.FAILED, **failure)


def _collected(
    session: Session,
    attempt: Attempt,
    payment: Payment,
    evidence: Moved,
    source: Source,
    actor: str,
    at: datetime,
) -> None:
    """The tenant paid: money came in, it is for this payment, and its owner has a share in it."""
    paid_at = evidence.moved_at or at
    money = money_in.book(
        session,
        way=WayIn.STK,
        amount_cents=attempt.amount_cents,
        paid_at=paid_at,
        at=at,
        learned_by=source,
        receipt=evidence.receipt,
        short_code=attempt.short_code,
    )
    cleared = {"failure_code": None, "failure_reason": None}
    payments.move(session, payment, PaymentStatus.SUCCESS, money_in_id=money, **cleared)
    is_due = payment.share_cents > 0
    payables.book_share(session, payment, at, by=actor, is_due=is_due, payable_from=min(paid_at, at))


def _paid_out(
    session: Session, disbursement: Disbursement, before: State, evidence: Moved, actor: str, at: datetime
) -> None:
    moved_at = evidence.moved_at or at
    facts = {
        "receipt": evidence.receipt,
        "completed_at": moved_at,
        "completed_day": eat_day(moved_at),
        "mpesa_charge_cents": evidence.charge_cents,
        "failure_code": None,
        "failure_reason": None,
        "advice": None,
    }
    made = disbursements.rule_moved if before is State.NOT_MOVED else disbursements.complete
    made(session, disbursement, at, actor, **facts)
    for audience in OWNER:
        notices.put(session, NoticeKind.COMPLETED, number_of(disbursement), audience, at)


def _not_paid_out(
    session: Session,
    attempt: Attempt,
    disbursement: Disbursement,
    about: Sequence[int],
    evidence: Refused | NotMoved,
    actor: str,
    at: datetime,
) -> None:
    disbursements.fail(
        session,
        disbursement,
        at,
        actor,
        failure_code=evidence.code,
        failure_reason=evidence.text,
        advice=payout_advice(evidence.code).value,
    )
    words = _failure(about, attempt.amount_cents, evidence)
    notices.put(session, NoticeKind.FAILED, number_of(attempt), Audience.OPERATOR, at, words)
    _stop_payouts_if_needed(session, evidence, at)


def _failure(about: Sequence[int], amount_cents: int, evidence: Refused | NotMoved) -> str:
    why = f"{evidence.text} ({evidence.code})" if evidence.code else evidence.text
    if not about:
        return f"A payout of {show_kes(amount_cents)} failed: {why}. rentpay health"
    whose = payments_in_words(about).capitalize()
    return f"{whose}: the payout of {show_kes(amount_cents)} failed: {why}. rentpay status {about[0]}"


def _check_receiver(
    session: Session, attempt: Attempt, disbursement_id: int, about: Sequence[int], name: str | None, at: datetime
) -> None:
    """Note whom M-Pesa says that it paid; if a person confirmed another name, payouts to that owner stop."""
    if name is None:
        return
    disbursement = disbursements.get(session, disbursement_id)
    paybill = disbursement.paybill
    if disbursement.receiver_name is not None or paybill is None:
        return
    disbursements.note_receiver(session, disbursement, name)
    paid = disbursements.payments_of(session, disbursement_id)
    confirmed = {register.confirmed_name(session, each.property_id, paybill) for each in paid}
    others = sorted(known for known in confirmed if known and not same_organisation(name, known, paybill))
    if not others:
        return
    payment_id = about[0] if about else None
    whose = payments_in_words(about) if about else f"disbursement {disbursement.id}"
    reason = (
        f"M-Pesa says that {whose} {'were' if len(about) > 1 else 'was'} paid to '{name}', "
        f"but the confirmed name of paybill {paybill} is '{others[0]}'"
    )
    owner = register.find(session, Owner, str(disbursement.owner_id))
    if stops.stop(session, StopKind.RECEIVER, reason, "rentpay", at, owner_id=owner.id) is not None:
        journal.write(
            session,
            at,
            "rentpay",
            "payouts stopped",
            payment_id=payment_id,
            reason=reason,
            owner=owner.id,
            payments=if_several(about),
        )
    text = f"{reason}. Payouts to {owner.name} are stopped."
    journal.raise_finding(session, at, FindingKind.OTHER_RECEIVER, text, payment_id=payment_id, attempt_id=attempt.id)


def _may_stop_payouts(attempt: Attempt, evidence: Evidence) -> bool:
    """Whether a stop may follow: after a failure of our own credential, or if another name than confirmed was paid."""
    if attempt.direction != Direction.PAYOUT.value:
        return False
    match evidence:
        case Refused(code) | NotMoved(code):
            return _is_our_credential(code)
        case Moved(receiver_name=name):
            return name is not None
    return False


def _is_our_credential(code: str) -> bool:
    row = look_up(Family.B2B, code)
    return row is not None and row.stops_payouts


def _stop_payouts_if_needed(session: Session, evidence: Refused | NotMoved, at: datetime) -> None:
    """After a failure of our own credential no payout leaves: repeated tries lock the operator (Daraja, 5.4)."""
    if not _is_our_credential(evidence.code):
        return
    stop_by_itself(session, StopKind.CREDENTIAL, f"M-Pesa answered {evidence.code}: {evidence.text}", at)


def stop_by_itself(session: Session, kind: StopKind, reason: str, at: datetime) -> None:
    """Stop all payouts without a person, and tell the operator; nothing, if such a stop is in force already."""
    stop_id = stops.stop(session, kind, reason, "rentpay", at)
    if stop_id is not None:
        journal.write(session, at, "rentpay", "payouts stopped", reason=reason)
        words = f"All payouts are stopped: {reason}. rentpay payouts show"
        notices.put(session, NoticeKind.STOPPED, stop_id, Audience.OPERATOR, at, words)


def _write_journal(
    session: Session,
    at: datetime,
    actor: str,
    source: Source,
    attempt: Attempt,
    about: Sequence[int],
    evidence: Evidence,
    before: State,
    disbelieved: str = "",
) -> None:
    journal.write(
        session,
        at,
        actor,
        "disbelieved" if disbelieved else "learned",
        payment_id=about[0] if about else None,
        attempt_id=attempt.id,
        source=source.value,
        evidence=_words(evidence),
        direction=attempt.direction,
        before=before.value,
        after=attempt.state,
        receipt=evidence.receipt if isinstance(evidence, Moved) else None,
        code=evidence.code if isinstance(evidence, Refused | NotMoved) else None,
        text=disbelieved or getattr(evidence, "text", None) or getattr(evidence, "reason", None),
        payments=if_several(about),
    )


_WORDS: dict[type[Evidence], str] = {
    Acknowledged: "accepted",
    Refused: "refused",
    Unanswered: "no answer",
    Overdue: "overdue",
    Moved: "moved",
    NotMoved: "not moved",
}


def _words(evidence: Evidence) -> str:
    return _WORDS[type(evidence)]
