"""`status`, `payments`, `history`, `report revenue`, `explain`: what people and scripts are told."""

from __future__ import annotations

import re
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from rentpay_cli.core.evidence import Moved, NotMoved, Overdue
from rentpay_cli.core.findings import TABLE, FindingKind
from rentpay_cli.flows import collect, payouts, register
from rentpay_cli.runtime import Runtime, clock
from rentpay_cli.store import inbox, journal
from tests.cli.conftest import Books, Cli, two_properties
from tests.support.beginnings import Begin

PAYMENT_KEYS = {
    *("id", "status", "amount", "receipt", "platformFee", "ownerPaybill", "ownerAccountNumber", "disbursementStatus"),
    *("disbursementAmount", "disbursementTransactionId", "disbursementConversationId", "disbursementDate"),
    *("disbursementFailureReason", "checkoutRequestId", "merchantRequestId", "phone", "method", "unclear"),
}
DISBURSEMENT_KEYS = {
    *("paymentId", "amount", "disbursementAmount", "platformFee", "status", "transactionId", "date", "ownerPaybill"),
    *("ownerAccountNumber", "failureReason", "unclear", "attempts"),
}
HISTORY_KEYS = {
    *("paymentId", "amount", "disbursementAmount", "platformFee", "disbursementStatus", "disbursementTransactionId"),
    *("disbursementDate", "propertyName", "tenantName"),
}


def test_a_status_has_the_keys_that_scripts_rely_on(cli: Cli, books: Books) -> None:
    books.completed(owner_paid_at=datetime(2026, 12, 15, 10, 30, tzinfo=UTC))
    content = cli.json("status", "1")
    assert set(content) >= {"success", "payment", "disbursement"}
    payment, disbursement = content["payment"], content["disbursement"]
    assert set(payment) >= PAYMENT_KEYS
    assert set(disbursement) >= DISBURSEMENT_KEYS
    assert (payment["id"], payment["status"], payment["amount"], payment["receipt"]) == (
        *("1", "success", 10000),
        "SKN0000001",
    )
    assert (disbursement["status"], disbursement["transactionId"], disbursement["date"]) == (
        *("completed", "SKP0000001"),
        "2026-12-15T10:30:00Z",
    )
    (attempt,) = disbursement["attempts"]
    assert (attempt["number"], attempt["state"], attempt["receipt"]) == (1, "moved", "SKP0000001")
    assert disbursement["unclear"] is False
    assert disbursement["failureReason"] is None


@pytest.mark.parametrize("reference", ["2", "SKN0000002", "skn0000002", "SKP0000002", "ws_CO_3", "AG_4", "o-4", " 2 "])
def test_a_payment_is_found_by_each_of_its_names(cli: Cli, books: Books, reference: str) -> None:
    books.completed()
    books.completed()
    assert cli.json("status", reference)["payment"]["id"] == "2"


@pytest.mark.parametrize("reference", ["9", "SKN9", "ws_CO_99", "AG_99", "''", "-", "0", "9" * 30])
def test_an_unknown_payment_is_not_found(cli: Cli, books: Books, reference: str) -> None:
    books.completed()
    ran = cli("status", reference, "--json")
    assert ran.refusal == (3, "not_found")
    assert "rentpay payments" in ran.json["error"]["hint"]


def test_every_status_is_said_in_words_and_with_the_next_step(cli: Cli, books: Books) -> None:
    asked, waiting = books.asked(), books.paid()
    declined = books.asked()
    books.learn(declined, NotMoved("1032", "The tenant cancelled."))
    sent, unclear, failed, done = books.sent(), books.sent(), books.sent(), books.completed()
    books.learn(unclear, Overdue("M-Pesa's queue timed out"), "payout")
    books.learn(failed, NotMoved("1", "The balance is insufficient"), "payout")
    for payment_id, words, step in (
        (asked, "pending: the tenant was asked", ""),
        (waiting, "pending: not sent", f"rentpay disburse {waiting}"),
        (declined, "failed: The tenant cancelled. (1032)", "rentpay initiate --property 1"),
        (sent, "processing: M-Pesa accepted it", ""),
        (unclear, "processing, unclear", ""),
        (failed, "failed: The balance is insufficient (1)", "rentpay retry-failed"),
        (done, "completed: the owner was paid", ""),
    ):
        ran = cli("status", str(payment_id))
        assert ran.status == 0
        assert words in ran.out
        assert step in ran.err
        assert "254722000111" not in ran.out
        assert "254722***111" in ran.out
        assert "254722000111" in cli("status", str(payment_id), "--reveal").out


def test_an_unclear_payout_is_processing_and_marked_and_never_failed(cli: Cli, books: Books) -> None:
    books.learn(books.sent(), Overdue("M-Pesa's queue timed out"), "payout")
    disbursement = cli.json("status", "1")["disbursement"]
    assert (disbursement["status"], disbursement["unclear"]) == ("processing", True)
    (row,) = cli.json("payments")["payments"]
    assert (row["disbursementStatus"], row["disbursementUnclear"]) == ("processing", True)
    assert "processing (unclear)" in cli("payments").out
    assert "processing (unclear)" in cli("history", "1").out


def test_watching_ends_when_nothing_is_open_any_more(cli: Cli, books: Books) -> None:
    payment_id = books.sent()
    books.rt.close()

    def owner_is_paid() -> None:
        time.sleep(0.1)
        books.learn(payment_id, Moved("SKP0000001", None), "payout")
        books.rt.close()

    paying = threading.Thread(target=owner_is_paid)
    paying.start()
    ran = cli("status", str(payment_id), "--watch")
    paying.join()
    assert ran.status == 0
    assert "completed: the owner was paid" in ran.out


TIME = re.compile(r"[0-9]{2} Nov 2026 [0-9]{2}:[0-9]{2}(:[0-9]{2})?(?P<zone> EAT)?")


@pytest.mark.parametrize(
    ("command", "time"),
    [
        (("status", "1"), "23 Nov 2026 00:30:00"),
        (("payments",), "23 Nov 2026 00:30"),
        (("history", "1"), "23 Nov 2026 00:30"),
        (("journal",), "23 Nov 2026 00:30"),
        (("callbacks", "list"), "23 Nov 2026 00:30"),
        (("callbacks", "show", "1"), "23 Nov 2026 00:30:00 EAT"),
        (("payouts", "show"), "23 Nov 2026 00:30:00 EAT"),
        (("health",), "23 Nov 2026 00:30:00 EAT"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_time_for_people_says_that_it_is_east_african(
    cli: Cli, books: Books, command: tuple[str, ...], time: str
) -> None:
    books.at(datetime(2026, 11, 22, 21, 30, tzinfo=UTC))
    books.completed(owner_paid_at=books.rt.now())
    inbox.append(books.rt.database, [("collection", None, "10.0.0.1", b"{}")], books.rt.now())
    payouts.stop_payouts(books.rt, "The password is being changed")
    shown = cli(*command).out
    assert time in shown
    for found in TIME.finditer(shown):
        assert found["zone"] or "(EAT)" in shown[: found.start()]
    cli.configure(COLUMNS="80")
    assert all(len(line) <= 80 for line in cli(*command).out.splitlines())


# --- payments --------------------------------------------------------------------------------------------------------


def six_payments(rt: Runtime) -> None:
    """1 completed, 2 asked, 3 declined, 4 waiting (Hill View), 5 failed; 6 belongs to another owner, and is cash."""
    two_properties(rt)
    register.add_tenant(rt, name="Otieno Ouma", phone="0733000222", property_reference="2")
    register.add_owner(rt, name="Njeri")
    place = {"paybill": "522522", "account_number": "9", "rent": "5000"}
    register.add_property(rt, name="Other", owner_reference="2", **place)
    books = Books(rt)
    books.at(datetime(2026, 11, 1, 9, 0, tzinfo=UTC))
    books.completed()
    books.asked()
    books.at(datetime(2026, 11, 2, 21, 30, tzinfo=UTC))  # the third of November in Nairobi
    books.learn(books.asked(), NotMoved("1032", "The tenant cancelled."))
    books.at(datetime(2026, 11, 4, 9, 0, tzinfo=UTC))
    books.paid(place="2", phone="0733000222")
    books.learn(books.sent(), NotMoved("1", "The balance is insufficient"), "payout")
    books.at(clock())
    collect.record_payment(rt, property_reference="Other", amount_cents=500_000, method="cash")


@pytest.fixture
def many(cli: Cli, begin: Begin) -> Cli:
    """The commands of a platform with six payments."""
    begin(six_payments)
    return cli


@pytest.mark.parametrize(
    ("filters", "numbers"),
    [
        ((), "654321"),
        (("--owner", "1"), "54321"),
        (("--owner", "njeri"), "6"),
        (("--property", "Hill View"), "4"),
        (("--tenant", "Otieno Ouma"), "4"),
        (("--status", "pending"), "2"),
        (("--status", "failed"), "3"),
        (("--status", "success"), "6541"),
        (("--status", "reversed"), ""),
        (("--disbursement-status", "completed"), "1"),
        (("--disbursement-status", "failed"), "5"),
        (("--disbursement-status", "pending"), "4"),
        (("--disbursement-status", "processing"), ""),
        (("--disbursement-status", "not_required"), "6"),
        (("--from", "2026-11-03", "--to", "2026-11-03"), "3"),
        (("--to", "2026-11-02"), "21"),
        (("--from", "2026-11-03", "--to", "2026-11-04"), "543"),
        (("--limit", "2"), "65"),
        (("--limit", "2", "--before", "5"), "43"),
        (("--owner", "1", "--status", "success", "--disbursement-status", "failed"), "5"),
    ],
)
def test_payments_are_listed_newest_first_by_every_filter(many: Cli, filters: tuple[str, ...], numbers: str) -> None:
    content = many.json("payments", *filters)
    assert set(content) == {"success", "payments"}
    assert "".join(row["id"] for row in content["payments"]) == numbers
    assert all(set(row) >= PAYMENT_KEYS for row in content["payments"])
    shown = many("payments", *filters)
    assert shown.status == 0
    assert shown.out.strip()


@pytest.mark.parametrize(
    ("filters", "status"),
    [
        (("--owner", "Nobody"), 3),
        (("--property", "Nowhere"), 3),
        (("--tenant", "Nobody"), 3),
        (("--status", "paid"), 2),
        (("--disbursement-status", "done"), 2),
        (("--from", "yesterday"), 2),
        (("--to", "2026-02-30"), 2),
        (("--limit", "0"), 2),
        (("--before", "x"), 2),
    ],
)
def test_a_filter_that_has_no_meaning_is_refused(many: Cli, filters: tuple[str, ...], status: int) -> None:
    assert many("payments", *filters, "--json").refusal[0] == status


def test_a_list_masks_phones_unless_asked(many: Cli) -> None:
    assert "254722***111" in many("payments", "--json").out
    assert "254722000111" not in many("payments", "--json").out
    assert "254722000111" in many("payments", "--reveal", "--json").out


def test_a_cut_list_says_how_to_go_on(many: Cli) -> None:
    ran = many("payments", "--limit", "2")
    assert "--before 5" in ran.err
    assert many("payments").err == ""


# --- history and revenue ---------------------------------------------------------------------------------------------


def test_a_history_has_the_keys_that_scripts_rely_on(many: Cli) -> None:
    content = many.json("history", "Wanjiru Kamau")
    assert set(content) >= {"success", "summary", "disbursements"}
    assert content["summary"] == {
        **{"totalDisbursed": 9500, "totalPlatformFees": 500},
        **{"pendingDisbursements": 1, "failedDisbursements": 1},
    }
    assert [row["paymentId"] for row in content["disbursements"]] == ["5", "4", "1"]
    assert all(set(row) >= HISTORY_KEYS for row in content["disbursements"])
    ran = many("history", "1")
    assert "KES 9,500" in ran.out
    assert "SKP0000001" in ran.out


def test_a_history_of_nothing_and_of_nobody(many: Cli) -> None:
    many.json("owner", "add", "--name", "New")
    assert many.json("history", "New")["disbursements"] == []
    assert "No rent has been paid" in many("history", "New").out
    assert many("history", "Nobody", "--json").refusal == (3, "not_found")
    assert many("history", "--json").refusal == (2, "wrong_use")


@pytest.fixture
def earned(cli: Cli, books: Books) -> Cli:
    """Owners paid on the 1st, and late on the 22nd, which is the 23rd in Nairobi, and a month later."""
    for paid_at, place in (
        (datetime(2026, 11, 1, 9, 0, tzinfo=UTC), "1"),
        (datetime(2026, 11, 22, 22, 30, tzinfo=UTC), "1"),
        (datetime(2026, 11, 30, 21, 0, tzinfo=UTC), "2"),
    ):
        books.at(paid_at - timedelta(minutes=5))
        books.completed(place=place, owner_paid_at=paid_at)
    books.sent()
    books.learn(books.sent(), NotMoved("1", "The balance is insufficient"), "payout")
    return cli


def rows(cli: Cli, *arguments: str) -> list[tuple[str, int, int, int, int]]:
    content = cli.json("report", "revenue", *arguments)
    assert content["total"] == sum(row["platformFees"] for row in content["rows"])
    return [
        (row["key"], row["payments"], row["collected"], row["platformFees"], row["disbursed"])
        for row in content["rows"]
    ]


def test_revenue_is_told_in_the_shape_that_scripts_know(earned: Cli) -> None:
    content = earned.json("report", "revenue")
    assert set(content) >= {"success", "total", "currency", "from", "to", "rows"}
    assert (content["total"], content["currency"], content["from"], content["to"]) == (1400, "KES", None, None)
    assert set(content["rows"][0]) >= {"key", "payments", "collected", "platformFees", "disbursed"}
    ran = earned("report", "revenue")
    assert "Fees earned: KES 1,400 on KES 28,000 collected." in ran.out


def test_the_day_of_revenue_is_the_east_african_day(earned: Cli) -> None:
    assert rows(earned, "--by", "day") == [
        ("2026-11-01", 1, 10000, 500, 9500),
        ("2026-11-23", 1, 10000, 500, 9500),
        ("2026-12-01", 1, 8000, 400, 7600),
    ]
    assert rows(earned) == [("2026-11", 2, 20000, 1000, 19000), ("2026-12", 1, 8000, 400, 7600)]
    assert rows(earned, "--from", "2026-11-22", "--to", "2026-11-22") == []
    assert len(rows(earned, "--from", "2026-11-23", "--to", "2026-11-23")) == 1


def test_revenue_is_grouped_by_owner_and_by_property(earned: Cli) -> None:
    assert rows(earned, "--by", "owner") == [("Wanjiru Kamau", 3, 28000, 1400, 26600)]
    assert sorted(rows(earned, "--by", "property")) == [
        ("Hill View", 1, 8000, 400, 7600),
        ("Sunset Apartments", 2, 20000, 1000, 19000),
    ]


def test_the_ends_of_a_period_count(earned: Cli) -> None:
    assert rows(earned, "--from", "2026-11-23", "--to", "2026-12-01", "--by", "month") == [
        ("2026-11", 1, 10000, 500, 9500),
        ("2026-12", 1, 8000, 400, 7600),
    ]
    assert rows(earned, "--month", "2026-11") == [("2026-11", 2, 20000, 1000, 19000)]
    assert rows(earned, "--month", "2026-12") == [("2026-12", 1, 8000, 400, 7600)]
    content = earned.json("report", "revenue", "--month", "2026-11")
    assert (content["from"], content["to"]) == ("2026-11-01", "2026-11-30")


@pytest.mark.parametrize(
    "arguments",
    [
        ("--by", "week"),
        ("--from", "x"),
        ("--from", "2026-11-02", "--to", "2026-11-01"),
        ("--month", "2026-13"),
        ("--month", "2026-11", "--from", "2026-11-01"),
    ],
)
def test_a_period_that_has_no_meaning_is_refused(cli: Cli, arguments: tuple[str, ...]) -> None:
    ran = cli("report", "revenue", *arguments, "--json")
    assert ran.refusal == (2, "wrong_use")
    assert ran.json["error"]["hint"]


def test_no_revenue_is_said_in_a_sentence(cli: Cli, books: Books) -> None:
    content = cli.json("report", "revenue", "--month", "2026-01")
    assert (content["total"], content["rows"]) == (0, [])
    assert "No disbursement was completed" in cli("report", "revenue").out


# --- explain ---------------------------------------------------------------------------------------------------------


def test_a_code_is_explained_wherever_it_can_be_seen(cli: Cli) -> None:
    content = cli.json("explain", "1")
    assert content["code"] == "1"
    assert {row["where"] for row in content["meanings"]} >= {"stk", "b2b"}
    assert all(
        set(row) == {"where", "meaning", "money", "retry", "action", "stopsPayouts"} for row in content["meanings"]
    )
    assert cli.json("explain", "sfc_ic0003")["code"] == "SFC_IC0003"
    assert "when an owner is paid" in cli("explain", "1").out


def test_an_unknown_code_is_never_declared_safe(cli: Cli) -> None:
    ran = cli("explain", "424242", "--json")
    assert ran.refusal == (3, "not_found")
    assert "never sent again without a person" in ran.json["error"]["hint"]


def test_explaining_needs_no_settings(cli: Cli) -> None:
    from tests.cli.conftest import OFFLINE

    cli.forget(*OFFLINE, "RENTPAY_DATABASE_URL")
    assert cli("explain", "2001").status == 0


def long_names(books: Books) -> None:
    """A property and an owner whose names are longer than a narrow table has room for."""
    owner = register.add_owner(books.rt, name="Christopher Njoroge Kimani-Odhiambo", email="c.njoroge@example.co.ke")
    register.add_property(
        books.rt,
        name="Mountain View Garden Estate Block C",
        owner_reference=str(owner),
        paybill="600001",
        account_number="ACC-000000123",
        rent="125000",
    )


def test_at_eighty_columns_no_word_amount_or_receipt_is_broken(cli: Cli, books: Books) -> None:
    long_names(books)
    books.completed(place="3")
    books.learn(books.sent(place="3"), Overdue("M-Pesa's queue timed out"), "payout")
    cli.configure(COLUMNS="80")
    for command, whole in (
        (("payments",), ("Mountain", "Garden", "125,000", "118,750", "unclear", "completed")),
        (("history", "2"), ("Mountain", "Garden", "125,000", "118,750", "unclear", "SKP0000001")),
        (("owner", "list"), ("Christopher", "Kimani-Odhiambo", "c.njoroge@example.co.ke", "Properties")),
        (("property", "list"), ("Mountain", "Kimani-Odhiambo", "ACC-000000123", "125,000", "default")),
    ):
        lines = cli(*command).out.splitlines()
        assert max(map(len, lines)) <= 80
        for word in whole:
            assert any(word in line for line in lines), (command, word)


def test_one_unclear_payment_breaks_no_other_line_of_a_narrow_list(cli: Cli, books: Books) -> None:
    books.learn(books.sent(), Overdue("M-Pesa's queue timed out"), "payout")
    for _ in range(3):
        books.completed(place="2")
    cli.configure(COLUMNS="80")
    assert len([line for line in cli("payments").out.splitlines() if line.strip()]) == 2 + 4
    assert len([line for line in cli("history", "1").out.splitlines() if line.strip()]) == 5 + 2 + 4


def test_where_a_table_has_no_room_at_all_its_rows_are_blocks_with_whole_amounts(cli: Cli, books: Books) -> None:
    books.completed()
    cli.configure(COLUMNS="40")
    lines = [" ".join(line.split()) for line in cli("payments").out.splitlines()]
    assert "Amount 10,000" in lines
    assert "Property Sunset Apartments" in lines


def test_a_suggested_command_is_not_broken_over_two_lines(cli: Cli, books: Books) -> None:
    books.learn(books.sent(), NotMoved("1", "The balance is insufficient"), "payout")
    for columns in range(40, 100, 3):
        cli.configure(COLUMNS=str(columns))
        lines = cli("status", "1").err.splitlines()
        assert any("rentpay disburse 1" in line for line in lines), (columns, lines)
        assert any("rentpay retry-failed" in line for line in lines), (columns, lines)
        assert max(map(len, lines)) <= columns


def test_what_does_not_fit_is_shown_with_what_it_means_and_what_deals_with_it(cli: Cli, books: Books) -> None:
    books.completed()
    with books.rt.database.transaction() as session:
        journal.raise_finding(session, books.rt.now(), FindingKind.MISMATCH, "It says KES 1.", payment_id=1)
    (finding,) = cli.json("status", "1")["payment"]["findings"]
    assert (finding["kind"], finding["text"]) == ("mismatch", "It says KES 1.")
    assert (finding["meaning"], "rentpay resolve 1 " in finding["action"]) == (
        TABLE[FindingKind.MISMATCH].meaning,
        True,
    )
    ran = cli("status", "1")
    assert "Look at this: It says KES 1." in ran.out
    assert "rentpay resolve 1 --paid RECEIPT" in ran.err
