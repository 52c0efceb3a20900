"""Take a guard away on purpose, and see the chaos harness notice.

`python -m tests.chaos.mutations` takes each guard of the list away, plays seeds until something that must never be is
found, and says which seed found what. A guard whose loss nobody notices is an error. Some doors have two locks: either
holds alone, so that both must be taken away for the harm to be done; that one alone suffices is shown, too.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import timedelta
from random import Random
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock, patch

from sqlalchemy import text
from sqlmodel import SQLModel

from rentpay_cli.core.attempt import LIFE, State
from rentpay_cli.core.evidence import NotMoved, Refused, Unanswered
from rentpay_cli.core.payout import Facts, PayableStatus, PaymentStatus, Refusal
from rentpay_cli.daraja.incoming import payment_reply
from rentpay_cli.flows.disburse import plan_retry, preview
from rentpay_cli.flows.learn import Source, learn
from rentpay_cli.flows.read_inbox import read_inbox
from rentpay_cli.flows.send import Claimed, NotSent, claim, put_on_wire
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import attempts, schema
from rentpay_cli.store.attempts import token_sha256
from rentpay_cli.store.engine import Database
from rentpay_cli.store.guard import Candidate
from rentpay_cli.store.write import disbursements, payables
from tests.chaos.in_process import Chaos, Violation, databases, run_seed
from tests.chaos.mpesa import ChaoticMpesa, Deed, Delivery, Faults

MOST_RUNS = 400


def statements(*sql: str) -> Callable[[str], None]:
    """Run statements on a new database, before the game begins."""

    def prepare(url: str) -> None:
        database = Database(url)
        with database.transaction() as session:
            for statement in sql:
                session.execute(text(statement))
        database.close()

    return prepare


def untouched(_: str) -> None:
    """Leave the database as it is."""


# --- what is taken away ----------------------------------------------------------------------------------------------


@contextmanager
def code_ignores_earlier_attempts() -> Iterator[None]:
    """The rules in code look at the tenant's payment and at stops, but no longer at what was sent before."""

    def careless(facts: Facts, **_: Any) -> Refusal | None:
        if facts.is_stopped:
            return Refusal.STOPPED
        if facts.payment_status is not PaymentStatus.SUCCESS:
            return Refusal.NOT_PAID
        if facts.status in (PayableStatus.NOT_REQUIRED, PayableStatus.COMPLETED):
            return Refusal.COMPLETED
        return None if facts.has_receipt else Refusal.NO_RECEIPT

    with (
        patch("rentpay_cli.flows.why.why_not", careless),
        patch("rentpay_cli.store.write.payables.lock_to_be_sent", payables.get),
    ):
        yield


@contextmanager
def compare_and_set_only_sets() -> Iterator[None]:
    """A payable moves on from whatever state it is in."""

    def set_only(session: Any, numbers: Any, _: Any, to: PayableStatus) -> None:
        for payable in payables.lock(session, numbers):
            payable.status = to.value
            session.add(payable)
        session.flush()

    with patch("rentpay_cli.store.write.payables.move", set_only):
        yield


@contextmanager
def commits_after_sending() -> Iterator[None]:
    """The request leaves first; what was done is written down afterwards."""

    def send_first(rt: Runtime, payment_id: int) -> None:
        honest = rt.database.transaction
        with honest() as session, patch.object(rt.database, "transaction", lambda: nullcontext(session)):
            planned = preview(rt, payment_id)
            if isinstance(planned, NotSent):
                return
            claimed = claim(rt, lambda session: payables.lock_to_be_sent(session, planned.payable_id), mended=())
            if isinstance(claimed, Claimed):
                reply = put_on_wire(rt, claimed)
                learn(session, claimed.attempt_id, reply, source=Source.REPLY, actor=rt.actor, at=rt.now())

    with patch("tests.chaos.in_process.disburse", send_first), patch.object(Chaos, "_meanwhile", lambda _: None):
        yield


@contextmanager
def no_answer_is_failed() -> Iterator[None]:
    """A time-out, a 5xx or a broken answer is taken for "it was not sent"."""

    def hopeful(*arguments: Any) -> Any:
        reply = payment_reply(*arguments)
        return Refused("not_sent", reply.reason) if isinstance(reply, Unanswered) else reply

    with patch("tests.chaos.mpesa.payment_reply", hopeful):
        yield


@contextmanager
def late_failure_overturns_success() -> Iterator[None]:
    """A failure that comes after a success is believed."""
    with patch.dict(LIFE, {(State.MOVED, NotMoved): State.NOT_MOVED}), _contrary_news():
        yield


@contextmanager
def an_end_can_be_undone() -> Iterator[None]:
    """Whatever a success left behind is wiped out by a failure, so that no constraint is in its way."""
    fail = disbursements.fail

    def wipe(session: Any, row: Any, at: Any, by: str, **changes: Any) -> None:
        wiped = {"completed_at": None, "completed_day": None, "receipt": None, "mpesa_charge_cents": None}
        fail(session, row, at, by, **wiped, **changes)

    with patch("rentpay_cli.store.write.disbursements.fail", wipe), compare_and_set_only_sets():
        yield


@contextmanager
def contrary_news() -> Iterator[None]:
    """M-Pesa now and then tells a failure after a success; nothing else is changed."""
    with _contrary_news():
        yield


@contextmanager
def _contrary_news() -> Iterator[None]:
    """Let M-Pesa contradict itself: after a payout is known to have moved, a result says that it did not."""
    read = Chaos._read

    def read_and_hear_more(chaos: Chaos) -> None:
        read(chaos)
        for deed in chaos.mpesa.deeds:
            row = chaos.rt.reader.one(
                "SELECT state FROM attempt WHERE token_sha256 = :digest", digest=token_sha256(deed.token)
            )
            if deed.kind == "b2b" and row and row["state"] == "moved" and chaos.mpesa.happens(0.2):
                result = {"ResultCode": 1, "ResultDesc": "text", "ConversationID": f"AG_{deed.number}"}
                body = json.dumps({"Result": result}).encode()
                chaos._deliver(Delivery(chaos.now, "payout", deed.token, body))
        read(chaos)

    with patch.object(Chaos, "_read", read_and_hear_more):
        yield


@contextmanager
def silence_is_failure() -> Iterator[None]:
    """A payout of which nothing was heard for five minutes is taken for failed."""
    with patch("rentpay_cli.flows.chase.Overdue", lambda reason: NotMoved("no_record", reason)):
        yield


@contextmanager
def one_no_record_is_proof() -> Iterator[None]:
    """One "no such transaction" releases the money."""
    with _books_lag(), patch("rentpay_cli.flows.read_inbox.proves_not_moved", lambda *_: True):
        yield


@contextmanager
def mpesas_books_lag() -> Iterator[None]:
    """M-Pesa often says "no such transaction" in the first minutes; nothing else is changed."""
    with _books_lag():
        yield


@contextmanager
def _books_lag() -> Iterator[None]:
    drawn, tell, step = Faults.drawn, ChaoticMpesa._tell, Chaos.step

    def slow_books(chance: Random) -> Faults:
        drawn(chance)  # keeps its place in the run's chance
        return Faults(lag=0.95)  # nothing else hides what M-Pesa's lag does

    def tell_of_rent_only(mpesa: ChaoticMpesa, deed: Deed, pause: timedelta) -> None:
        if deed.kind == "stk" or not mpesa.happens(mpesa.faults.lag):
            tell(mpesa, deed, pause)

    def step_and_ask(chaos: Chaos) -> None:
        step(chaos)
        chaos._do(chaos._chase_all)

    with (
        patch.object(Faults, "drawn", slow_books),
        patch.object(ChaoticMpesa, "_tell", tell_of_rent_only),
        patch.object(Chaos, "step", step_and_ask),
    ):
        yield


@contextmanager
def money_goes_out_without_a_receipt() -> Iterator[None]:
    """A payment is paid out although its receipt has not come."""
    with _facts_are(has_receipt=True):
        yield


@contextmanager
def _facts_are(**changed: Any) -> Iterator[None]:
    """The guard no longer sees some of the facts about a payable."""
    candidates = payables.candidates

    def blind(*arguments: Any, **options: Any) -> list[Candidate]:
        return [replace(each, facts=replace(each.facts, **changed)) for each in candidates(*arguments, **options)]

    with patch("rentpay_cli.store.write.payables.candidates", blind):
        yield


@contextmanager
def contrary_evidence_is_not_looked_for() -> Iterator[None]:
    """M-Pesa says that a payout failed, and then that it was paid; the guard no longer sees the second word."""
    with _failures_that_were_none(), _facts_are(is_contradicted=False, hold=None):
        yield


@contextmanager
def failures_that_were_none() -> Iterator[None]:
    """M-Pesa says that a payout failed, and then that it was paid; nothing else is changed."""
    with _failures_that_were_none():
        yield


@contextmanager
def _failures_that_were_none() -> Iterator[None]:
    """Of some payouts that were paid a failure is told first, and that they were paid lies unread behind it."""
    step = Chaos.step

    def step_and_hear_two_things(chaos: Chaos) -> None:
        step(chaos)
        for deed in chaos.mpesa.deeds:
            row = chaos.rt.reader.one(
                "SELECT state FROM attempt WHERE token_sha256 = :digest", digest=token_sha256(deed.token)
            )
            if deed.kind == "b2b" and deed.moved and row and row["state"] == "waiting" and chaos.mpesa.happens(0.5):
                result = {"ResultCode": 1, "ResultDesc": "text", "ConversationID": f"AG_{deed.number}"}
                chaos._deliver(Delivery(chaos.now, "payout", deed.token, json.dumps({"Result": result}).encode()))
                paid = {"ResultCode": 0, "TransactionID": deed.receipt, "ConversationID": f"AG_{deed.number}"}
                chaos._deliver(Delivery(chaos.now, "payout", deed.token, json.dumps({"Result": paid}).encode()))
                read_inbox(chaos.rt, limit=1)

    with patch.object(Chaos, "step", step_and_hear_two_things):
        yield


@contextmanager
def unclear_may_be_sent_again() -> Iterator[None]:
    """A bulk retry gives up on what is unclear: it declares it failed and sends it again."""

    def impatient(rt: Runtime, **options: Any) -> Any:
        with rt.database.transaction() as session:
            rows = session.execute(
                text("SELECT id FROM attempt WHERE direction = 'payout' AND state = 'unclear'")
            ).all()
            for (number,) in rows:
                attempt = attempts.get(session, number)
                evidence = NotMoved("no_record", "gave up")
                learn(session, attempt.id or 0, evidence, source=Source.TIME, actor="nobody", at=rt.now())
        return plan_retry(rt, **options)

    with patch("tests.chaos.in_process.plan_retry", impatient):
        yield


@contextmanager
def no_brake() -> Iterator[None]:
    """That M-Pesa asked for fewer requests is forgotten with the run."""
    with (
        _many_lost_answers(),
        patch("rentpay_cli.flows.brake.put_on_brake", lambda *_: None),
        patch("rentpay_cli.flows.disburse.put_on_brake", lambda *_: None),
    ):
        yield


@contextmanager
def _many_lost_answers() -> Iterator[None]:
    """M-Pesa mostly gives no usable answer, a fifth of them a wish for fewer requests; nothing else goes wrong."""
    drawn = Faults.drawn

    def busy(chance: Random) -> Faults:
        drawn(chance)  # keeps its place in the run's chance
        return Faults(lost=0.7)

    with patch.object(Faults, "drawn", busy):
        yield


@contextmanager
def many_lost_answers() -> Iterator[None]:
    """M-Pesa often asks for fewer requests; nothing else is changed."""
    with _many_lost_answers():
        yield


@contextmanager
def changes_behind_the_journal() -> Iterator[None]:
    """The state of rows is changed without a word in the journal."""
    with patch("rentpay_cli.store.rows.chain", Mock()):
        yield


@contextmanager
def fees_count_twice() -> Iterator[None]:
    """A transfer writes down twice the fee of what it settles, and reports believe it."""
    propose = disbursements.propose

    def twice(session: Any, transfer: Any, members: Any, *rest: Any, **more: Any) -> int:
        return propose(
            session, transfer, [replace(each, fee_cents=2 * each.fee_cents) for each in members], *rest, **more
        )

    with patch("rentpay_cli.store.write.disbursements.propose", twice):
        yield


@contextmanager
def what_is_completed_stays_as_it_was() -> Iterator[None]:
    """A share stays on its way when its transfer has arrived."""
    move = payables.move

    def forget(session: Any, numbers: Any, seen: Any, to: PayableStatus) -> None:
        if to is not PayableStatus.COMPLETED:
            move(session, numbers, seen, to)

    with patch("rentpay_cli.store.write.payables.move", forget):
        yield


@contextmanager
def what_failed_keeps_its_members() -> Iterator[None]:
    """A transfer that moved nothing does not let go of what it was to settle."""
    with patch("rentpay_cli.store.write.disbursements._set_live", lambda *_: None):
        yield


@contextmanager
def shares_are_a_shilling_more() -> Iterator[None]:
    """What is booked for the owner is not what the payment was divided into."""
    book, columns = payables.book_share, [column.name for column in SQLModel.metadata.tables["payment"].columns]

    def more(session: Any, payment: Any, *rest: Any, **known: Any) -> int:
        divided = {name: getattr(payment, name) for name in columns}
        return book(session, SimpleNamespace(**divided | {"share_cents": payment.share_cents + 100}), *rest, **known)

    with patch("rentpay_cli.store.write.payables.book_share", more):
        yield


@contextmanager
def stops_stop_nothing() -> Iterator[None]:
    """The guard no longer sees that payouts are stopped."""
    with _facts_are(is_stopped=False):
        yield


@contextmanager
def evidence_holds_nothing() -> Iterator[None]:
    """A success that follows a failure is a finding, and nobody holds the share."""
    with _failures_that_were_none(), patch("rentpay_cli.flows.learn._hold_members", lambda *_: None):
        yield


@dataclass(frozen=True)
class Mutation:
    """A guard, how it is taken away, and whether the loss must be noticed; by which invariant, if by one of them."""

    name: str
    without: tuple[Callable[[], Any], ...]
    prepare: Callable[[str], None] = untouched
    noticed: bool = True
    invariant: int | None = None


NO_INDEX = statements(
    "DROP INDEX one_live_disbursement",
    "DROP TRIGGER disbursement_member_joins",
    "DROP TRIGGER disbursement_free",
    "DROP TRIGGER payable_status_moves",
)
NO_TRIGGERS = statements(
    "DROP TRIGGER attempt_state_moves",
    "DROP TRIGGER attempt_set_once",
    "DROP TRIGGER disbursement_status_moves",
    "DROP TRIGGER disbursement_set_once",
    "DROP TRIGGER disbursement_not_moved",
    "DROP TRIGGER disbursement_member_freed",
    "DROP TRIGGER payable_status_moves",
    "DROP TRIGGER payable_freed",
)

MUTATIONS = (
    Mutation("nothing is taken away", (), noticed=False),
    Mutation("the guards of the database are dropped; the rules in code still hold", (), NO_INDEX, noticed=False),
    Mutation(
        "the rules in code are gone; the guards of the database still hold",
        (code_ignores_earlier_attempts, compare_and_set_only_sets),
        noticed=False,
    ),
    Mutation(
        "the guards of the database are dropped, and the rules in code are gone",
        (code_ignores_earlier_attempts, compare_and_set_only_sets),
        NO_INDEX,
    ),
    Mutation("the commit comes after the sending", (commits_after_sending,)),
    Mutation("no answer is taken for failed", (no_answer_is_failed,)),
    Mutation("silence is taken for failed", (silence_is_failure,)),
    Mutation("what is unclear is given up and sent again", (unclear_may_be_sent_again,)),
    Mutation("M-Pesa's books lag; two answers minutes apart still tell", (mpesas_books_lag,), noticed=False),
    Mutation("one answer of no record is taken for proof", (one_no_record_is_proof,)),
    Mutation("a change is made that the journal does not tell of", (changes_behind_the_journal,)),
    Mutation("money goes out before the receipt is known", (money_goes_out_without_a_receipt,)),
    Mutation("a success follows a failure; the guard sees it", (failures_that_were_none,), noticed=False),
    Mutation("a success follows a failure; nobody looks for it", (contrary_evidence_is_not_looked_for,)),
    Mutation("M-Pesa's wish for fewer requests is heeded", (many_lost_answers,), noticed=False),
    Mutation("M-Pesa's wish for fewer requests is forgotten", (no_brake,)),
    Mutation("M-Pesa contradicts a success; the table still holds", (contrary_news,), noticed=False),
    Mutation("M-Pesa contradicts a success; the triggers still hold", (late_failure_overturns_success,), noticed=False),
    Mutation(
        "a late failure overturns a success, in the table and in the database",
        (late_failure_overturns_success, an_end_can_be_undone),
        NO_TRIGGERS,
    ),
    Mutation(
        "a transfer counts its fees twice",
        (fees_count_twice,),
        statements("DROP TRIGGER disbursement_sums"),
        invariant=1,
    ),
    Mutation("a share is left when its transfer arrives", (what_is_completed_stays_as_it_was,), invariant=2),
    Mutation(
        "a transfer that failed keeps its members",
        (what_failed_keeps_its_members,),
        statements("DROP TRIGGER payable_freed"),
        invariant=3,
    ),
    Mutation(
        "nobody sums up what a receipt is used for",
        (),
        statements("DROP TRIGGER money_allocated", "DROP TRIGGER money_allocated_at_once"),
        invariant=5,
    ),
    Mutation("a share is more than the payment says", (shares_are_a_shilling_more,), invariant=6),
    Mutation("payouts leave although they are stopped", (stops_stop_nothing,), invariant=12),
    Mutation("contrary evidence holds nothing", (evidence_holds_nothing,), invariant=13),
)


def as_expected(mutation: Mutation, found: str | None) -> bool:
    """Whether what was noticed, or that nothing was, is what the mutation tells."""
    by = "" if mutation.invariant is None else f"invariant {mutation.invariant}: "
    return (found is not None) == mutation.noticed and by in (found or "")


def play(mutation: Mutation, runs: int) -> str | None:
    """Play seeds without the guard; what was noticed, or None."""
    with ExitStack() as stack, databases("sqlite", mutation.prepare) as new:
        if mutation.prepare is not untouched:  # which is noticed when the database is opened
            stack.enter_context(patch.object(schema, "check", lambda *_: None))
        for taken_away in mutation.without:
            stack.enter_context(taken_away())
        for seed in range(1, runs + 1):
            with new() as url:
                try:
                    run_seed(seed, url)
                except Violation as violation:
                    return str(violation)
    return None


def main() -> int:
    """Take every guard away in turn; 1 if a loss went unnoticed, or something was noticed that should not be."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--runs", type=int, default=MOST_RUNS, help="how many seeds to play at most for each")
    runs = arguments.parse_args().runs
    wrong = 0
    for mutation in MUTATIONS:
        found = play(mutation, runs if mutation.noticed else min(runs, 60))
        is_so = as_expected(mutation, found)
        wrong += not is_so
        sys.stdout.write(f"{'ok   ' if is_so else 'WRONG'} {mutation.name}: {found or 'nothing was noticed'}\n")
        sys.stdout.flush()
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
