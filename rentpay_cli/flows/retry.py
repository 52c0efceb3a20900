"""Send many shares: the failed ones that may safely be sent again, or those that are due."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field

from rentpay_cli.config import PAY_OUT
from rentpay_cli.core.attempt import State
from rentpay_cli.core.codes import Advice
from rentpay_cli.core.disburse import DisbursementStatus, why_not
from rentpay_cli.core.evidence import Refused, Unanswered
from rentpay_cli.errors import RuleRefused
from rentpay_cli.flows.disburse import refusal, send, share_of, write_intention
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import disbursements, payments, register
from rentpay_cli.store.disbursements import Waiting
from rentpay_cli.store.tables import Owner

AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run would send, and the failed ones that it leaves alone."""

    sends: tuple[Waiting, ...]
    total_cents: int
    left_alone: int


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
    """Choose every failed share that may safely be sent again; raises `NotFound` for an unknown owner."""
    advices = (Advice.SEND_AGAIN, *mended)
    with rt.database.transaction() as session:
        owner = register.find(session, Owner, owner_reference) if owner_reference else None
        owner_id = owner.id if owner else None
        chosen = disbursements.waiting(
            session, DisbursementStatus.FAILED, advices=advices, owner_id=owner_id, limit=limit
        )
        every = disbursements.count(session, DisbursementStatus.FAILED, owner_id=owner_id)
    return Plan(tuple(chosen), sum(item.amount_cents for item in chosen), every - len(chosen))


def plan_due(rt: Runtime, limit: int) -> Plan:
    """Choose shares that were never sent, oldest first."""
    with rt.database.transaction() as session:
        chosen = disbursements.waiting(session, DisbursementStatus.PENDING, limit=limit)
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

    Raises `MpesaUnreachable` or `BadConfiguration` before anything is sent.
    """
    run = Run(total=len(plan.sends))
    if not plan.sends:
        return run
    rt.settings.require(PAY_OUT)
    rt.mpesa.prepare()
    vouched = tuple(mended)
    with ThreadPoolExecutor(max_workers=min(at_once, len(plan.sends))) as pool:
        futures = [pool.submit(_send_one, rt, item, vouched) for item in plan.sends]
        try:
            for future in as_completed(futures):
                _count(run, *future.result())
                on_progress()
        except BaseException:
            for future in futures:
                future.cancel()  # what has not begun stays unsent; what has begun is seen through
            raise
    return run


def _send_one(rt: Runtime, item: Waiting, mended: tuple[Advice, ...]) -> tuple[str, Failure | int]:
    """Send one share; whether it still may be sent is decided in the transaction that writes the intention."""
    try:
        with rt.database.transaction() as session:
            payment = payments.get(session, item.payment_id)
            disbursement = disbursements.get(session, item.disbursement_id)
            reason = why_not(share_of(session, payment, disbursement), mended=mended)
            if reason is not None:
                raise refusal(reason, item.payment_id)
            sending = write_intention(rt, session, disbursement, item.payment_id)
    except RuleRefused as error:
        return "skipped", Failure(item.payment_id, error.message, error.code)
    reply, state = send(rt, sending)
    match reply:
        case Refused():
            return "failed", Failure(item.payment_id, reply.text, reply.code)
        case Unanswered() if state is State.UNCLEAR:
            return "unclear", Failure(item.payment_id, reply.reason, "outcome_unknown")
    return "accepted", item.payment_id


def _count(run: Run, kind: str, item: Failure | int) -> None:
    getattr(run, kind).append(item)
