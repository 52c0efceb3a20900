"""What is to be sent: the share of one payment, the failed ones that may safely be sent again, those that are due."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rentpay_cli.config import PAY_OUT
from rentpay_cli.core.brake import End
from rentpay_cli.core.codes import Advice
from rentpay_cli.core.float_reading import FloatReading
from rentpay_cli.core.payout import WORDS, PayableStatus, Refusal, because
from rentpay_cli.flows.brake import put_on_brake
from rentpay_cli.flows.send import Claimed, NotSent, Outcome, Unclear, claim, confirm, intend, learn_reply, put_on_wire
from rentpay_cli.flows.why import of_no_share
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import health_reads, payments, register, stops
from rentpay_cli.store.tables import Owner
from rentpay_cli.store.write import payables
from rentpay_cli.store.write.payables import Waiting

MENDED = (Advice.MEND_FIRST,)
"""Whoever names a payment vouches that the cause of its last failure is mended."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What `disburse` would send."""

    payment_id: int
    payable_id: int
    amount_cents: int
    fee_cents: int
    paybill: str
    account_number: str
    owed_cents: int = 0
    """What the owner owes, which the share settles as far as it goes."""


def preview(rt: Runtime, payment_id: int) -> Preview | NotSent:
    """What would be sent for the payment, or why nothing may be; raises `NotFound`."""
    with rt.database.transaction() as session:
        payment = payments.get(session, payment_id)
        share = payables.share_of(session, payment_id)
        if share is None:
            reason = of_no_share(payment.status)
            return NotSent(payment_id, reason, because(reason))
        plan = intend(session, share, rt.now(), own=rt.settings.short_code, mended=MENDED)
        if isinstance(plan, NotSent):
            return plan
        paybill, account_number = plan.transfer.destination or ("", "")
        return Preview(
            payment_id,
            plan.share.payable_id,
            plan.transfer.amount_cents,
            plan.share.fee_cents,
            paybill,
            account_number,
            plan.owed_cents,
        )


def disburse(rt: Runtime, payment_id: int) -> Outcome:
    """Send the owner's share of one payment; raises `NotFound`, and `MpesaUnreachable` before anything is sent.

    If M-Pesa asks for fewer requests, runs heed it that begin later.
    """
    rt.settings.require(PAY_OUT)
    planned = preview(rt, payment_id)  # say what is wrong before M-Pesa is asked for a token
    if isinstance(planned, NotSent):
        return planned
    rt.mpesa.prepare()  # what can fail before the claim fails here
    if (unconfirmed := confirm(rt, payment_id)) is not None:
        return unconfirmed
    claimed = claim(rt, lambda session: payables.lock_to_be_sent(session, planned.payable_id), mended=MENDED)
    if claimed is None:  # another process was faster
        return NotSent(payment_id, Refusal.UNDER_WAY, WORDS[Refusal.UNDER_WAY])
    if not isinstance(claimed, Claimed):
        return claimed
    outcome = learn_reply(rt, claimed, put_on_wire(rt, claimed))
    if isinstance(outcome, Unclear) and outcome.slow_down:
        put_on_brake(rt, End.SLOW_DOWN)
    return outcome


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
class Stopped:
    """Payouts are stopped, all or those of one owner, and why."""

    reason: str
    owner_id: int | None = None
    owner_name: str | None = None


def plan_retry(
    rt: Runtime,
    *,
    owner_reference: str | None = None,
    limit: int | None = None,
    mended: Iterable[Advice] = (),
) -> Plan | Stopped:
    """Choose every failed share that may safely be sent again; those of an owner whose payouts are stopped wait.

    That payouts of the named owner are stopped is told instead; raises `NotFound` for an unknown owner.
    """
    advices = (Advice.SEND_AGAIN, *mended)
    with rt.database.transaction() as session:
        owner = register.find(session, Owner, owner_reference) if owner_reference else None
        owner_id = owner.id if owner else None
        stop = stops.in_force(session, owner_id) if owner else None
        if owner is not None and stop is not None:
            return Stopped(stop.reason, owner_id, owner.name)
        chosen = payables.waiting(
            session,
            PayableStatus.FAILED,
            now=rt.now(),
            own=rt.settings.short_code,
            advices=advices,
            owner_id=owner_id,
            limit=limit,
        )
        every = payables.count_failed(session, owner_id=owner_id)
    known = health_reads.last_float(rt.reader)
    return Plan(tuple(chosen), sum(item.amount_cents for item in chosen), every - len(chosen), known)


def due(rt: Runtime, limit: int, after: int = 0) -> list[Waiting]:
    """The oldest shares that were never sent and may leave now; `after` is the number of the last one that was seen."""
    with rt.database.transaction() as session:
        own = rt.settings.short_code
        return payables.waiting(
            session, PayableStatus.PENDING, now=rt.now(), own=own, is_due=True, after=after, limit=limit
        )


def stop_of_all(rt: Runtime) -> Stopped | None:
    """Why all payouts are stopped, if they are."""
    with rt.database.transaction() as session:
        stop = stops.in_force(session)
        return None if stop is None else Stopped(stop.reason)
