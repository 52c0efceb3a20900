"""The names that a person may have meant."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rentpay_cli.core.redact import printable
from rentpay_cli.errors import NotFound, WrongUse

MOST_NAMES = 3
SHORTEST_PART = 3


def no_such(kind: str, reference: str, names: Iterable[str], *, listed_by: str = "") -> NotFound:
    """The error for a name that there is not, with the nearest ones that there are, and the command that lists all."""
    near = [f"'{name}'" for name in nearest(reference, names)]
    meant = f"Did you mean {' or '.join(near)}? " if near else ""
    return NotFound(
        f"There is no {kind} '{printable(reference, 80)}'.",
        f"{meant}See {'all' if near else 'them'} with: {listed_by or f'rentpay {kind} list'}",
    )


def several(kind: str, reference: str, numbers: Sequence[int]) -> WrongUse:
    """The error for a name that more than one in the register has."""
    listed = ", ".join(map(str, numbers[:MOST_NAMES])) + (" and others" if len(numbers) > MOST_NAMES else "")
    return WrongUse(
        f"More than one {kind} is meant by '{printable(reference, 80)}': {listed}.",
        f"Give the number; see them with: rentpay {kind} list",
    )


def nearest(reference: str, names: Iterable[str]) -> list[str]:
    """At most three names: those that contain what was typed, or those that are spelt much like it."""
    from difflib import get_close_matches

    typed = " ".join(reference.lower().split())
    known = {name.lower(): name for name in names}
    if typed.isdigit() or len(typed) < SHORTEST_PART:  # a number, or too little to guess by
        return []
    found = [name for name in known if typed in name][:MOST_NAMES]
    return [known[name] for name in found or get_close_matches(typed, known, MOST_NAMES)]
