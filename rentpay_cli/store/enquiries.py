"""Questions to M-Pesa whose answers come by callback, and the balances that it reported."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlmodel import Session, select

from rentpay_cli.core.callbacks import EnquiryKind, EnquiryState
from rentpay_cli.core.float_reading import ReadingSource
from rentpay_cli.store.attempts import token_sha256
from rentpay_cli.store.tables import BalanceReading, Enquiry


def ask(session: Session, kind: EnquiryKind, token: str, at: datetime, attempt_id: int | None = None) -> Enquiry:
    """Write down a question before it is sent."""
    enquiry = Enquiry(
        kind=kind.value,
        attempt_id=attempt_id,
        token_sha256=token_sha256(token),
        state=EnquiryState.ASKED.value,
        asked_at=at,
    )
    session.add(enquiry)
    session.flush()
    return enquiry


def by_token(session: Session, digest: str) -> Enquiry | None:
    """The question whose callback address carries the token with this SHA-256."""
    return session.exec(select(Enquiry).where(Enquiry.token_sha256 == digest).with_for_update(key_share=True)).first()


def settle(session: Session, enquiry: Enquiry, state: EnquiryState, outcome: str, at: datetime) -> None:
    """Write down what became of a question, in words, unless it is known: M-Pesa's answer can outrun its reply."""
    asked = by_token(session, enquiry.token_sha256)
    if asked is None or asked.state != EnquiryState.ASKED:
        return
    asked.state = state.value
    asked.outcome = outcome
    asked.answered_at = at
    session.add(asked)
    session.flush()


def note_balances(
    session: Session, accounts: Iterable[tuple[str, int, int]], source: ReadingSource, at: datetime
) -> None:
    """Keep what M-Pesa said that accounts hold (name, current cents, available cents)."""
    for account, current_cents, available_cents in accounts:
        session.add(
            BalanceReading(
                account=account,
                current_cents=current_cents,
                available_cents=available_cents,
                source=source.value,
                read_at=at,
            )
        )
