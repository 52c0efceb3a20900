"""A sending session: many shares through the one way out, with the brake of `core/brake`.

It begins with one request on the wire and doubles with each answer. Where M-Pesa has told of no success lately, one
share goes first, and its result is awaited. What asks for less, gives no answers or shows that repeating does harm ends
the session with the rest not sent, and keeps runs from beginning by themselves for a while.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from queue import Empty, SimpleQueue

from sqlmodel import Session

from rentpay_cli.config import PAY_OUT
from rentpay_cli.core import brake as braking
from rentpay_cli.core.attempt import State
from rentpay_cli.core.brake import MOST_AT_ONCE, MOST_UNANSWERED, TRIAL_SECONDS, TRUST, Brake, End
from rentpay_cli.core.codes import FLOAT_TOO_LOW, NOT_SENT, Advice, blames_the_share
from rentpay_cli.core.evidence import Source
from rentpay_cli.core.payout import WORDS, Refusal, StopKind
from rentpay_cli.flows.learn import stop_by_itself
from rentpay_cli.flows.send import (
    Claimed,
    Failed,
    Held,
    NotSent,
    Outcome,
    Sent,
    Settled,
    Unclear,
    claim,
    confirm,
    credential_digest,
    learn_reply,
    put_on_wire,
)
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import attempts, brake, journal, stops
from rentpay_cli.store.write import payables
from rentpay_cli.store.write.payables import Waiting

POLL_SECONDS = 0.3
CLAIM_AMONG = 8


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
    settled: list[int] = field(default_factory=list)
    """Payments whose shares settle a part of what their owner owes."""
    failed: list[Failure] = field(default_factory=list)
    unclear: list[Failure] = field(default_factory=list)
    skipped: list[Failure] = field(default_factory=list)
    left: list[int] = field(default_factory=list)
    """The payables that it did not get to because it waits for nothing."""
    end: End | None = None
    """Why it ended before all was sent."""


class Sender:
    """A sending session: sends shares, no more at once and no faster than M-Pesa bears, until something ends it."""

    def __init__(self, rt: Runtime, *, mended: Iterable[Advice] = (), at_once: int = MOST_AT_ONCE) -> None:
        self._rt = rt
        self._mended = tuple(mended)
        self._most = at_once
        self._began_at = rt.now()
        self._width = 1
        self._unanswered = 0
        self._is_trusted = False
        self._trial: Claimed | None = None
        self._trial_at = self._began_at
        self._trial_paused_seconds = 0.0
        self.end: End | None = None

    def send(
        self, shares: Sequence[Waiting], *, waits: bool = True, on_progress: Callable[[], None] = lambda: None
    ) -> Run:
        """Send shares, the first ones first; unless it `waits`, only what pace and trial let leave now.

        Raises `MpesaUnreachable` or `BadConfiguration` before anything is sent, and `BadDatabase`.
        """
        run = Run(total=len(shares))
        if not shares:
            return run
        self._rt.settings.require(PAY_OUT)
        self._rt.mpesa.prepare()
        waiting = {share.payment_id: share for share in shares}
        with ThreadPoolExecutor(max_workers=self._most) as pool:  # whatever is raised, what is on the wire is finished
            self._send_all(pool, waiting, run, waits, on_progress)
        if self.end is None:
            run.left = [share.payable_id for share in waiting.values()]
        else:
            run.end = self.end
            words = f"It was not sent: {braking.WORDS[self.end]}."
            for payment_id in waiting:
                run.skipped.append(Failure(payment_id, words, self.end.value))
                on_progress()
            put_on_brake(self._rt, self.end)
        return run

    def _send_all(
        self,
        pool: ThreadPoolExecutor,
        waiting: dict[int, Waiting],
        run: Run,
        waits: bool,
        on_progress: Callable[[], None],
    ) -> None:
        """Begin with as many as may leave, and count what comes back, until all are dealt with or the session ends."""
        on_wire, answers = 0, SimpleQueue[Future[Outcome]]()

        def count(outcome: Outcome) -> None:
            self._count(outcome, run)
            on_progress()

        while True:
            may_begin = waiting and self.end is None and on_wire < self._width and answers.empty()
            delay_seconds = self._delay_seconds() if may_begin else None
            if delay_seconds == 0 and self.end is None:
                begun = self._begin(pool, waiting)
                if isinstance(begun, Future):
                    on_wire += 1
                    begun.add_done_callback(answers.put)
                elif begun is not None:
                    count(begun)
            elif on_wire:
                with suppress(Empty):
                    count(answers.get(timeout=delay_seconds if waits else None).result())
                    on_wire -= 1
            elif self.end is not None or not waiting or not waits:
                return
            else:
                self._pause(delay_seconds or 0)

    def _delay_seconds(self) -> float:
        """How long to wait before the next may leave; sets `end` if it must not."""
        if not self._is_trusted and not self._may_try():
            return POLL_SECONDS
        return self._rt.payout_pace.delay_seconds(self._rt.now())

    def _may_try(self) -> bool:
        """Whether one may leave although nothing has shown lately that payouts go through: as a trial, or after it."""
        if self._trial is None:
            self._is_trusted = _goes_through(self._rt)
            return True
        with self._rt.database.transaction() as session:
            state, code = attempts.fate(session, self._trial.attempt_id)
            is_stopped = stops.in_force(session) is not None
        if is_stopped:
            self.end = End.STOPPED
        elif state is State.MOVED:
            self._is_trusted = True
        elif state is State.NOT_MOVED and blames_the_share(code or ""):
            self._trial = None  # the next one takes its place
        elif state is State.NOT_MOVED:
            self.end = End.FLOAT_RAN_OUT if code in FLOAT_TOO_LOW else End.TRIAL_FAILED
        else:
            waited = (self._rt.now() - self._trial_at).total_seconds()
            if max(waited, self._trial_paused_seconds) >= TRIAL_SECONDS:
                self.end = End.NO_RESULT
            return False
        return self._may_try() if self._trial is None else self._is_trusted

    def _pause(self, seconds: float) -> None:
        self._trial_paused_seconds += seconds
        self._rt.pause(seconds)

    def _begin(self, pool: ThreadPoolExecutor, waiting: dict[int, Waiting]) -> Future[Outcome] | Outcome | None:
        """Claim the oldest share that is free, and send it; what became of it, if nothing is sent."""
        first = next(iter(waiting.values()))
        among = [each.payable_id for each in itertools.islice(waiting.values(), CLAIM_AMONG)]
        if self._rt.settings.confirm_collection:
            among = among[:1]
            if (unconfirmed := confirm(self._rt, first.payment_id)) is not None:
                del waiting[first.payment_id]
                return unconfirmed
        claimed = claim(
            self._rt,
            lambda session: payables.lock_oldest_free(session, among),
            mended=self._mended,
            began_at=self._began_at,
        )
        if claimed is None:
            del waiting[first.payment_id]
            return NotSent(first.payment_id, Refusal.BUSY, WORDS[Refusal.BUSY])
        if isinstance(claimed, NotSent) and (end := _end_after(claimed)) is not None:
            self.end = end
            return None
        del waiting[claimed.payment_id]
        if not isinstance(claimed, Claimed):
            return claimed
        if not self._is_trusted:
            self._trial, self._trial_at, self._trial_paused_seconds = claimed, self._rt.now(), 0.0
        self._rt.payout_pace.take()
        return pool.submit(lambda: learn_reply(self._rt, claimed, put_on_wire(self._rt, claimed)))

    def _count(self, outcome: Outcome, run: Run) -> None:
        _note(outcome, run)
        if isinstance(outcome, Unclear | Failed) and (isinstance(outcome, Unclear) or outcome.code == NOT_SENT):
            self._unanswered += 1
        elif isinstance(outcome, Sent | Failed):
            self._width = min(2 * self._width, self._most)
        if isinstance(outcome, Unclear) and outcome.slow_down:
            self.end = End.SLOW_DOWN
        elif self._unanswered >= MOST_UNANSWERED and self.end is None:
            self.end = End.UNANSWERED


def _note(outcome: Outcome, run: Run) -> None:
    """Write down in the run what became of a share."""
    match outcome:
        case Sent(payment_id):
            run.accepted.append(payment_id)
        case Settled(payment_id):
            run.settled.append(payment_id)
        case Failed(payment_id, code, text):
            run.failed.append(Failure(payment_id, text, code))
        case Unclear(payment_id, reason):
            run.unclear.append(Failure(payment_id, reason, "outcome_unknown"))
        case NotSent(payment_id, reason, because):
            words = f"Payment {payment_id} was not disbursed: {because}."
            run.skipped.append(Failure(payment_id, words, reason.value))
        case Held(payment_id, because):
            words = f"Payment {payment_id} was not disbursed: it is held, because {because}."
            run.skipped.append(Failure(payment_id, words, Refusal.HELD.value))


def _end_after(refused: NotSent) -> End | None:
    """Why nothing else may leave either; a stop of one owner's payouts is none of others'."""
    if refused.reason is Refusal.FLOAT_RAN_OUT:
        return End.FLOAT_RAN_OUT
    return End.STOPPED if refused.reason is Refusal.STOPPED and refused.owner_id is None else None


def send_all(
    rt: Runtime,
    shares: Sequence[Waiting],
    *,
    mended: Iterable[Advice] = (),
    on_progress: Callable[[], None] = lambda: None,
    at_once: int = MOST_AT_ONCE,
) -> Run:
    """Send shares in a session of their own, waiting for what must be waited for; raises as `Sender.send` does."""
    return Sender(rt, mended=mended, at_once=at_once).send(shares, on_progress=on_progress)


def may_begin_by_itself(rt: Runtime) -> bool:
    """Whether a run that nobody asked for may begin now: no stop of all payouts and no brake is in force."""
    with rt.database.transaction() as session:
        if stops.in_force(session) is not None:
            return False
        found = brake.read(session)
        return not found.is_on(rt.now()) or _went_through_after(session, found.at)


def put_on_brake(rt: Runtime, end: End) -> None:
    """Let no run begin by itself for a while after this end; the third time, stop all payouts for a person to look."""
    if end not in braking.BRAKING:
        return
    at, reason = rt.now(), braking.WORDS[end]
    with rt.database.transaction() as session:
        found = brake.read(session)
        if _went_through_after(session, found.at):
            found = Brake()
        found = found.again(at, end)
        brake.write(session, found)
        journal.write(session, at, rt.actor, "payouts braked", reason=reason, times=found.times)
        if end not in braking.STOPPING or found.times < braking.MOST_BRAKES:
            return
        stop_by_itself(session, StopKind.RATE, f"{found.times} times one after the other, {reason}", at)


def _goes_through(rt: Runtime) -> bool:
    """Whether M-Pesa has told lately that a payout was paid: since the last stop, with the credential of today."""
    at = rt.now()
    with rt.database.transaction() as session:
        since = (
            at - TRUST,
            brake.credential_since(session, credential_digest(rt), at),
            stops.last_lifted_at(session),
        )
        return _went_through_after(session, max(each for each in since if each is not None))


def _went_through_after(session: Session, moment: datetime | None) -> bool:
    return moment is not None and attempts.went_through_after(session, moment, not_by=Source.RULING)
