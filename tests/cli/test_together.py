"""Transfers of many members on every screen: three rents go in one, it fails, and they go in two."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta

import pytest

from rentpay_cli.core.callbacks import Address, CallbackState
from rentpay_cli.core.evidence import Moved, NotMoved, Overdue
from rentpay_cli.flows import chase
from rentpay_cli.flows.send import Claimed
from rentpay_cli.store import inbox
from tests.cli.conftest import Books, Cli
from tests.support.together import learn_of, move, owe, send_together

BEGAN = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
PAID = Moved("SKP0000123", None, moved_at=BEGAN + timedelta(minutes=3), charge_cents=3400)
ALL = ["1", "2", "3"]


@pytest.fixture
def sent(books: Books) -> Claimed:
    """Three rents for one destination, on their way in one transfer."""
    books.at(BEGAN)
    numbers = [books.paid() for _ in range(3)]
    (claimed,) = send_together(books.rt, numbers)
    return claimed


@pytest.fixture
def paid(books: Books, sent: Claimed) -> Claimed:
    """The same, and the owner was paid."""
    learn_of(books.rt, sent, PAID)
    return sent


@pytest.fixture
def twice(books: Books, sent: Claimed) -> list[Claimed]:
    """It failed; the destination of the third was moved, and they went again, in two transfers."""
    learn_of(books.rt, sent, NotMoved("1", "The balance is insufficient"))
    move(books.rt, 3, "600002", "PROP009")
    again = send_together(books.rt, [1, 2, 3])
    for number, claimed in enumerate(again):
        learn_of(books.rt, claimed, Moved(f"SKP000020{number}", None, moved_at=BEGAN, charge_cents=1000))
    return [sent, *again]


@pytest.mark.parametrize(("number", "others"), [(1, "2 and 3"), (2, "1 and 3"), (3, "1 and 2")])
def test_the_status_of_each_member_shows_the_transfer_and_the_others(
    cli: Cli, paid: Claimed, number: int, others: str
) -> None:
    disbursement = cli.json("status", str(number))["disbursement"]
    assert (disbursement["disbursementAmount"], disbursement["payments"]) == (9500, ALL)
    (transfer,) = disbursement["transfers"]
    assert transfer | {"createdAt": "", "conversationId": ""} == {
        **{"number": paid.disbursement_id, "way": "b2b", "status": "completed", "amount": 28500, "entries": 0},
        **{"carried": 0, "mpesaCharge": 34, "transactionId": "SKP0000123", "conversationId": "", "payments": ALL},
        **{"paybill": "600001", "accountNumber": "PROP001", "failureCode": None, "failureReason": None},
        **{"createdAt": "", "date": "2026-11-23T09:03:00Z"},
    }
    (attempt,) = disbursement["attempts"]
    assert (attempt["number"], attempt["transfer"], attempt["amount"]) == (1, paid.disbursement_id, 28500)
    shown = " ".join(cli("status", str(number)).out.split())
    assert f"together with payments {others}, in one transfer of KES 28,500" in shown
    assert "KES 34, once for the transfer" in shown
    assert "For payments" not in shown, "it is said once"


def test_a_share_that_went_alone_is_told_as_before(cli: Cli, books: Books) -> None:
    books.completed()
    disbursement = cli.json("status", "1")["disbursement"]
    assert disbursement["payments"] == ["1"]
    assert [each["payments"] for each in disbursement["transfers"]] == [["1"]]
    shown = cli("status", "1").out
    assert "together with" not in shown
    assert "Transfer" not in shown
    assert "For payment" not in shown


def test_a_failed_transfer_and_the_two_after_it_each_have_a_row(cli: Cli, twice: list[Claimed]) -> None:
    for number, amounts, newest in ((1, [28500, 19000], ["1", "2"]), (3, [28500, 9500], ["3"])):
        disbursement = cli.json("status", str(number))["disbursement"]
        assert [each["amount"] for each in disbursement["transfers"]] == amounts
        assert [each["status"] for each in disbursement["transfers"]] == ["failed", "completed"]
        assert [each["payments"] for each in disbursement["transfers"]] == [ALL, newest]
        assert disbursement["payments"] == newest
        assert [(each["number"], each["state"]) for each in disbursement["attempts"]] == [
            (1, "not_moved"),
            (2, "moved"),
        ]
    third = cli.json("status", "3")["disbursement"]
    assert third["destination"] == {"paybill": "600002", "accountNumber": "PROP009"}
    assert third["ownerPaybill"] == "600001"
    shown = " ".join(cli("status", "3").out.split())
    assert "paybill 600002, account PROP009 (at first paybill 600001, account PROP001)" in shown
    assert "The balance is insufficient (1). For payments 1, 2 and 3: KES 28,500." in shown
    assert "together with" not in shown


def test_each_name_of_a_transfer_finds_its_first_payment(cli: Cli, paid: Claimed) -> None:
    for name in ("SKP0000123", f"AG_T{paid.disbursement_id}", f"o-T{paid.disbursement_id}"):
        assert cli.json("status", name)["payment"]["id"] == "1"


def test_what_the_owner_owed_is_told_beside_the_transfer(cli: Cli, books: Books) -> None:
    books.at(BEGAN)
    owe(books.rt, 1, 50_000)
    (claimed,) = send_together(books.rt, [books.paid()])
    learn_of(books.rt, claimed, PAID)
    (transfer,) = cli.json("status", "1")["disbursement"]["transfers"]
    assert (transfer["amount"], transfer["entries"], transfer["payments"]) == (9000, -500, ["1"])
    shown = " ".join(cli("status", "1").out.split())
    assert "a transfer of KES 9,000, with other amounts of the owner's: -KES 500" in shown
    charges = {row["key"]: row["mpesaCharges"] for row in cli.json("report", "revenue", "--by", "property")["rows"]}
    assert charges == {"Sunset Apartments": 34}


# --- lists and reports -----------------------------------------------------------------------------------------------


def test_a_history_stays_per_payment_and_tells_the_transfers(cli: Cli, twice: list[Claimed]) -> None:
    content = cli.json("history", "1")
    assert [(row["paymentId"], row["payments"]) for row in content["disbursements"]] == [
        ("3", ["3"]),
        ("2", ["1", "2"]),
        ("1", ["1", "2"]),
    ]
    assert [(each["amount"], each["payments"]) for each in content["transfers"]] == [
        (19000, ["1", "2"]),
        (9500, ["3"]),
    ]
    assert content["summary"]["totalDisbursed"] == 28500
    rows = list(csv.DictReader(io.StringIO(cli("history", "1", "--format", "csv").out)))
    assert [row["payments"] for row in rows] == ["3", "1 2", "1 2"]
    assert cli.json("history", "1", "--limit", "1")["transfers"][0]["payments"] == ["3"]


def test_a_history_of_nothing_has_no_transfers(cli: Cli, books: Books) -> None:
    content = cli.json("history", "1")
    assert (content["disbursements"], content["transfers"]) == ([], [])


def test_a_list_of_payments_says_which_went_together(cli: Cli, paid: Claimed) -> None:
    assert [row["disbursementPayments"] for row in cli.json("payments")["payments"]] == [ALL] * 3
    rows = list(csv.DictReader(io.StringIO(cli("payments", "--format", "csv").out)))
    assert [row["disbursementPayments"] for row in rows] == ["1 2 3"] * 3


def test_the_report_counts_transfers_and_m_pesa_s_charge_once(cli: Cli, paid: Claimed) -> None:
    content = cli.json("report", "disbursements")
    (completed,) = [row for row in content["statuses"] if row["status"] == "completed"]
    assert completed == {"status": "completed", "disbursements": 1, "payments": 3, "amount": 28500}
    assert content["successRate"] == 1
    for by, key in (("day", "2026-11-23"), ("month", "2026-11"), ("owner", "Wanjiru Kamau")):
        (row,) = cli.json("report", "revenue", "--by", by)["rows"]
        assert (row["key"], row["payments"], row["platformFees"], row["mpesaCharges"]) == (key, 3, 1500, 34)
    (row,) = cli.json("report", "revenue", "--by", "property")["rows"]
    assert (row["payments"], row["disbursed"], row["mpesaCharges"]) == (3, 28500, 34)


def test_the_report_of_a_failure_and_two_retries_counts_three_transfers(cli: Cli, twice: list[Claimed]) -> None:
    content = cli.json("report", "disbursements")
    counts = {row["status"]: (row["disbursements"], row["payments"], row["amount"]) for row in content["statuses"]}
    assert (counts["completed"], counts["failed"]) == ((2, 3, 28500), (0, 0, 0))
    assert content["failures"] == [{"code": "1", "reason": "The balance is insufficient", "count": 1, "stillFailed": 0}]
    assert (content["retried"], content["retrySuccessRate"]) == (2, 1)


# --- doubt -----------------------------------------------------------------------------------------------------------


def test_a_ruling_counts_for_all_members_and_shows_them_first(cli: Cli, books: Books, sent: Claimed) -> None:
    learn_of(books.rt, sent, Overdue("M-Pesa's queue timed out"))
    ran = cli("resolve", "2", "--paid", "SKP0000777", "--yes")
    assert ran.status == 0
    shown = " ".join(ran.out.split())
    assert shown.index("ruling counts for all 3") < shown.index("The ruling is in the journal")
    assert "in one transfer of KES 28,500" in shown
    for number in ALL:
        assert cli.json("status", number)["disbursement"]["status"] == "completed"
    entries = cli.json("journal", "--payment", "3")["entries"]
    (ruled,) = [entry for entry in entries if entry["event"] == "ruled paid"]
    assert (ruled["paymentId"], ruled["payments"]) == ("2", ALL)


def test_a_ruling_in_json_names_all(cli: Cli, books: Books, sent: Claimed) -> None:
    learn_of(books.rt, sent, Overdue("M-Pesa's queue timed out"))
    content = cli.json("resolve", "3", "--not-paid", "--reason", "not on the statement", "--yes")
    assert (content["paymentId"], content["payments"], content["state"]) == ("3", ALL, "not_moved")


def test_the_question_names_all(cli: Cli, books: Books, sent: Claimed) -> None:
    learn_of(books.rt, sent, Overdue("M-Pesa's queue timed out"))
    ran = cli("resolve", "2", "--paid", "SKP0000777", "--json")
    assert ran.refusal == (2, "wrong_use")
    assert "KES 28,500 (payments 1, 2 and 3) was paid" in ran.json["error"]["message"]


def test_whoever_chases_is_told_of_all(
    cli: Cli, books: Books, sent: Claimed, scripted: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    learn_of(books.rt, sent, Overdue("M-Pesa's queue timed out"))
    (row,) = cli.json("chase")["results"]
    assert (row["paymentId"], row["payments"], row["about"], row["unclear"]) == ("1", ALL, "disbursement", True)
    assert "1, 2, 3" in cli("chase").out
    monkeypatch.setattr(chase, "chase", lambda *_, **__: [])
    (row,) = cli.json("chase")["notAsked"]
    assert (row["paymentId"], row["payments"]) == ("1", ALL)


def test_contrary_news_of_a_transfer_stands_at_each_member(cli: Cli, books: Books, sent: Claimed) -> None:
    learn_of(books.rt, sent, NotMoved("1", "The balance is insufficient"))
    learn_of(books.rt, sent, PAID)
    for number in ALL:
        content = cli.json("status", number)
        (finding,) = content["payment"]["findings"]
        assert "attempt 1 of payments 1, 2 and 3 was not believed" in finding["text"]
        assert content["disbursement"]["hold"]["kind"] == "evidence"


def test_the_journal_of_each_member_has_what_befell_the_transfer(cli: Cli, books: Books, twice: list[Claimed]) -> None:
    """And nothing of the two that went without it."""

    def transfers(number: str) -> list[tuple[str, list[str]]]:
        entries = cli.json("journal", "--payment", number)["entries"]
        of_tries = [each for each in entries if each["attemptId"] in {claimed.attempt_id for claimed in twice}]
        return [(each["event"], each["payments"]) for each in reversed(of_tries)]

    events = ("payout intended", "learned", "learned")
    first = [(event, ALL) for event in events]
    assert transfers("2") == first + [(event, ["1", "2"]) for event in events]
    assert transfers("3") == first + [(event, ["3"]) for event in events]
    assert "payments: 1, 2, 3" in " ".join(cli("journal", "--payment", "3").out.split())
    assert "1 +2" in cli("journal", "--payment", "3").out


def test_a_callback_about_a_transfer_names_all_of_it(cli: Cli, books: Books, paid: Claimed) -> None:
    inbox.append(books.rt.database, [(Address.PAYOUT, paid.token, "10.0.0.1", b"{}")], BEGAN)
    with books.rt.database.transaction() as session:
        inbox.mark(session, [inbox.Reading(1, CallbackState.READ, "moved", 1)], BEGAN)
    (row,) = cli.json("callbacks", "list")["callbacks"]
    assert (row["paymentId"], row["payments"]) == ("1", ALL)
    assert cli.json("callbacks", "show", "1")["callback"]["payments"] == ALL
    assert "1, 2, 3" in cli("callbacks", "show", "1").out
    assert "1 +2" in cli("callbacks", "list").out


def test_a_notice_about_a_transfer_names_all_of_it(cli: Cli, paid: Claimed) -> None:
    rows = cli.json("notify", "list")["notices"]
    assert {(row["paymentId"], *row["payments"]) for row in rows if row["kind"] == "completed"} == {("1", *ALL)}
    assert "payments 1, 2 and 3 completed" in " ".join(cli("notify", "list").out.split())


def test_the_operator_is_told_once_of_a_transfer_that_failed(cli: Cli, books: Books, sent: Claimed) -> None:
    learn_of(books.rt, sent, NotMoved("1", "The balance is insufficient"))
    (notice,) = [row for row in cli.json("notify", "list")["notices"] if row["kind"] == "failed"]
    assert notice["text"].startswith("Payments 1, 2 and 3: the payout of KES 28,500 failed: The balance is insuff")
