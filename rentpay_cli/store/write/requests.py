"""Requests: what needs a second person, as rows of one kind for everything."""

from __future__ import annotations

import hashlib
from datetime import datetime

from sqlmodel import Session, SQLModel, col, select

from rentpay_cli.core.requests import RequestKind, RequestState, Who
from rentpay_cli.store.tables import REQUESTS_ABOUT, Request

_TABLE = SQLModel.metadata.tables["request"]


def digest_of(shown: str) -> str:
    """By what what was shown is told from anything else."""
    return hashlib.sha256(shown.encode()).hexdigest()


def ask(session: Session, kind: RequestKind, about: int, shown: str, *, needs_two: bool, by: Who, at: datetime) -> int:
    """Write down that something is asked for; `about` is the number of the row, `shown` what the asker saw."""
    made = Request(
        **{str(REQUESTS_ABOUT[kind.value]): about},  # type: ignore[arg-type]
        kind=kind.value,
        shown=shown,
        digest=digest_of(shown),
        needs_two=int(needs_two),
        asked_by_id=by.access_id,
        asked_by=by.words,
        asked_at=at,
        state=RequestState.WAITING.value,
    )
    session.add(made)
    session.flush()
    assert made.id is not None  # it is in the database
    return made.id


def get(session: Session, number: int) -> Request | None:
    """The request with this number, locked until the transaction ends."""
    query = select(Request).where(col(Request.id) == number).with_for_update(key_share=True)
    return session.exec(query).first()


def waiting_about(session: Session, kind: RequestKind, about: int) -> Request | None:
    """The request of this kind about the row that nobody has decided, locked until the transaction ends."""
    column = _TABLE.c[str(REQUESTS_ABOUT[kind.value])]
    query = select(Request).where(column == about, Request.state == RequestState.WAITING.value)
    return session.exec(query.with_for_update(key_share=True)).first()


def decide(
    session: Session, request: Request, state: RequestState, by: Who, at: datetime, reason: str | None = None
) -> None:
    """Write down what became of a request; the database refuses that one person asks and confirms where two must."""
    request.state, request.reason = state.value, reason
    request.decided_by_id, request.decided_by, request.decided_at = by.access_id, by.words, at
    session.add(request)
    session.flush()
