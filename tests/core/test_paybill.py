"""Whether two names are one organisation's, and who may confirm a new destination."""

from __future__ import annotations

import pytest

from rentpay_cli.core.paybill import plain_name, same_organisation


@pytest.mark.parametrize(
    ("reported", "confirmed"),
    [
        ("600001 - SUNSET HOMES", "Sunset Homes"),
        ("600001-Sunset Homes", "Sunset Homes"),
        (" 600001  -  Sunset   homes ", "SUNSET HOMES"),
        ("600001 \u2013 Sunset Homes", "Sunset Homes"),
        ("Sunset Homes", "600001 - Sunset Homes"),
        ("600001 - ", "Sunset Homes"),
        ("", "Sunset Homes"),
        ("Sunset Homes", "600001 -"),
    ],
)
def test_case_blanks_the_own_number_and_no_name_at_all_make_no_difference(reported: str, confirmed: str) -> None:
    assert same_organisation(reported, confirmed, "600001")


@pytest.mark.parametrize(
    ("reported", "confirmed"),
    [
        ("600001 - SUNSET HOMES LIMITED", "Sunset Homes"),
        ("600001 - Somebody Else", "Sunset Homes"),
        ("600002 - Sunset Homes", "Sunset Homes"),
        ("6000010 - Sunset Homes", "Sunset Homes"),
        ("600001 Sunset Homes", "Sunset Homes"),
    ],
)
def test_any_other_word_or_number_makes_a_difference(reported: str, confirmed: str) -> None:
    assert not same_organisation(reported, confirmed, "600001")


def test_a_name_is_kept_as_it_is_written_but_for_the_number() -> None:
    assert plain_name("600001 - Sunset  Homes (1990) - B", "600001") == "Sunset Homes (1990) - B"
