"""Whether rent may be asked for now."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from rentpay_cli.core.attempt import State
from rentpay_cli.core.collect import EarlierPush, StillOpen, TooSoon, may_push

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
FLAT, OTHER_FLAT = 1, 2


def push(
    state: State, *, ago: timedelta = timedelta(minutes=30), property_id: int = FLAT, payment_id: int = 7
) -> EarlierPush:
    return EarlierPush(payment_id, property_id, state, NOW - ago)


def test_a_first_prompt_may_be_sent() -> None:
    assert may_push([], FLAT, NOW) is None


@pytest.mark.parametrize("state", [State.SENDING, State.WAITING, State.UNCLEAR])
@pytest.mark.parametrize("ago", [timedelta(seconds=5), timedelta(hours=1), timedelta(days=400)])
def test_rent_that_nobody_knows_the_fate_of_is_not_asked_for_again_at_any_age(state: State, ago: timedelta) -> None:
    assert may_push([push(state, ago=ago)], FLAT, NOW) == StillOpen(7, state)


@pytest.mark.parametrize("state", [State.MOVED, State.NOT_MOVED])
def test_rent_may_be_asked_for_again_once_the_earlier_prompt_has_ended(state: State) -> None:
    assert may_push([push(state)], FLAT, NOW) is None


@pytest.mark.parametrize("state", list(State))
def test_a_phone_is_prompted_once_a_minute_for_whatever_property(state: State) -> None:
    earlier = [push(state, ago=timedelta(seconds=20), property_id=OTHER_FLAT)]
    assert may_push(earlier, FLAT, NOW) == TooSoon(7, 40)


@pytest.mark.parametrize(
    ("ago", "wait_seconds"),
    [
        (timedelta(0), 60),
        (timedelta(seconds=59), 1),
        (timedelta(seconds=59, milliseconds=1), 1),
        (timedelta(seconds=59, microseconds=999_999), 1),
        (timedelta(seconds=1, milliseconds=500), 59),
    ],
)
def test_the_wait_is_told_in_whole_seconds_rounded_up(ago: timedelta, wait_seconds: int) -> None:
    assert may_push([push(State.NOT_MOVED, ago=ago)], FLAT, NOW) == TooSoon(7, wait_seconds)


def test_after_a_full_minute_the_phone_may_be_prompted_again() -> None:
    assert may_push([push(State.NOT_MOVED, ago=timedelta(minutes=1))], FLAT, NOW) is None


def test_an_open_prompt_for_another_property_does_not_block_this_one() -> None:
    assert may_push([push(State.UNCLEAR, property_id=OTHER_FLAT)], FLAT, NOW) is None


def test_an_open_prompt_is_told_before_the_pause() -> None:
    recent = push(State.NOT_MOVED, ago=timedelta(seconds=5), payment_id=8)
    opened = push(State.WAITING, ago=timedelta(hours=1), payment_id=6)
    assert may_push([recent, opened], FLAT, NOW) == StillOpen(6, State.WAITING)
