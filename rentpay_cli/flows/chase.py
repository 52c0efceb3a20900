"""Ask M-Pesa about every attempt that has gone quiet.

A push is asked about by STK query, whose reply is the answer. A payout is asked about by transaction status, whose
answer comes by callback and passes through `read_inbox`. That an attempt is asked about is committed before the
question leaves, so that two chasers share the work.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlmodel import Session

from rentpay_cli.config import COLLECT, PAY_OUT
from rentpay_cli.core.attempt import ENDED, Direction, State
from rentpay_cli.core.callbacks import EnquiryKind, EnquiryState
from rentpay_cli.core.chase import first_rung, next_check
from rentpay_cli.core.evidence import Acknowledged, Moved, NotMoved, Overdue, Refused, Source
from rentpay_cli.core.members import if_several
from rentpay_cli.daraja.client import LONGEST_CALL_SECONDS
from rentpay_cli.daraja.incoming import QuestionFailed, StillPending
from rentpay_cli.flows.learn import learn, payments_of
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import attempts, enquiries, journal

PROMPT_IS_DEAD = timedelta(minutes=3)
"""The longest that a handset shows a prompt (Daraja, STK Push)."""


@dataclass(frozen=True, slots=True)
class Chased:
    """An attempt that was asked about, and what was learned at once."""

    payments: tuple[int, ...]
    """The numbers of the payments that it is about: several, where one transfer settles them."""
    direction: Direction
    outcome: str
    enquiry_id: int | None = None
    news: bool = False

    @property
    def payment_id(self) -> int | None:
        """The number of the first payment that it is about."""
        return self.payments[0] if self.payments else None


@dataclass(frozen=True, slots=True)
class _Question:
    attempt_id: int
    payments: tuple[int, ...]
    direction: Direction
    checkout_request_id: str | None
    originator_conversation_id: str | None


def chase(rt: Runtime, *, limit: int, by_hand: bool = False) -> list[Chased]:
    """Ask about the attempts that are due; by hand, about every one that is quiet for long enough to be asked about."""
    now = rt.now()
    with rt.database.transaction() as session:
        if by_hand:
            due = [
                number
                for direction in Direction
                for number in attempts.all_open(session, now - first_rung(direction), direction)
            ][:limit]
        else:
            due = attempts.quiet(session, now, limit)
    return [chased for number in due if (chased := chase_one(rt, number, by_hand=by_hand)) is not None]


def chase_one(rt: Runtime, attempt_id: int, *, by_hand: bool = False) -> Chased | None:
    """Ask about one attempt; None if another chaser has it, or it has ended."""
    with rt.database.transaction() as session:
        question = _claim(rt, session, attempt_id, by_hand)
    if question is None:
        return None
    if question.direction is Direction.COLLECTION:
        return _ask_about_push(rt, question)
    return _ask_about_payout(rt, question)


def _claim(rt: Runtime, session: Session, attempt_id: int, by_hand: bool) -> _Question | None:
    """Make the attempt ours to ask about, and say that it is overdue if it is."""
    attempt = attempts.get(session, attempt_id)
    now, direction = rt.now(), Direction(attempt.direction)
    if attempt.state in ENDED or (not by_hand and (attempt.next_check_at is None or attempt.next_check_at > now)):
        return None
    if attempt.state == State.SENDING and now - attempt.created_at < timedelta(seconds=LONGEST_CALL_SECONDS):
        return None  # its own process may still be waiting for the reply
    attempts.note_check(session, attempt, next_check(direction, attempt.created_at, now))
    if attempt.state == State.SENDING or direction is Direction.PAYOUT or now - attempt.created_at > PROMPT_IS_DEAD:
        reason = "Its process died on the wire." if attempt.state == State.SENDING else "M-Pesa has gone quiet."
        learn(session, attempt_id, Overdue(reason), source=Source.TIME, actor=rt.actor, at=now)
    question = _Question(
        attempt_id,
        tuple(payments_of(session, attempt)),
        direction,
        attempt.checkout_request_id,
        attempt.originator_conversation_id,
    )
    if direction is Direction.COLLECTION and question.checkout_request_id is not None:
        _tell(rt, session, question, "asked M-Pesa")
    return question


def _tell(rt: Runtime, session: Session, question: _Question, event: str, answer: str | None = None) -> None:
    """Write the question, or the answer that changes nothing, in the journal."""
    journal.write(
        session,
        rt.now(),
        rt.actor,
        event,
        payment_id=question.payments[0] if question.payments else None,
        attempt_id=question.attempt_id,
        about=question.direction.value,
        answer=answer,
        payments=if_several(question.payments),
    )


def _ask_about_push(rt: Runtime, question: _Question) -> Chased:
    if question.checkout_request_id is None:
        text = "M-Pesa never gave it an id to ask by: look on the paybill's statement"
        return Chased(question.payments, question.direction, text)
    rt.settings.require(COLLECT)
    answer = rt.mpesa.stk_query(question.checkout_request_id)
    if not isinstance(answer, Moved | NotMoved):
        with rt.database.transaction() as session:
            _tell(rt, session, question, "M-Pesa answered", _words(answer))
        return Chased(question.payments, question.direction, "M-Pesa does not know yet")
    with rt.database.transaction() as session:
        learned = learn(session, question.attempt_id, answer, source=Source.QUERY, actor=rt.actor, at=rt.now())
    outcome = "the tenant paid" if learned.state is State.MOVED else "the tenant did not pay"
    return Chased(question.payments, question.direction, learned.disbelieved or outcome, news=learned.news)


def _words(answer: StillPending | QuestionFailed) -> str:
    return answer.reason if isinstance(answer, StillPending) else answer.text


def _ask_about_payout(rt: Runtime, question: _Question) -> Chased:
    if question.originator_conversation_id is None:
        text = "M-Pesa never gave it an id to ask by: look on the paybill's statement"
        return Chased(question.payments, question.direction, text)
    rt.settings.require(PAY_OUT)
    token = rt.new_token()
    with rt.database.transaction() as session:
        enquiry = enquiries.ask(session, EnquiryKind.STATUS, token, rt.now(), question.attempt_id)
        _tell(rt, session, question, "asked M-Pesa")
    reply = rt.mpesa.transaction_status(
        originator_conversation_id=question.originator_conversation_id,
        remarks=f"Rent payment {question.payments[0]}" if question.payments else "Payout",
        result_url=f"{rt.settings.b2b_callback_url}/{token}",
        timeout_url=f"{rt.settings.timeout_url}/{token}/timeout",
    )
    if isinstance(reply, Acknowledged):
        with rt.database.transaction() as session:
            _tell(rt, session, question, "M-Pesa answered", "accepted")
        return Chased(
            question.payments, question.direction, "M-Pesa was asked; its answer comes by callback", enquiry.id
        )
    text = reply.text if isinstance(reply, Refused) else reply.reason
    with rt.database.transaction() as session:
        enquiries.settle(session, enquiry, EnquiryState.REFUSED, text, rt.now())
        _tell(rt, session, question, "M-Pesa answered", text)
    return Chased(question.payments, question.direction, f"M-Pesa did not take the question: {text}")
