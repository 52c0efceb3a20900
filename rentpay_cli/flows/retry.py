"""Send many shares: the failed ones that may safely be sent again, or those that are due."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from datetime import datetime
from random import Random
from typing import TypeAlias

from sqlmodel import Session

from rentpay_cli.config import PAY_OUT
from rentpay_cli.core.attempt import State
from rentpay_cli.core.codes import Advice
from rentpay_cli.core.disburse import DisbursementStatus, Refusal, why_not
from rentpay_cli.core.evidence import Refused, Unanswered
from rentpay_cli.core.float_reading import FloatReading
from rentpay_cli.errors import RuleRefused
from rentpay_cli.flows.confirm import confirm_collection
from rentpay_cli.flows.disburse import (
    Held,
    Reply,
    Sending,
    held_error,
    learn_from,
    put_on_wire,
    refusal,
    share_of,
    stopped_error,
    write_intention,
)
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import attempts, disbursements, health_reads, payments, register, stops
from rentpay_cli.store.disbursements import Waiting
from rentpay_cli.store.tables import Owner

AT_ONCE = 16
_FLOAT_RAN_OUT = "float_ran_out"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run would send, and the failed ones that it leaves alone."""

    sends: tuple[Waiting, ...]
    total_cents: int
    left_alone: int
    float: FloatReading | None = None

    @property
    def is_covered(self) -> bool:
        """Whether the float covers the run, as far as the last balance tells."""
        return self.float is None or not self.float.falls_short_of(self.total_cents)

    @property
    def is_float_known(self) -> bool:
        """Whether there is a balance, and nothing known that it lacks."""
        return self.float is not None and not self.float.is_outdated


@dataclass(frozen=True, slots=True)
class Failure:
    """A share that was not accepted, and why."""

    payment_id: int
    error: str
    code: str


@dataclass(slots=True)
class Run:
    """What became of a run: `accepted` means that M-Pesa took the request, not that the owner was paid."""

    total: int = 0
    accepted: list[int] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)
    unclear: list[Failure] = field(default_factory=list)
    skipped: list[Failure] = field(default_factory=list)


def plan_retry(
    rt: Runtime,
    *,
    owner_reference: str | None = None,
    limit: int | None = None,
    mended: Iterable[Advice] = (),
) -> Plan:
    """Choose every failed share that may safely be sent again; those of an owner whose payouts are stopped wait.

    Raises `NotFound` for an unknown owner, and `RuleRefused` for one whose payouts are stopped.
    """
    advices = (Advice.SEND_AGAIN, *mended)
    with rt.database.transaction() as session:
        owner = register.find(session, Owner, owner_reference) if owner_reference else None
        owner_id = owner.id if owner else None
        stop = stops.in_force(session, owner_id) if owner else None
        if stop is not None:
            raise stopped_error(session, stop)
        chosen = disbursements.waiting(
            session, DisbursementStatus.FAILED, advices=advices, owner_id=owner_id, limit=limit
        )
        every = disbursements.count_failed(session, owner_id=owner_id)
    known = health_reads.last_float(rt.reader)
    return Plan(tuple(chosen), sum(item.amount_cents for item in chosen), every - len(chosen), known)


def plan_due(rt: Runtime, limit: int, *, among: int | None = None) -> Plan:
    """Choose shares that were never sent: the oldest; or by chance some of the `among` oldest, if that is given."""
    with rt.database.transaction() as session:
        chosen = disbursements.waiting(session, DisbursementStatus.PENDING, due_at=rt.now(), limit=among or limit)
    if len(chosen) > limit:
        chosen = Random(rt.new_token()).sample(chosen, limit)  # noqa: S311 - no secret comes of it
    return Plan(tuple(chosen), sum(item.amount_cents for item in chosen), 0)


def carry_out(
    rt: Runtime,
    plan: Plan,
    *,
    mended: Iterable[Advice] = (),
    on_progress: Callable[[], None] = lambda: None,
    at_once: int = AT_ONCE,
) -> Run:
    """Send what was planned, several at once, and go on after a failure.

    It ends early once the float has run out or all payouts are stopped: the rest is skipped. Raises `MpesaUnreachable`
    or `BadConfiguration` before anything is sent, and `RuleRefused` while payouts are stopped.
    """
    run = Run(total=len(plan.sends))
    if not plan.sends:
        return run
    rt.settings.require(PAY_OUT)
    refuse_while_stopped(rt)
    rt.mpesa.prepare()
    count = min(at_once, len(plan.sends))
    lanes = _Lanes(rt, tuple(mended), rt.now(), deque(plan.sends), run, on_progress)
    with ThreadPoolExecutor(max_workers=count) as pool:
        try:
            done, _ = wait([pool.submit(lanes.send_in_turn) for _ in range(count)], return_when=FIRST_EXCEPTION)
        finally:
            lanes.waiting.clear()  # after Ctrl-C or an error, what is on its way is finished and nothing more is begun
    for lane in done:
        lane.result()  # raises what ended it early
    return run


def is_stopped(rt: Runtime) -> bool:
    """Whether all payouts are stopped."""
    with rt.database.transaction() as session:
        return stops.in_force(session) is not None


def refuse_while_stopped(rt: Runtime) -> None:
    """Raise `RuleRefused` while all payouts are stopped."""
    with rt.database.transaction() as session:
        stop = stops.in_force(session)
        if stop is not None:
            raise stopped_error(session, stop)


_Replied: TypeAlias = tuple[Sending, Reply]


@dataclass(slots=True)
class _Lanes:
    """Takes shares from those that wait and sends them, one after the other; several threads do so at once."""

    rt: Runtime
    mended: tuple[Advice, ...]
    began_at: datetime
    waiting: deque[Waiting]
    run: Run
    on_progress: Callable[[], None]
    end: Failure | None = None
    """Why the rest is not sent, once that is so."""

    def send_in_turn(self) -> None:
        """Send shares until none waits; what M-Pesa replied is written down together with the next intention."""
        replied: _Replied | None = None
        while (item := self._take()) is not None:
            if self.rt.settings.confirm_collection:  # that is a request, too, and a reply does not wait for it
                self._note(replied)
                replied = None
            try:
                confirm_collection(self.rt, item.payment_id)
                sending = self._write(replied, item)
            except RuleRefused as error:
                self._skip(item, error)
                replied = None
            else:
                replied = sending, put_on_wire(self.rt, sending)
        self._note(replied)

    def _take(self) -> Waiting | None:
        """The next share, for this thread alone; None if none waits. After the run's end they are skipped."""
        while True:
            try:
                item = self.waiting.popleft()
            except IndexError:
                return None
            if self.end is None:
                return item
            self.run.skipped.append(replace(self.end, payment_id=item.payment_id))
            self.on_progress()

    def _write(self, replied: _Replied | None, item: Waiting) -> Sending:
        """Write down what M-Pesa replied to the last payout, and that the next is about to be sent."""
        if replied is None:
            (intended,) = self.rt.database.together(lambda session: self._intend(session, item))
        else:
            learned, intended = self.rt.database.together(
                lambda session: learn_from(self.rt, session, *replied), lambda session: self._intend(session, item)
            )
            self._count(replied, learned.result())
        match intended.result():
            case Sending() as sending:
                return sending
            case Held() as held:
                raise held_error(held)
            case refused:
                raise refused

    def _note(self, replied: _Replied | None) -> None:
        """Write down what M-Pesa replied."""
        if replied is not None:
            (learned,) = self.rt.database.together(lambda session: learn_from(self.rt, session, *replied))
            self._count(replied, learned.result())

    def _intend(self, session: Session, item: Waiting) -> Sending | Held | RuleRefused:
        """Decide whether the share still may be sent, in the transaction that writes the intention.

        Most refusals are returned, because one that is raised makes all that is written beside it be done again.
        """
        if attempts.ran_out_of_float(session, self.began_at):
            return RuleRefused("It was not sent: the float ran out during the run.", code=_FLOAT_RAN_OUT)
        payment = payments.get_if_free(session, item.payment_id)
        if payment is None:
            return RuleRefused(
                f"Payment {item.payment_id} was not disbursed: another process works on it just now.",
                f"See: rentpay status {item.payment_id}",
                code="busy",
            )
        disbursement = disbursements.get(session, item.disbursement_id)
        reason = why_not(share_of(session, payment, disbursement), mended=self.mended)
        if reason is not None:
            return refusal(reason, item.payment_id)
        return write_intention(self.rt, session, disbursement, item.payment_id)

    def _skip(self, item: Waiting, error: RuleRefused) -> None:
        why = Failure(item.payment_id, error.message, error.code)
        if error.code == Refusal.STOPPED.value and is_stopped(self.rt):
            self.end = why = replace(why, error="It was not sent: all payouts were stopped during the run.")
        elif error.code == _FLOAT_RAN_OUT:
            self.end = why
        self.run.skipped.append(why)
        self.on_progress()

    def _count(self, replied: _Replied, state: State) -> None:
        sending, reply = replied
        match reply:
            case Refused():
                self.run.failed.append(Failure(sending.payment_id, reply.text, reply.code))
            case Unanswered() if state is State.UNCLEAR:
                self.run.unclear.append(Failure(sending.payment_id, reply.reason, "outcome_unknown"))
            case _:
                self.run.accepted.append(sending.payment_id)
        self.on_progress()
