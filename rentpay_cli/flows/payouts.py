"""Stop payouts and let them go on; release a share that is held."""

from __future__ import annotations

from sqlmodel import Session

from rentpay_cli.core.disburse import StopKind
from rentpay_cli.core.redact import printable
from rentpay_cli.errors import RuleRefused, WrongUse
from rentpay_cli.flows.learn import OTHER_RECEIVER
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import disbursements, journal, payments, register, stops
from rentpay_cli.store.tables import Owner


def stop_payouts(
    rt: Runtime, reason: str, owner_reference: str | None = None, *, kind: StopKind = StopKind.PERSON
) -> None:
    """Let no payout leave from now on, or none to one owner.

    Raises `RuleRefused` if they are stopped already by a stop of this kind.
    """
    text = printable(" ".join(reason.split()), 200)
    if not text:
        raise WrongUse("A stop needs a reason.", "For example: --reason 'the operator password is being changed'")
    with rt.database.transaction() as session:
        owner = _owner(session, owner_reference)
        if stops.stop(session, kind, text, rt.actor, rt.now(), owner_id=owner.id if owner else None) is None:
            which = f"Payouts to {owner.name}" if owner else "All payouts"
            raise RuleRefused(f"{which} are stopped already.", "See why: rentpay payouts show", code="already_stopped")
        journal.write(session, rt.now(), rt.actor, "payouts stopped", reason=text, owner=owner.id if owner else None)


def resume_payouts(rt: Runtime, owner_reference: str | None = None) -> str:
    """Let payouts leave again, or those to one owner, and return why they were stopped, the first reason first.

    Raises `RuleRefused` if they are not stopped.
    """
    with rt.database.transaction() as session:
        owner = _owner(session, owner_reference)
        lifted = stops.lift(session, rt.actor, rt.now(), owner_id=owner.id if owner else None)
        if not lifted:
            which = f"Payouts to {owner.name}" if owner else "Payouts"
            raise RuleRefused(f"{which} are not stopped.", "See: rentpay payouts show", code="not_stopped")
        if owner is not None and any(each.kind == StopKind.RECEIVER for each in lifted):
            journal.close_findings_of_owner(session, OTHER_RECEIVER, owner.id, rt.now())
        for each in lifted:
            journal.write(session, rt.now(), rt.actor, "payouts resumed", reason=each.reason, owner=each.owner_id)
        return "; ".join(each.reason for each in lifted)


def _owner(session: Session, reference: str | None) -> Owner | None:
    return None if reference is None else register.find(session, Owner, reference)


def release(rt: Runtime, payment_id: int, reason: str) -> int:
    """Let a held share go its way and return its cents; raises `RuleRefused` if it is not held."""
    text = printable(" ".join(reason.split()), 200)
    if not text:
        raise WrongUse("A release needs a reason.", "For example: --reason 'compared with the lease'")
    with rt.database.transaction() as session:
        payment = payments.get(session, payment_id)
        disbursement = disbursements.get(session, payment.disbursement_id) if payment.disbursement_id else None
        if disbursement is None or disbursement.held_reason is None:
            raise RuleRefused(
                f"The share of payment {payment_id} is not held.", f"See: rentpay status {payment_id}", code="not_held"
            )
        journal.write(
            session,
            rt.now(),
            rt.actor,
            "payout released",
            payment_id=payment_id,
            reason=text,
            was_held=disbursement.held_reason,
        )
        disbursements.release(session, disbursement, rt.actor, rt.now())
        return disbursement.amount_cents
