"""What the database lets pass by plain SQL, and should not: each is a test that is expected to fail, and why.

Who closes one moves it to `attacks.py`, beside the rule that refuses it now.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.store.attacks import MONEY_ON_ITS_WAY_BACK, insert, newest, sent, transfer


@dataclass(frozen=True, slots=True)
class Hole:
    """Statements that the model forbids, or that undo what was written down, and that the database lets pass."""

    name: str
    reason: str
    statements: tuple[str, ...]
    only: str | None = None


HOLES = (
    Hole(
        "a change of destination that nobody decided",
        "a change is decided by its moment alone: nobody need have decided it",
        ("UPDATE destination_change SET state = 'confirmed', decided_at = 1 WHERE id = {held_change}",),
    ),
    Hole(
        "a change of destination that begins confirmed",
        "a request begins waiting and a run proposed, but nothing says that a change begins held",
        (insert("destination_change", state="'confirmed'", decided_by="'t'", decided_at="1"),),
    ),
    Hole(
        "a transfer that joins a run after it was confirmed",
        "what leaves in a run is not what was confirmed: its digest is not looked at, and its transfers are not closed",
        (*transfer(run_id="{confirmed_run}", number="2"), sent()),
    ),
    Hole(
        "a refund of money that was returned meanwhile",
        "refund_of_money looks at INSERT only: money that an undo returns while its refund is proposed goes back twice",
        (
            MONEY_ON_ITS_WAY_BACK,
            "UPDATE money_in SET returned_at = 1 WHERE id = {unallocated_money}",
            f"UPDATE refund SET status = 'processing' WHERE {newest('refund')}",
        ),
    ),
    Hole(
        "why a request was rejected",
        "what was decided stays so, but request.reason may be rewritten",
        ("UPDATE request SET reason = 'other' WHERE id = {rejected_request}",),
    ),
    Hole(
        "the number of a row",
        "the number of a row to which nothing refers may be changed, in every table but the journal",
        ("UPDATE money_in SET id = 999999 WHERE id = {unallocated_money}",),
    ),
    Hole(
        "half a cent",
        "SQLite keeps a fraction in a column of whole cents",
        (insert("payable", amount_cents="5000.5"),),
        "sqlite",
    ),
    Hole(
        "an amount in words",
        "SQLite keeps a text in a column of cents, and it is more than any number",
        (insert("money_in", amount_cents="'a lot'"),),
        "sqlite",
    ),
)
