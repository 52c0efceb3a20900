"""Send many shares: the failed ones that may safely be sent again, or those that are due."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlmodel import Session

from rentpay_cli.config import PAY_OUT
from rentpay_cli.core.attempt import State
from rentpay_cli.core.codes import Advice
from rentpay_cli.core.disburse import DisbursementStatus, Refusal, why_not
from rentpay_cli.core.evidence import Refused, Unanswered
from rentpay_cli.errors import RuleRefused
from rentpay_cli.flows.confirm import confirm_collection
from rentpay_cli.flows.disburse import (
    Held,
    held_error,
    refusal,
    send,
    share_of,
    stopped_error,
    write_intention,
)
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import attempts, disbursements, enquiries, payments, register, stops
from rentpay_cli.store.disbursements import Waiting
from rentpay_cli.store.tables import Owner

AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run would send, and the failed ones that it leaves alone."""

    sends: tuple[Waiting, ...]
    total_cents: int
    left_alone: int
    float_cents: int | None = None
    float_read_at: datetime | None = None

    @property
    def is_covered(self) -> bool:
        """Whether the float covers the run, as far as the last balance tells."""
        return self.float_cents is None or self.float_cents >= self.total_cents


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
        known = enquiries.last_float_cents(session) or (None, None)
    return Plan(tuple(chosen), sum(item.amount_cents for item in chosen), every - len(chosen), *known)


def plan_due(rt: Runtime, limit: int) -> Plan:
    """Choose shares that were never sent, oldest first."""
    with rt.database.transaction() as session:
        chosen = disbursements.waiting(session, DisbursementStatus.PENDING, due_at=rt.now(), limit=limit)
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
    vouched, began_at = tuple(mended), rt.now()
    waiting = list(reversed(plan.sends))
    with ThreadPoolExecutor(max_workers=min(at_once, len(plan.sends))) as pool:
        under_way: set[Future[tuple[str, Any]]] = set()
        while waiting or under_way:
            room = min(at_once - len(under_way), len(waiting))
            under_way |= {pool.submit(_send_one, rt, waiting.pop(), vouched, began_at) for _ in range(room)}
            done, under_way = wait(under_way, return_when=FIRST_COMPLETED)
            for future in done:
                kind, item = future.result()
                if kind == "ended":
                    run.skipped += [item, *(replace(item, payment_id=each.payment_id) for each in reversed(waiting))]
                    waiting.clear()
                else:
                    getattr(run, kind).append(item)
                on_progress()
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


def _why_end(session: Session, began_at: datetime) -> tuple[str, str] | None:
    """Why the rest of a run must not be sent (a sentence and a code), or None."""
    if stops.in_force(session) is not None:
        return "It was not sent: all payouts were stopped during the run.", Refusal.STOPPED.value
    if attempts.ran_out_of_float(session, began_at):
        return "It was not sent: the float ran out during the run.", "float_ran_out"
    return None


def _send_one(rt: Runtime, item: Waiting, mended: tuple[Advice, ...], began_at: datetime) -> tuple[str, Any]:
    """Send one share, and say in which list of the run it belongs, or that the run has `ended` before it.

    Whether it still may be sent is decided in the transaction that writes the intention.
    """
    try:
        confirm_collection(rt, item.payment_id)
        with rt.database.transaction() as session:
            end = _why_end(session, began_at)
            if end is not None:
                return "ended", Failure(item.payment_id, *end)
            payment = payments.get(session, item.payment_id)
            disbursement = disbursements.get(session, item.disbursement_id)
            reason = why_not(share_of(session, payment, disbursement), mended=mended)
            if reason is not None:
                raise refusal(reason, item.payment_id)
            sending = write_intention(rt, session, disbursement, item.payment_id)
        if isinstance(sending, Held):
            raise held_error(sending)
    except RuleRefused as error:
        return "skipped", Failure(item.payment_id, error.message, error.code)
    reply, state = send(rt, sending)
    match reply:
        case Refused():
            return "failed", Failure(item.payment_id, reply.text, reply.code)
        case Unanswered() if state is State.UNCLEAR:
            return "unclear", Failure(item.payment_id, reply.reason, "outcome_unknown")
    return "accepted", item.payment_id
