"""Turn stored callbacks into knowledge: a few in one transaction, through the one door.

A callback is believed only if its address carries a token of ours, the ids in it are those of the attempt that the
token belongs to, the amount is what was asked, and the receipt is new. What is not believed is held and shown.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session

from rentpay_cli.core.attempt import Direction
from rentpay_cli.core.callbacks import Address, CallbackState, EnquiryKind, EnquiryState
from rentpay_cli.core.chase import NO_RECORD_AGAIN, NoRecords, no_record_counts, proves_not_moved
from rentpay_cli.core.codes import NO_RECORD
from rentpay_cli.core.evidence import Acknowledged, Moved, NotMoved, Overdue, Source
from rentpay_cli.core.float_reading import ReadingSource
from rentpay_cli.core.redact import printable
from rentpay_cli.daraja import incoming
from rentpay_cli.daraja.incoming import Doubt, NoRecord, QuestionFailed, Result, StillPending
from rentpay_cli.errors import NotFound, RuleRefused, WrongUse
from rentpay_cli.flows.learn import learn_about
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import attempts, enquiries, inbox, journal, payments
from rentpay_cli.store.inbox import Reading
from rentpay_cli.store.rows import StaleWrite, number_of
from rentpay_cli.store.tables import Attempt, Enquiry, InboxItem

COLLECTION, PAYOUT, TIMEOUT = Address
_TROUBLE = (SQLAlchemyError, ArithmeticError, LookupError, TypeError, ValueError)


def read_inbox(rt: Runtime, limit: int = 200) -> list[Reading]:
    """Read the callbacks that nobody has read yet, oldest first, at most `limit`."""
    readings: list[Reading] = []
    together, last = inbox.together(rt.database), 0
    while len(readings) < limit:
        numbers, some = _read_together(rt, min(together, limit - len(readings)), last)
        if not numbers:
            break
        readings, last = readings + some, numbers[-1]
    return readings


def read_again(rt: Runtime, item_id: int, reason: str) -> Reading:
    """Read a held callback once more, by the same rules as before; raises `NotFound`, `RuleRefused`, `WrongUse`.

    What it says is believed only if it now passes: after a setting was mended, or an attempt learned its ids.
    """
    text = printable(" ".join(reason.split()), 200)
    if not text:
        raise WrongUse("Reading a callback again needs a reason.", "For example: --reason 'allowed addresses mended'")
    with rt.database.transaction() as session:
        item = inbox.find(session, item_id)
        if item is None:
            raise NotFound(f"There is no callback {item_id}.", "See: rentpay callbacks list")
        if item.state != CallbackState.HELD:
            raise RuleRefused(
                f"Callback {item_id} is not held: there is nothing to read again.",
                f"See: rentpay callbacks show {item_id}",
                code="not_held",
            )
        held_because = item.outcome
        inbox.release(session, item)
        journal.write(
            session,
            rt.now(),
            rt.actor,
            "callback released",
            payment_id=item.payment_id,
            callback=item_id,
            reason=text,
            was_held=held_because,
        )
    reading = _read_or_hold(rt, item_id)
    return reading or Reading(item_id, CallbackState.NEW, "the listener is reading it just now")


def _read_together(rt: Runtime, count: int, after: int) -> tuple[list[int], list[Reading]]:
    """Read the next callbacks in one transaction; if one of them trips us up, none is read so, but each by itself."""
    numbers: list[int] = []
    try:
        with rt.database.transaction() as session:
            items = inbox.claim_unread(session, count, after)
            numbers = [number_of(item) for item in items]
            return numbers, _read(rt, session, items) if items else []
    except (StaleWrite, *_TROUBLE):
        if not numbers:
            raise
        # It is met again by one of them, and told.
        return numbers, [each for each in (_read_or_hold(rt, number) for number in numbers) if each is not None]


def _read_or_hold(rt: Runtime, item_id: int) -> Reading | None:
    """Read one callback; one that trips us up is held, so that it cannot stop those behind it."""
    try:
        with rt.database.transaction() as session:
            item = inbox.claim(session, item_id)
            return None if item is None else _read(rt, session, [item])[0]
    except StaleWrite:
        return None  # another process changed the attempt just now: the next round reads it again
    except _TROUBLE as error:
        reading = Reading(item_id, CallbackState.HELD, f"it could not be read ({type(error).__name__}: {error})")
        with rt.database.transaction() as session:
            item = inbox.claim(session, item_id)
            return None if item is None else inbox.mark(session, [reading], rt.now())[0]


def _read(rt: Runtime, session: Session, items: Sequence[InboxItem]) -> list[Reading]:
    asked = attempts.by_tokens(session, [item.token_sha256 for item in items if item.token_sha256])
    payments.lock(session, [attempt.payment_id for attempt in asked.values() if attempt.payment_id])
    readings = [_understand(rt, session, item, asked.get(item.token_sha256 or "")) for item in items]
    return inbox.mark(session, readings, rt.now())


def _understand(rt: Runtime, session: Session, item: InboxItem, attempt: Attempt | None) -> Reading:
    if not _source_is_allowed(rt, item.source_ip):
        return _held(item, f"it came from {item.source_ip}, which RENTPAY_CALLBACK_ALLOWED_IPS does not allow")
    if item.token_sha256 is None:
        return _held(item, "its address carries no token, so that anybody could have sent it")
    if attempt is not None:
        return _about_attempt(rt, session, item, attempt)
    enquiry = enquiries.by_token(session, item.token_sha256)
    if enquiry is not None:
        return _about_enquiry(rt, session, item, enquiry)
    return _held(item, "its address carries a token that is not ours")


def _source_is_allowed(rt: Runtime, source_ip: str | None) -> bool:
    networks = rt.settings.allowed_networks
    if not networks:
        return True
    try:
        address = ipaddress.ip_address(source_ip or "")
    except ValueError:
        return False
    return any(address in network for network in networks)


def _about_attempt(rt: Runtime, session: Session, item: InboxItem, attempt: Attempt) -> Reading:
    is_collection = attempt.direction == Direction.COLLECTION.value
    if (item.path == COLLECTION) != is_collection:
        return _held(item, f"it came to the {item.path} address of a {attempt.direction}", attempt.payment_id)
    result = _parsed(item)
    mismatch = _other_ids(attempt, result)
    if mismatch:
        return _held(item, mismatch, attempt.payment_id)
    match result.news:
        case Doubt(reason):
            return _held(item, reason, attempt.payment_id)
        case StillPending(reason):
            return _was_read(item, f"still pending: {reason}", attempt.payment_id)
    at = rt.now()
    if _names_new_ids(attempt, result):  # the reply was lost, or is still on its way
        accepted = Acknowledged(
            result.conversation_id,
            result.originator_conversation_id,
            result.checkout_request_id,
            result.merchant_request_id,
        )
        learn_about(session, attempt, accepted, source=Source.CALLBACK, actor="listener", at=at)
    learned = learn_about(session, attempt, result.news, source=Source.CALLBACK, actor="listener", at=at)
    if learned.disbelieved:
        return _held(item, learned.disbelieved, learned.payment_id)
    enquiries.note_balances(session, result.float_accounts, ReadingSource.PAYOUT, at)
    outcome = learned.state.value if learned.news else f"{learned.state.value}, as was known"
    return _was_read(item, outcome, learned.payment_id, learned.news)


def _parsed(item: InboxItem) -> Result:
    if item.path == TIMEOUT:
        return Result(Overdue("M-Pesa's queue timed out"))
    return incoming.stk_callback(item.body) if item.path == COLLECTION else incoming.payout_result(item.body)


def _other_ids(attempt: Attempt, result: Result) -> str:
    """Why the ids in the callback are not those of the attempt, or an empty text."""
    pairs = (
        ("checkout id", attempt.checkout_request_id, result.checkout_request_id),
        ("conversation id", attempt.conversation_id, result.conversation_id),
        ("originator conversation id", attempt.originator_conversation_id, result.originator_conversation_id),
    )
    for name, known, named in pairs:
        if known and named and known != named:
            return f"its {name} is not the one that M-Pesa gave us for this request"
    return ""


def _names_new_ids(attempt: Attempt, result: Result) -> bool:
    return any(
        named and not known
        for known, named in (
            (attempt.checkout_request_id, result.checkout_request_id),
            (attempt.conversation_id, result.conversation_id),
            (attempt.originator_conversation_id, result.originator_conversation_id),
        )
    )


def _about_enquiry(rt: Runtime, session: Session, item: InboxItem, enquiry: Enquiry) -> Reading:
    if item.path == TIMEOUT:
        enquiries.settle(session, enquiry, EnquiryState.LOST, "M-Pesa's queue timed out", rt.now())
        return _was_read(item, f"{enquiry.kind} query timed out")
    if item.path != PAYOUT:
        return _held(item, "it came to the address of an STK callback, but answers a query")
    if enquiry.state != EnquiryState.ASKED:
        return _was_read(item, f"{enquiry.kind} query was answered before")
    if enquiry.kind == EnquiryKind.STATUS:
        return _about_status(rt, session, item, enquiry)
    answer = incoming.balance_result(item.body)
    match answer:
        case Doubt(reason):
            return _held(item, reason)
        case QuestionFailed(code, text):
            enquiries.settle(session, enquiry, EnquiryState.FAILED, f"{text} ({code})", rt.now())
            return _was_read(item, f"balance query failed: {text} ({code})")
        case accounts:
            enquiries.note_balances(session, accounts, ReadingSource.QUERY, rt.now())
            enquiries.settle(session, enquiry, EnquiryState.ANSWERED, f"{len(accounts)} accounts", rt.now())
            return _was_read(item, "balance noted")


def _about_status(rt: Runtime, session: Session, item: InboxItem, enquiry: Enquiry) -> Reading:
    """The answer to "what became of this payout?": it passes through the same door as everything else."""
    assert enquiry.attempt_id is not None  # such a question is about a payout
    attempt = attempts.get(session, enquiry.attempt_id)
    answer = incoming.status_result(item.body)
    if isinstance(answer, Doubt):
        return _held(item, answer.reason)
    _, named = incoming.original_ids(item.body)
    if named and attempt.originator_conversation_id and named != attempt.originator_conversation_id:
        return _held(item, "it is about another conversation than the one that was asked about")
    evidence: Moved | NotMoved | None
    if isinstance(answer, NoRecord):
        evidence, outcome = _no_record(session, attempt, enquiry, answer, rt.now())
    elif isinstance(answer, QuestionFailed):
        evidence, outcome = None, f"the question failed: {answer.text} ({answer.code})"
    elif isinstance(answer, StillPending):
        evidence, outcome = None, answer.reason
    else:
        evidence, outcome = answer, "M-Pesa knows what became of it"
    enquiries.settle(session, enquiry, EnquiryState.ANSWERED, outcome, rt.now())
    if evidence is None:
        return _was_read(item, outcome)
    learned = learn_about(session, attempt, evidence, source=Source.QUERY, actor="listener", at=rt.now())
    if learned.disbelieved:
        return _held(item, learned.disbelieved, learned.payment_id)
    return _was_read(item, learned.state.value, learned.payment_id, learned.news)


def _no_record(
    session: Session, attempt: Attempt, enquiry: Enquiry, answer: NoRecord, now: datetime
) -> tuple[NotMoved | None, str]:
    """M-Pesa knows of no such payout: proof only if it says so twice, some minutes apart, while it is recent."""
    earlier = NoRecords(attempt.not_found_count, attempt.not_found_at)
    if not no_record_counts(earlier, enquiry.asked_at):
        return None, f"no such transaction ({answer.code}), too soon after the last answer to count"
    count = attempts.note_no_record(session, attempt, enquiry.asked_at, now + NO_RECORD_AGAIN)
    if proves_not_moved(count, attempt.created_at, enquiry.asked_at):
        text = f"M-Pesa said {count} times, minutes apart, that it knows of no such transaction."
        return NotMoved(NO_RECORD, text), text
    return None, f"no such transaction ({answer.code}), answer {count}: not enough to be sure"


def _held(item: InboxItem, reason: str, payment_id: int | None = None) -> Reading:
    return Reading(number_of(item), CallbackState.HELD, reason, payment_id)


def _was_read(item: InboxItem, outcome: str, payment_id: int | None = None, news: bool = False) -> Reading:
    return Reading(number_of(item), CallbackState.READ, outcome, payment_id, news)
