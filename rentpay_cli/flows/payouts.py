"""Stop payouts and let them go on; release a share that is held."""

from __future__ import annotations

from sqlmodel import Session

from rentpay_cli.core.findings import FindingKind
from rentpay_cli.core.payout import HoldKind, StopKind
from rentpay_cli.core.redact import printable
from rentpay_cli.errors import RuleRefused, WrongUse
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import journal, payments, register, stops
from rentpay_cli.store.rows import number_of
from rentpay_cli.store.tables import Owner
from rentpay_cli.store.write import holds, payables


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


def resume_payouts(rt: Runtime, owner_reference: str | None = None, *, reason: str | None = None) -> str:
    """Let payouts leave again, or those to one owner, and return why they were stopped, the first reason first.

    `reason` is why they may leave again, for the books.

    Raises `RuleRefused` if they are not stopped.
    """
    with rt.database.transaction() as session:
        owner = _owner(session, owner_reference)
        why = printable(" ".join(reason.split()), 200) if reason else None
        lifted = stops.lift(session, rt.actor, rt.now(), owner_id=owner.id if owner else None, reason=why)
        if not lifted:
            which = f"Payouts to {owner.name}" if owner else "Payouts"
            raise RuleRefused(f"{which} are not stopped.", "See: rentpay payouts show", code="not_stopped")
        if owner is not None and any(each.kind == StopKind.RECEIVER for each in lifted):
            owner_id = number_of(owner)
            kind, why_closed = FindingKind.OTHER_RECEIVER, why or "payouts resumed"
            journal.close_findings_of_owner(session, kind, owner_id, rt.actor, rt.now(), why_closed)
        for each in lifted:
            journal.write(
                session, rt.now(), rt.actor, "payouts resumed", reason=each.reason, because=why, owner=each.owner_id
            )
        return "; ".join(each.reason for each in lifted)


def _owner(session: Session, reference: str | None) -> Owner | None:
    return None if reference is None else register.find(session, Owner, reference)


def release(rt: Runtime, payment_id: int, reason: str) -> int:
    """Let a held share go its way and return its cents; raises `RuleRefused` if it is not held."""
    text = printable(" ".join(reason.split()), 200)
    if not text:
        raise WrongUse("A release needs a reason.", "For example: --reason 'compared with the lease'")
    at = rt.now()
    with rt.database.transaction() as session:
        payments.get(session, payment_id)
        share = payables.share_of(session, payment_id)
        found = holds.on_payable(session, number_of(share)) if share else []
        ended = [each for each in found if each.kind != HoldKind.EVIDENCE]
        if share is None or not ended:
            raise _not_held(payment_id, is_contradicted=bool(found))
        payables.lock(session, [number_of(share)])
        for each in ended:
            journal.write(
                session, at, rt.actor, "payout released", payment_id=payment_id, reason=text, was_held=each.reason
            )
            holds.end(session, each, rt.actor, at, text)
        return share.amount_cents


def _not_held(payment_id: int, *, is_contradicted: bool) -> RuleRefused:
    if is_contradicted:
        return RuleRefused(
            f"Something says that the share of payment {payment_id} was paid after all: only a ruling ends that.",
            f"Look at the paybill's statement, then: rentpay resolve {payment_id} --paid RECEIPT, or --not-paid",
            code="contrary_evidence",
        )
    return RuleRefused(
        f"The share of payment {payment_id} is not held.", f"See: rentpay status {payment_id}", code="not_held"
    )
