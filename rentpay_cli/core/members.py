"""How the payments of a transfer are named: it settles the share of one payment, or of several."""

from __future__ import annotations

from collections.abc import Sequence

MOST_NAMED = 6


def payments_in_words(numbers: Sequence[int]) -> str:
    """`payment 1`, `payments 1 and 2`, `payments 1, 2 and 3`; of many the first ones, and how many there are beside."""
    if len(numbers) == 1:
        return f"payment {numbers[0]}"
    named = [str(number) for number in numbers[:MOST_NAMED]]
    beside = len(numbers) - len(named)
    last = f"{beside:,} more" if beside else named.pop()
    return f"payments {', '.join(named)} and {last}"


def if_several(numbers: Sequence[int]) -> list[int] | None:
    """The numbers for an entry of the journal that names the first one anyway; None where there is no other."""
    return list(numbers) if len(numbers) > 1 else None
