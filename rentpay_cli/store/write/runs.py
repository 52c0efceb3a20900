"""Payout runs: what an owner is due at one instant, as the transfers that would settle it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy import text
from sqlmodel import Session, col, select

from rentpay_cli.core.payout import Refusal, RunStatus, Way, why_not
from rentpay_cli.core.transfers import Destination, Due, Transfer, form
from rentpay_cli.store.guard import Candidate
from rentpay_cli.store.rows import Rows, number_of
from rentpay_cli.store.tables import Disbursement, PayoutRun, Property
from rentpay_cli.store.write import disbursements, payables

_RUNS = Rows(PayoutRun, "status")


@dataclass(frozen=True, slots=True)
class Proposed:
    """A run that was written down: its transfers, what was settled without one, and what stays behind and why."""

    run_id: int | None
    transfers: tuple[int, ...]
    settled: tuple[int, ...]
    behind: Mapping[int, Refusal] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Planned:
    """What a run would do: each transfer with its members, and what stays behind and why."""

    transfers: tuple[tuple[Transfer, tuple[Candidate, ...]], ...]
    behind: Mapping[int, Refusal]

    @property
    def digest(self) -> str:
        """By what one plan is told from another: over its sorted lines."""
        lines = sorted(
            f"{each.owner_id} {transfer.destination} {each.payable_id} {transfer.amount_cents} {transfer.carried_cents}"
            for transfer, members in self.transfers
            for each in members
        )
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def plan(
    session: Session, owner_id: int, now: datetime, *, own: str = "", reserve_cents: int = 0, minimum_cents: int = 0
) -> Planned:
    """The transfers that settle what the owner is due now; lock the owner first.

    Failed payables are left alone unless the last failure says that they may be sent again. `own` is the platform's
    short code; `reserve_cents` is kept back; under `minimum_cents` in all nothing is sent.
    """
    found = payables.lock_all_free(session, owner_id)
    among = payables.candidates(session, [number_of(each) for each in found], now, own=own) if found else []
    behind = {each.payable_id: refusal for each in among if (refusal := why_not(each.facts)) is not None}
    due = [each for each in among if each.payable_id not in behind]
    formed = form(
        (Due(each.payable_id, each.amount_cents, each.destination) for each in due),
        fallback=_newest_destination(session, owner_id),
        reserve_cents=reserve_cents,
        on_way_cents=_kept_on_way_cents(session, owner_id),
        minimum_cents=minimum_cents,
    )
    by_number = {each.payable_id: each for each in due}
    return Planned(
        tuple((each, tuple(by_number[number] for number in each.members)) for each in formed.transfers),
        behind | dict.fromkeys(formed.too_large, Refusal.TOO_MUCH),
    )


def propose(
    session: Session,
    owner_id: int,
    planned: Planned,
    *,
    origin: str,
    due_at: datetime,
    needs_approval: bool,
    at: datetime,
    by: str,
) -> Proposed:
    """Write down a run and its transfers; what settles itself is settled at once, since no money leaves."""
    if not planned.transfers:
        return Proposed(None, (), (), planned.behind)
    columns = {
        "owner_id": owner_id,
        "origin": origin,
        "due_at": due_at,
        "digest": planned.digest,
        "needs_approval": int(needs_approval),
        "status": RunStatus.PROPOSED.value,
        "made_by": by,
        "created_at": at,
    }
    run_id = _RUNS.add(session, columns)
    transfers, settled = [], []
    brought: int | None = None
    for number, (transfer, members) in enumerate(planned.transfers, 1):
        with_rest = [*members, *payables.candidates(session, [brought], at)] if brought is not None else [*members]
        made = disbursements.propose(session, transfer, with_rest, at, run=(run_id, number))
        if transfer.way is Way.NONE:
            brought = disbursements.settle(session, made, at, by)
            settled.append(made)
        else:
            brought = None
            transfers.append(made)
    return Proposed(run_id, tuple(transfers), tuple(settled), planned.behind)


def get(session: Session, run_id: int) -> PayoutRun:
    """The run, locked until the transaction ends."""
    found = _RUNS.get(session, run_id)
    if found is None:
        raise LookupError(f"no payout run {run_id}")
    return found


def approve(session: Session, run: PayoutRun) -> None:
    """Let the transfers of a run leave; the database refuses it of one that nobody has confirmed."""
    _RUNS.move(session, run, {"status": RunStatus.APPROVED.value})


def finish(session: Session, run: PayoutRun) -> None:
    """Note that nothing of a run is proposed any more."""
    _RUNS.move(session, run, {"status": RunStatus.DONE.value})


def claim(
    session: Session, disbursement_id: int, now: datetime, *, own: str = ""
) -> Disbursement | Mapping[int, Refusal]:
    """Let a proposed transfer of an approved run leave as it was approved, or say which of its members must not.

    Take part in paying out (`lock_payouts`) and lock the owner first: stops and holds are set beside those locks.
    The attempt is written next, in the same transaction.
    """
    disbursement = disbursements.get(session, disbursement_id)
    members = disbursements.members_of(session, disbursement_id)
    payables.lock(session, members)
    among = payables.candidates(session, members, now, own=own)
    otherwise = {each.payable_id: replace(each.facts, live=None) for each in among}  # this very transfer has them
    refused = {number: refusal for number, facts in otherwise.items() if (refusal := why_not(facts)) is not None}
    if refused:
        return refused
    disbursements.send(session, disbursement_id, among)
    return disbursement


_KEPT = text(
    "SELECT coalesce(sum(CASE WHEN carried_cents > 0 THEN carried_cents ELSE 0 END), 0) FROM disbursement"
    " WHERE owner_id = :owner AND status IN ('proposed','processing')"
)


def _kept_on_way_cents(session: Session, owner_id: int) -> int:
    """What the owner's transfers that are proposed or on their way keep back already."""
    return int(session.execute(_KEPT, {"owner": owner_id}).scalar_one())


_NEWEST = text("SELECT property_id FROM payable WHERE owner_id = :owner AND kind = 'share' ORDER BY id DESC LIMIT 1")


def _newest_destination(session: Session, owner_id: int) -> Destination | None:
    """Where money goes that no share goes with: to the property of the owner's newest share."""
    number = session.execute(_NEWEST, {"owner": owner_id}).scalar()
    place = session.exec(select(Property).where(col(Property.id) == number)).first() if number else None
    return (place.paybill, place.account_number) if place else None
