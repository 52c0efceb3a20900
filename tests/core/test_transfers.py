"""How transfers are formed: by destination, with debts, a reserve, a minimum, M-Pesa's cap and cents."""

from __future__ import annotations

from typing import TypeAlias

from hypothesis import given
from hypothesis import strategies as st

from rentpay_cli.core.money import CENTS
from rentpay_cli.core.payout import Refusal, Way
from rentpay_cli.core.transfers import MOST_CENTS, Destination, Due, Formed, Transfer, form

A, B = ("600001", "A"), ("600002", "B")
Made: TypeAlias = list[tuple[Destination | None, tuple[int, ...], float, float]]


def formed(*dues: tuple[float, Destination | None], fallback: Destination | None = None, **shillings: float) -> Formed:
    """The transfers of payables that are numbered from 1, all in shillings."""
    numbered = [Due(number, round(amount * CENTS), where) for number, (amount, where) in enumerate(dues, 1)]
    return form(
        numbered, fallback=fallback, **{f"{name}_cents": round(each * CENTS) for name, each in shillings.items()}
    )  # type: ignore[arg-type]


def made(found: Formed) -> Made:
    """Of each transfer where it goes, its members, and what is sent and carried on, in shillings."""
    return [(t.destination, t.members, t.amount_cents / CENTS, t.carried_cents / CENTS) for t in found.transfers]


def test_what_goes_to_one_destination_goes_in_one_transfer() -> None:
    assert made(formed((9500, A), (9500, A), (9500, A))) == [(A, (1, 2, 3), 28_500, 0)]


def test_a_debt_is_taken_from_the_destination_with_the_largest_sum() -> None:
    assert made(formed((-2000, None), (6000, A), (8000, B))) == [(B, (1, 3), 6000, 0), (A, (2,), 6000, 0)]


def test_a_debt_that_is_larger_goes_on_to_the_next_destination() -> None:
    found = formed((-10_000, None), (6000, A), (8000, B))
    assert made(found) == [(B, (1, 3), 0, -2000), (A, (2,), 4000, 0)]
    assert [(each.way, each.brought_cents) for each in found.transfers] == [(Way.NONE, 0), (Way.B2B, -2000 * CENTS)]


def test_a_debt_that_is_larger_than_everything_is_carried_on() -> None:
    assert made(formed((-10_000, None), (6000, A))) == [(A, (1, 2), 0, -4000)]


def test_a_debt_alone_stays_as_it_is() -> None:
    assert made(formed((-10_000, None))) == []


def test_cents_are_carried_on_to_the_next_transfer() -> None:
    assert made(formed((9500.5, A))) == [(A, (1,), 9500, 0.5)]
    assert made(formed((9500, A), (0.5, None))) == [(A, (2, 1), 9500, 0.5)] or made(formed((9500, A), (0.5, None))) == [
        (A, (1, 2), 9500, 0.5)
    ]


def test_a_reserve_is_kept_back_once() -> None:
    assert made(formed((30_000, A), reserve=5000)) == [(A, (1,), 25_000, 5000)]
    assert made(formed((10_000, A), (5000, None), reserve=5000))[0][2:] == (10_000, 5000)
    assert made(formed((5000, None), fallback=A)) == [(A, (1,), 5000, 0)]


def test_what_is_on_its_way_keeps_the_reserve_already() -> None:
    assert made(formed((30_000, A), reserve=5000, on_way=5000)) == [(A, (1,), 30_000, 0)]
    assert made(formed((30_000, A), reserve=5000, on_way=2000)) == [(A, (1,), 27_000, 3000)]


def test_a_reserve_that_is_larger_than_a_destination_is_kept_of_the_next() -> None:
    assert made(formed((4000, A), (3000, B), reserve=5000)) == [(B, (2,), 2000, 1000)]


def test_under_the_minimum_nothing_is_sent() -> None:
    assert made(formed((1800, A), minimum=2000)) == []
    assert made(formed((1800, A), (200, B), minimum=2000)) != []


def test_a_settlement_is_made_under_the_minimum_too() -> None:
    assert made(formed((-3000, None), (2000, A), minimum=2000)) == [(A, (1, 2), 0, -1000)]


def test_more_than_mpesa_moves_goes_in_several_transfers_with_the_debts_first() -> None:
    found = formed((200_000, A), (200_000, A), (200_000, A), (-250_000, None))
    assert made(found) == [(A, (4, 1, 2), 150_000, 0), (A, (3,), 200_000, 0)]


def test_a_payable_that_is_more_than_mpesa_moves_is_left_out_and_named() -> None:
    found = formed((250_001, A), (1000, A))
    assert (made(found), found.too_large) == ([(A, (2,), 1000, 0)], (1,))
    assert formed((250_001, A)).why_none is Refusal.TOO_MUCH
    assert formed((0.99, A)).why_none is Refusal.TOO_LITTLE


def test_what_cancels_out_is_settled_without_a_rest() -> None:
    assert formed((9500, A), (-9500, None)).transfers == (Transfer(Way.NONE, A, (2, 1), 0, 0, 0),)


amounts = st.integers(min_value=-30_000_000, max_value=MOST_CENTS).filter(bool)


@given(
    st.lists(st.tuples(amounts, st.sampled_from([A, B])), max_size=12),
    st.integers(min_value=0, max_value=10_000_000),
    st.sampled_from([0, 0, 2_000_00]),
)
def test_no_shilling_is_lost_or_made(owed: list[tuple[int, Destination]], reserve: int, minimum: int) -> None:
    dues = [Due(n, cents, where if cents > 0 else None) for n, (cents, where) in enumerate(owed, 1)]
    found = form(dues, fallback=A, reserve_cents=reserve, minimum_cents=minimum)
    by_number = {each.payable_id: each.amount_cents for each in dues}
    members = [number for each in found.transfers for number in each.members]
    assert len(members) == len(set(members)), "each once"
    for each in found.transfers:
        sums = sum(by_number[number] for number in each.members) + each.brought_cents
        assert sums == each.amount_cents + each.carried_cents
        if each.way is Way.B2B:
            assert CENTS <= each.amount_cents <= MOST_CENTS
            assert each.amount_cents % CENTS == 0
            assert each.carried_cents >= 0
        else:
            assert each.amount_cents == 0
            assert each.carried_cents <= 0
    owed_in_all = sum(by_number.values())
    assert found.amount_cents <= max(0, owed_in_all), "never more than is owed in all"
    if found.amount_cents:
        assert owed_in_all - found.amount_cents >= min(reserve, max(0, owed_in_all)) - CENTS * len(found.transfers)
        assert found.amount_cents >= minimum
