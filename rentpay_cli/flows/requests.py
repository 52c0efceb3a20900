"""What waits for a second person, of every kind: seen in one list, and decided in one way."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from rentpay_cli.core.clock import from_milliseconds
from rentpay_cli.core.requests import RequestKind, RequestState
from rentpay_cli.errors import NotFound, RuleRefused
from rentpay_cli.flows import paybill
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import readonly, reads


@dataclass(frozen=True, slots=True)
class Asked:
    """A request: what it is about, what the asker saw, who asked, and what became of it."""

    number: int
    kind: RequestKind
    state: RequestState
    about: str
    shown: str
    asked_by: str
    asked_at: datetime
    is_mine: bool
    """Whether who looks is who asked."""
    needs_two: bool
    decided_by: str | None
    decided_at: datetime | None
    reason: str | None


def listed(rt: Runtime, *, every: bool = False) -> tuple[Asked, ...]:
    """The requests that wait, the oldest first; with `every` also those that were decided."""
    return tuple(_asked(rt, row) for row in reads.requests(rt.reader, only_waiting=not every))


def one(rt: Runtime, number: int) -> Asked:
    """One request; raises `NotFound`."""
    row = reads.request(rt.reader, number)
    if row is None:
        raise NotFound(f"There is no request {number}.", "See: rentpay requests list")
    return _asked(rt, row)


def confirm(rt: Runtime, asked: Asked) -> Asked:
    """Put in force what was asked for, as it was shown.

    Raises `RuleRefused` if it does not wait any more, and `NotAllowed` if another person must confirm it.
    """
    _must_wait(asked)
    proposed = paybill.proposal(rt, str(_property(rt, asked)))
    paybill.confirm(rt, proposed)
    return one(rt, asked.number)


def withdraw(rt: Runtime, number: int) -> Asked:
    """Take back what was asked for; raises `NotFound`, `RuleRefused` if it does not wait any more."""
    asked = one(rt, number)
    _must_wait(asked)
    paybill.cancel_change(rt, str(_property(rt, asked)))
    return one(rt, number)


def _must_wait(asked: Asked) -> None:
    if asked.state is not RequestState.WAITING:
        raise RuleRefused(
            f"Request {asked.number} was {asked.state.value} already.",
            f"See: rentpay requests show {asked.number}",
            code="not_waiting",
        )


def _property(rt: Runtime, asked: Asked) -> int:
    """The property whose change is asked for: the only kind of request that a command makes yet."""
    row = reads.request(rt.reader, asked.number)
    assert row is not None  # it was just read
    return int(row["property_id"])


def _asked(rt: Runtime, row: readonly.Row) -> Asked:
    return Asked(
        number=row["id"],
        kind=RequestKind(row["kind"]),
        state=RequestState(row["state"]),
        about=f"property {row['property_id']}, {row['property_name']}" if row["property_id"] else "",
        shown=row["shown"],
        asked_by=row["asked_by"],
        asked_at=from_milliseconds(row["asked_at"]),
        is_mine=row["asked_by_id"] == rt.access_id,
        needs_two=bool(row["needs_two"]),
        decided_by=row["decided_by"],
        decided_at=from_milliseconds(row["decided_at"]) if row["decided_at"] is not None else None,
        reason=row["reason"],
    )
