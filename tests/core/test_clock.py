"""East African Time, whatever the server's own zone."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rentpay_cli.core.clock import (
    eat_day,
    from_milliseconds,
    iso_utc,
    mpesa_timestamp,
    read_mpesa_time,
    show_local,
    to_milliseconds,
)

JUST_BEFORE_MIDNIGHT_IN_NAIROBI = datetime(2026, 11, 30, 20, 59, 59, tzinfo=UTC)
MIDNIGHT_IN_NAIROBI = datetime(2026, 11, 30, 21, 0, 0, tzinfo=UTC)


@pytest.fixture(params=["UTC", "America/New_York", "Pacific/Auckland"])
def a_server_anywhere(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("a_server_anywhere")
def test_the_time_stamp_is_east_african_wherever_the_server_stands() -> None:
    assert mpesa_timestamp(JUST_BEFORE_MIDNIGHT_IN_NAIROBI) == "20261130235959"
    assert mpesa_timestamp(MIDNIGHT_IN_NAIROBI) == "20261201000000"
    assert read_mpesa_time("20261201000000") == MIDNIGHT_IN_NAIROBI
    assert eat_day(MIDNIGHT_IN_NAIROBI) == 20261201


def test_the_time_stamp_is_the_same_from_any_zone() -> None:
    elsewhere = MIDNIGHT_IN_NAIROBI.astimezone(timezone(timedelta(hours=-8)))
    assert mpesa_timestamp(elsewhere) == "20261201000000"


@pytest.mark.parametrize("written", [20261006093417, "20261006093417", " 20261006093417 "])
def test_mpesas_time_is_read_as_number_and_as_text(written: object) -> None:
    assert read_mpesa_time(written) == datetime(2026, 10, 6, 6, 34, 17, tzinfo=UTC)


@pytest.mark.parametrize(
    "written",
    [
        None,
        True,
        "",
        "2026100609341",
        "202610060934170",
        "20261306093417",
        "20260230000000",
        "20261006250000",
        "00000000000000",
        "00010101000000",
        "2026-10-06 09:34",
        "19.01.2019 17:01",
        "\u0662\u0660\u0662\u0666\u0661\u0660\u0660\u0666\u0660\u0669\u0663\u0664\u0661\u0667",
        20261006093417.0,
        -2026100609341,
        [20261006093417],
    ],
)
def test_what_is_no_time_of_mpesas_is_none(written: object) -> None:
    assert read_mpesa_time(written) is None


@given(st.one_of(st.integers(min_value=0, max_value=10**15), st.text(alphabet="0123456789", min_size=14, max_size=14)))
def test_no_digits_trip_the_reading_of_a_time(written: int | str) -> None:
    moment = read_mpesa_time(written)
    assert moment is None or mpesa_timestamp(moment) == str(written).strip()


def test_a_day_is_the_day_in_nairobi() -> None:
    assert eat_day(JUST_BEFORE_MIDNIGHT_IN_NAIROBI) == 20261130
    assert eat_day(MIDNIGHT_IN_NAIROBI) == 20261201


def test_scripts_see_utc_with_z_and_people_see_nairobi() -> None:
    moment = datetime(2026, 12, 15, 22, 30, 0, 999_999, tzinfo=UTC)
    assert iso_utc(moment) == "2026-12-15T22:30:00Z"
    assert iso_utc(moment.astimezone(timezone(timedelta(hours=3)))) == "2026-12-15T22:30:00Z"
    assert show_local(moment) == "16 Dec 2026 01:30:00 EAT"


@given(st.integers(min_value=0, max_value=4_102_444_800_000))
def test_a_stored_moment_is_the_moment_to_the_millisecond(milliseconds: int) -> None:
    assert to_milliseconds(from_milliseconds(milliseconds)) == milliseconds
    assert from_milliseconds(milliseconds).tzinfo is UTC
