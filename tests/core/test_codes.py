"""Every code that M-Pesa documents is known, and says about the money what M-Pesa's pages say."""

from __future__ import annotations

import pytest

from rentpay_cli.core.codes import (
    TABLE,
    Advice,
    Code,
    Family,
    Money,
    look_up,
    meaning,
    payout_advice,
    rows_for,
    says_nothing_moved,
)

# The codes as M-Pesa's pages list them, with what each says about the money of its request.
STK = {
    Money.MOVED: "0",
    Money.NOT_MOVED: "1 2 3 4 8 17 26 1001 1019 1025 1031 1032 1036 1037 2001 2028 8006 9999 SFC_IC0003 E3008",
    Money.UNKNOWN: "4999",
}
B2B = {
    Money.MOVED: "0",
    Money.NOT_MOVED: (
        "1 2 3 4 5 6 7 8 11 12 13 14 17 18 19 20 21 22 24 25 26 29 1005 2001 2006 2007 2020 2028 2029 2040 2043 2051 "
        "2202 8006 SFC_IC0003 TP40153"
    ),
    Money.UNKNOWN: (
        "15 100000000 100000001 100000002 100000003 100000004 100000005 100000006 100000007 100000008 100000009 "
        "100000010 100000011"
    ),
}
STATUS = {Money.UNKNOWN: "0 2032 2033 2001 8006 21 25"}
GATEWAY = {
    Money.NOT_MOVED: (
        "400.002.02 400.002.05 400.003.01 400.003.02 400.008.01 400.008.02 401.002.01 401.003.01 403.002.1001 "
        "404.001.01 404.001.03 404.001.04 404.002.01 404.003.01 405.001 not_sent"
    ),
    Money.UNKNOWN: "500.001.1001 500.002.1001 500.003.1001 500.003.02 500.003.03",
}
# Words of our own for how a payout ended: a status query's answer, proof by "no record", a person's ruling.
OUR_OWN = ["no_record", "status:failed", "status:cancelled", "status:declined", "status:expired", "ruling"]
DOCUMENTED = [
    (family, code, money)
    for family, verdicts in ((Family.STK, STK), (Family.B2B, B2B), (Family.STATUS, STATUS), (Family.GATEWAY, GATEWAY))
    for money, codes in verdicts.items()
    for code in codes.split()
]


@pytest.mark.parametrize(("family", "code", "money"), DOCUMENTED)
def test_a_documented_code_says_about_the_money_what_the_page_says(family: Family, code: str, money: Money) -> None:
    row = TABLE[family, code]
    assert row.money is money
    assert (row.family, row.code) == (family, code)


def test_the_table_has_no_code_that_is_not_written_here() -> None:
    documented = {(family, code) for family, code, _ in DOCUMENTED}
    assert documented | {(Family.B2B, code) for code in OUR_OWN} == set(TABLE)


@pytest.mark.parametrize("code", OUR_OWN)
def test_a_payout_that_was_proved_not_paid_may_be_sent_again(code: str) -> None:
    assert TABLE[Family.B2B, code].money is Money.NOT_MOVED
    assert payout_advice(code) is Advice.SEND_AGAIN


@pytest.mark.parametrize("code", ["2032", "2033"])
def test_one_answer_of_no_record_alone_says_nothing_about_the_money(code: str) -> None:
    assert TABLE[Family.STATUS, code].money is Money.UNKNOWN
    assert not says_nothing_moved(Family.STATUS, code)


@pytest.mark.parametrize("row", TABLE.values(), ids=lambda row: f"{row.family.value} {row.code}")
def test_every_code_has_a_sentence_for_a_person_and_something_to_do(row: Code) -> None:
    assert row.meaning.endswith((".", "!"))
    assert row.action.endswith(".")
    assert row.meaning[0].isupper()


@pytest.mark.parametrize("row", TABLE.values(), ids=lambda row: f"{row.family.value} {row.code}")
def test_what_may_be_sent_again_certainly_moved_nothing(row: Code) -> None:
    if row.advice in (Advice.SEND_AGAIN, Advice.MEND_FIRST, Advice.NEVER):
        assert row.money is Money.NOT_MOVED
    if row.money is Money.MOVED:
        assert row.advice is Advice.DONE


@pytest.mark.parametrize("code", ["2001", "8006", "18", "21"])
def test_a_refused_operator_stops_all_payouts(code: str) -> None:
    assert TABLE[Family.B2B, code].stops_payouts
    assert TABLE[Family.B2B, code].advice is Advice.MEND_FIRST


def test_nothing_but_a_refused_operator_stops_all_payouts() -> None:
    stopping = {(row.family, row.code) for row in TABLE.values() if row.stops_payouts}
    assert stopping == {(Family.B2B, code) for code in ("2001", "8006", "18", "21")}


@pytest.mark.parametrize("code", ["2001", "8006"])
def test_a_tenants_wrong_pin_stops_no_payouts(code: str) -> None:
    assert not TABLE[Family.STK, code].stops_payouts


@pytest.mark.parametrize("code", ["", "3000", "00", "-1", "XYZ", "1 ", "0001", "S_777", "insufficient"])
def test_an_unknown_code_is_never_sent_again_without_a_person(code: str) -> None:
    assert payout_advice(code) is Advice.ASK


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        ("1", Advice.SEND_AGAIN),
        ("not_sent", Advice.SEND_AGAIN),
        ("SFC_IC0003", Advice.MEND_FIRST),
        ("400.002.02", Advice.MEND_FIRST),
        ("15", Advice.ASK),
        ("17", Advice.ASK),
        ("26", Advice.ASK),
        ("100000005", Advice.ASK),
        ("500.001.1001", Advice.ASK),
    ],
)
def test_what_a_failed_payout_needs(code: str, advice: Advice) -> None:
    assert payout_advice(code) is advice


@pytest.mark.parametrize("code", B2B[Money.UNKNOWN].split())
def test_a_result_that_leaves_the_money_in_doubt_does_not_say_that_nothing_moved(code: str) -> None:
    assert not says_nothing_moved(Family.B2B, code)


def test_still_under_processing_says_nothing() -> None:
    assert not says_nothing_moved(Family.STK, "4999")
    assert TABLE[Family.STK, "4999"].money is Money.UNKNOWN


def test_a_gateways_doubt_in_a_result_stays_a_doubt() -> None:
    for family in (Family.STK, Family.B2B):
        assert not says_nothing_moved(family, "500.003.02")


@pytest.mark.parametrize("family", [Family.STK, Family.B2B])
def test_success_never_says_that_nothing_moved(family: Family) -> None:
    assert not says_nothing_moved(family, "0")


def test_a_final_result_with_an_unknown_code_moved_nothing_but_is_for_a_person() -> None:
    assert says_nothing_moved(Family.B2B, "7777")
    assert payout_advice("7777") is Advice.ASK


def test_the_same_number_means_different_things_in_different_places() -> None:
    rows = rows_for("2001")
    assert {row.family for row in rows} == {Family.STK, Family.B2B, Family.STATUS}
    assert len({row.meaning for row in rows}) == 3


def test_a_code_is_found_however_it_is_typed() -> None:
    assert rows_for(" sfc_ic0003 ") == rows_for("SFC_IC0003") != []
    assert rows_for("7777") == []


def test_a_code_of_one_family_is_not_taken_from_another() -> None:
    assert look_up(Family.STK, "1037") is not None
    assert look_up(Family.B2B, "1037") is None
    assert look_up(Family.B2B, "404.001.03") is TABLE[Family.GATEWAY, "404.001.03"]


def test_an_unknown_code_shows_mpesas_own_words_or_at_least_itself() -> None:
    assert meaning(Family.B2B, "7777", "Something new.") == "Something new."
    assert "7777" in meaning(Family.B2B, "7777", "")
    assert meaning(Family.STK, "1032", "[STK_CB - ]Request cancelled by user") == TABLE[Family.STK, "1032"].meaning
