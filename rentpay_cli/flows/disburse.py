"""What is to be sent: the share of one payment, the failed ones that may safely be sent again, those that are due."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rentpay_cli.config import PAY_OUT
from rentpay_cli.core.brake import End
from rentpay_cli.core.codes import Advice
from rentpay_cli.core.disburse import WORDS, DisbursementStatus, PaymentStatus, Refusal, Share, why_not
from rentpay_cli.core.float_reading import FloatReading
from rentpay_cli.flows.brake import put_on_brake
from rentpay_cli.flows.send import Claimed, NotSent, Outcome, Unclear, claim, confirm, learn_reply, put_on_wire, stopped
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import disbursements, health_reads, payments, register, stops
from rentpay_cli.store.disbursements import Waiting
from rentpay_cli.store.tables import Owner

MENDED = (Advice.MEND_FIRST,)
"""Whoever names a payment vouches that the cause of its last failure is mended."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What `disburse` would send."""

    payment_id: int
    disbursement_id: int
    amount_cents: int
    fee_cents: int
    paybill: str
    account_number: str


def preview(rt: Runtime, payment_id: int) -> Preview | NotSent:
    """What would be sent for the payment, or why nothing may be; raises `NotFound`."""
    with rt.database.transaction() as session:
        payment = payments.get(session, payment_id)
        if payment.disbursement_id is None:
            reason = why_not(Share(PaymentStatus(payment.status), DisbursementStatus.PENDING, ()))
            assert reason is not None  # a payment that succeeded has a disbursement
            return NotSent(payment_id, reason, WORDS[reason])
        _, share = disbursements.share(session, payment.disbursement_id)
        reason = why_not(share, mended=MENDED)
        if reason is Refusal.STOPPED:
            return stopped(session, payment_id, payment.owner_id)
        if reason is not None:
            return NotSent(payment_id, reason, WORDS[reason])
        disbursement = disbursements.get(session, payment.disbursement_id)
        return Preview(
            payment_id,
            payment.disbursement_id,
            disbursement.amount_cents,
            disbursement.fee_cents,
            disbursement.paybill,
            disbursement.account_number,
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
    claimed = claim(rt, lambda session: disbursements.lock_to_be_sent(session, planned.disbursement_id), mended=MENDED)
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
        chosen = disbursements.waiting(
            session, DisbursementStatus.FAILED, advices=advices, owner_id=owner_id, limit=limit
        )
        every = disbursements.count_failed(session, owner_id=owner_id)
    known = health_reads.last_float(rt.reader)
    return Plan(tuple(chosen), sum(item.amount_cents for item in chosen), every - len(chosen), known)


def due(rt: Runtime, limit: int, after: int = 0) -> list[Waiting]:
    """The oldest shares that were never sent and may leave now; `after` is the number of the last one that was seen."""
    with rt.database.transaction() as session:
        return disbursements.waiting(session, DisbursementStatus.PENDING, due_at=rt.now(), after=after, limit=limit)


def stop_of_all(rt: Runtime) -> Stopped | None:
    """Why all payouts are stopped, if they are."""
    with rt.database.transaction() as session:
        stop = stops.in_force(session)
        return None if stop is None else Stopped(stop.reason)
