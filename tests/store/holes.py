"""What the database lets pass by plain SQL, and should not: each is a test that is expected to fail, and why.

Who closes one moves it to `attacks.py`, beside the rule that refuses it now.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.store.attacks import insert


@dataclass(frozen=True, slots=True)
class Hole:
    """Statements that the model forbids, or that undo what was written down, and that the database lets pass."""

    name: str
    reason: str
    statements: tuple[str, ...]
    only: str | None = None


HOLES = (
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
