"""How much may leave without a person's look."""

from __future__ import annotations

import pytest

from rentpay_cli.core.limits import Limits, SentToday, why_held

NO_LIMIT_A_DAY = Limits(transfer_cents=1000)
A_DAY = Limits(transfer_cents=1000, day_cents=5000)
AN_OWNER_AND_DAY = Limits(transfer_cents=1000, owner_day_cents=2000)


@pytest.mark.parametrize(
    ("cents", "limits", "sent", "words"),
    [
        (1000, NO_LIMIT_A_DAY, SentToday(10**9, 10**9), ""),
        (1001, NO_LIMIT_A_DAY, SentToday(), "over the limit of one transfer"),
        (1000, A_DAY, SentToday(4000, 4000), ""),
        (1000, A_DAY, SentToday(4001, 0), "the limit of a day"),
        (1000, AN_OWNER_AND_DAY, SentToday(10**9, 1000), ""),
        (1000, AN_OWNER_AND_DAY, SentToday(1001, 1001), "the limit of an owner and day"),
    ],
)
def test_a_payout_is_held_over_a_limit_and_not_at_it(cents: int, limits: Limits, sent: SentToday, words: str) -> None:
    reason = why_held(cents, limits, sent)
    assert words in reason
    assert bool(reason) is bool(words)


def test_one_transfer_is_limited_to_what_mpesa_moves_unless_set() -> None:
    assert why_held(25_000_000, Limits(), SentToday()) == ""
    assert why_held(25_000_100, Limits(), SentToday())
