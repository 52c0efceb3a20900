"""The brake and the pace, by the clock that they are given."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rentpay_cli.core.brake import BRAKING, STOPPING, WORDS, Brake, End, Pace

NOON = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def test_every_end_has_words_and_what_stops_also_brakes() -> None:
    assert set(WORDS) == set(End)
    assert STOPPING < BRAKING


@pytest.mark.parametrize(("times", "minutes"), [(0, 5), (1, 5), (2, 10), (3, 20)])
def test_the_pause_doubles_with_each_time_that_counts(times: int, minutes: int) -> None:
    brake = Brake(times, NOON)
    assert brake.is_on(NOON + timedelta(minutes=minutes, seconds=-1))
    assert not brake.is_on(NOON + timedelta(minutes=minutes))


def test_without_a_brake_a_run_may_begin() -> None:
    assert not Brake().is_on(NOON)


def test_a_clock_that_was_far_ahead_and_was_set_back_does_not_prolong_the_pause() -> None:
    assert not Brake(1, NOON + timedelta(days=30)).is_on(NOON)


def test_only_what_counts_is_counted() -> None:
    once = Brake().again(NOON, End.SLOW_DOWN)
    assert once == Brake(1, NOON, End.SLOW_DOWN)
    later = NOON + timedelta(hours=1)
    assert once.again(later, End.FLOAT_RAN_OUT) == Brake(1, later, End.FLOAT_RAN_OUT)


def test_what_is_written_is_read_again() -> None:
    brake = Brake(2, NOON, End.UNANSWERED)
    assert Brake.read(brake.written()) == brake
    assert Brake.read(None) == Brake()


def test_without_a_pace_nobody_waits() -> None:
    pace = Pace(None)
    for _ in range(100):
        assert pace.delay_seconds(NOON) == 0
        pace.take()


def test_sixty_a_minute_is_one_a_second_from_the_first_on() -> None:
    pace = Pace(60)
    assert pace.delay_seconds(NOON) == 0
    pace.take()
    assert pace.delay_seconds(NOON) == pytest.approx(1)
    assert pace.delay_seconds(NOON + timedelta(seconds=0.4)) == pytest.approx(0.6)
    assert pace.delay_seconds(NOON + timedelta(seconds=1.001)) == 0


@given(
    per_minute=st.integers(1, 9999),
    rests=st.lists(st.floats(0, 120, allow_nan=False), max_size=30),
)
def test_no_more_than_the_pace_leave_in_any_time_but_for_a_second_s_worth(per_minute: int, rests: list[float]) -> None:
    pace, now, left = Pace(per_minute), NOON, 0
    for rest_seconds in rests:
        now += timedelta(seconds=rest_seconds)
        while left < 100_000 and pace.delay_seconds(now) == 0:
            pace.take()
            left += 1
    allowed = (now - NOON).total_seconds() * per_minute / 60 + max(1.0, per_minute / 60)
    assert left <= allowed + 1e-6


def test_a_clock_that_is_set_back_makes_nobody_wait_longer_than_one_takes_to_come() -> None:
    pace = Pace(60)
    pace.delay_seconds(NOON)
    pace.take()
    assert pace.delay_seconds(NOON - timedelta(days=1)) <= 1
