"""What needs a second person: the kinds of requests, their life, and who may decide one."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class RequestKind(StrEnum):
    """What is asked for."""

    DESTINATION = "destination"
    MOVE = "move"
    RULING = "ruling"
    RELEASE = "release"
    RESUME = "resume"
    ACCESS = "access"
    REFUND = "refund"
    RUN = "run"
    PROOF = "proof"
    STATEMENT = "statement"


class RequestState(StrEnum):
    """What became of a request."""

    WAITING = "waiting"
    CONFIRMED = "confirmed"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    LAPSED = "lapsed"


@dataclass(frozen=True, slots=True)
class Who:
    """Who acts: the number of the access, None where nobody needs one yet; and in words, for people."""

    access_id: int | None
    words: str


def needs_another(asked_by_id: int | None, decided_by_id: int | None, *, needs_two: bool, admins: int) -> bool:
    """Whether somebody else must confirm: where two are needed, or there are two admins by now."""
    if not needs_two and admins < 2:
        return False
    return asked_by_id is not None and asked_by_id == decided_by_id
