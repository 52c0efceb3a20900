"""`initiate`, `record-payment`, `balance`: exit statuses, JSON, and what a person reads."""

from __future__ import annotations

import pytest

from rentpay_cli.core.evidence import Unanswered
from tests.cli.conftest import Books, Cli, answered_by
from tests.support.scripted import ScriptedMpesa
from tests.support.world import World

ASK = ("initiate", "--property", "1", "--phone", "0722 000 111")
TAKES_THE_MONEY_AND_SAYS_NOTHING = "0722000104"


def test_a_push_is_told_in_the_shape_that_scripts_know(live: Cli, let: int, world: World) -> None:
    content = live.json(*ASK)
    assert content == {
        "success": True,
        "message": "STK Push sent successfully",
        "paymentId": "1",
        "checkoutRequestId": world.payment(1)["checkout_request_id"],
        "merchantRequestId": world.payment(1)["merchant_request_id"],
    }
    assert content["checkoutRequestId"].startswith("ws_CO_")


def test_accepted_is_not_paid_on_the_screen(live: Cli, let: int) -> None:
    ran = live(*ASK)
    assert ran.status == 0
    assert "asked 254722***111 for KES 10,000, rent of Sunset Apartments" in ran.out
    assert "has not yet said whether the tenant paid" in ran.out
    assert "254722000111" not in ran.out + ran.err
    assert "Environment: simulator" in ran.err
    assert "rentpay status 1" in ran.err


@pytest.mark.usefixtures("reader")
def test_waiting_for_a_tenant_who_pays_ends_with_0_and_the_receipt(live: Cli, let: int, world: World) -> None:
    content = live.json(*ASK, "--wait")
    (collected,) = world.transfers("stk")
    assert content["payment"]["status"] == "success"
    assert content["payment"]["receipt"] == collected["receipt"]
    assert {"message", "paymentId", "checkoutRequestId", "merchantRequestId"} < set(content)
    assert content["payment"]["phone"] == "254722***111"


@pytest.mark.usefixtures("reader")
def test_waiting_for_a_tenant_who_declines_ends_with_1(live: Cli, let: int) -> None:
    ran = live("initiate", "--property", "1", "--phone", "0722000101", "--wait", "--json")
    assert ran.refusal == (1, "payment_failed")
    assert "1032" in ran.json["error"]["message"]


@pytest.mark.usefixtures("reader")
def test_waiting_in_vain_ends_with_5_and_never_says_failed(live: Cli, let: int) -> None:
    phone = TAKES_THE_MONEY_AND_SAYS_NOTHING
    ran = live("initiate", "--property", "1", "--phone", phone, "--wait", "--timeout", "1", "--json")
    assert ran.refusal == (5, "outcome_unknown")
    assert "fail" not in ran.out
    assert "rentpay status 1" in ran.json["error"]["hint"]


def test_a_lost_answer_ends_with_5_and_says_not_to_ask_again(live: Cli, let: int, world: World) -> None:
    world.fault("stk:lost")
    ran = live(*ASK)
    assert (ran.status, ran.out) == (5, "")
    assert "Unclear: M-Pesa did not answer" in ran.err
    assert "Do not ask again" in ran.err


def test_what_mpesa_refuses_ends_with_1_and_its_code(live: Cli, let: int, world: World) -> None:
    live.configure(MPESA_PASSKEY="wrong")
    ran = live(*ASK, "--json")
    assert ran.refusal == (1, "mpesa_refused")
    assert world.payment(1)["status"] == "failed"
    assert "rentpay explain" in ran.json["error"]["hint"]


def test_a_second_push_within_a_minute_is_refused_unless_forced(
    cli: Cli, books: Books, scripted: ScriptedMpesa
) -> None:
    cli.json(*ASK)
    assert cli(*ASK, "--json").refusal == (1, "still_open")
    other = ("initiate", "--property", "2", "--phone", "0722000111")
    ran = cli(*other, "--json")
    assert ran.refusal == (1, "too_soon")
    assert "--force" in ran.json["error"]["hint"]
    assert "254722000111" not in ran.out
    assert len(scripted.sent) == 1
    assert cli.json(*other, "--force")["paymentId"] == "2"
    assert cli.json(*ASK, "--force")["paymentId"] == "3"
    assert len(scripted.sent) == 3


@pytest.mark.parametrize(
    ("command", "status"),
    [
        (("initiate", "--property", "1"), 2),
        (("initiate", "--phone", "0722000111"), 2),
        (("initiate", "--property", "1", "--phone", "12"), 2),
        (("initiate", "--property", "9", "--phone", "0722000111"), 3),
        (("initiate", "--property", "1", "--tenant", "Nobody"), 3),
        ((*ASK, "--amount", "0"), 2),
        ((*ASK, "--amount", "-5"), 2),
        ((*ASK, "--amount", "10.50"), 2),
        ((*ASK, "--amount", "250001"), 2),
        ((*ASK, "--amount", "1e3"), 2),
        ((*ASK, "--timeout", "0"), 2),
        (("record-payment", "--property", "1", "--amount", "0"), 2),
        (("record-payment", "--property", "1", "--amount", "5", "--method", "gold"), 2),
        (("record-payment", "--property", "9", "--amount", "5"), 3),
        (("record-payment", "--property", "1", "--amount", "5", "--tenant", "Nobody"), 3),
        (("record-payment", "--property", "1"), 2),
    ],
)
def test_what_has_no_meaning_sends_nothing(
    cli: Cli, books: Books, scripted: ScriptedMpesa, command: tuple[str, ...], status: int
) -> None:
    ran = cli(*command, "--json")
    assert ran.refusal == (status, {2: "wrong_use", 3: "not_found"}[status])
    assert scripted.sent == []
    assert cli.json("payments")["payments"] == []


def test_a_tenant_gives_the_phone_and_the_rent_is_asked_unless_an_amount_is_given(
    cli: Cli, books: Books, scripted: ScriptedMpesa
) -> None:
    cli.json("tenant", "add", "--name", "Otieno Ouma", "--phone", "0733000222", "--property", "1")
    cli.json("initiate", "--property", "hill view", "--tenant", "Otieno Ouma", "--amount", "1,500")
    ((_, request),) = scripted.sent
    assert (request["phone"], request["amount_cents"]) == ("254733000222", 150_000)
    (row,) = cli.json("payments")["payments"]
    assert (row["tenantName"], row["propertyName"], row["amount"]) == ("Otieno Ouma", "Hill View", 1500)


def test_cash_is_booked_and_nothing_is_to_be_sent_for_it(cli: Cli, books: Books, scripted: ScriptedMpesa) -> None:
    content = cli.json("record-payment", "--property", "1", "--amount", "10000.50", "--method", "cash")
    assert content == {
        **{"success": True, "message": "Payment recorded", "paymentId": "1", "amount": 10000.5, "platformFee": 500},
        **{"method": "cash", "disbursementStatus": "not_required"},
    }
    assert cli("disburse", "1", "--json").refusal == (1, "not_required")
    assert scripted.sent == []
    ran = cli("record-payment", "--property", "1", "--amount", "7000", "--method", "bank")
    assert (ran.status, "KES 7,000 (bank) for Sunset Apartments" in ran.out) == (0, True)
    assert "Nothing will be disbursed" in ran.out


def test_a_note_is_kept_without_what_acts_on_a_terminal(cli: Cli, books: Books) -> None:
    cli.json("record-payment", "--property", "1", "--amount", "5", "--note", "receipt\x1b[2J 7\nof May")
    assert cli.json("status", "1")["payment"]["note"] == "receipt[2J 7 of May"


@pytest.mark.usefixtures("reader")
def test_the_balance_is_told_by_callback(live: Cli, world: World) -> None:
    world.set_float(12_345)
    content = live.json("balance", "--wait")
    assert set(content) == {"success", "message", "accounts"}
    assert content["message"] == "Balance received"
    accounts = {row["account"]: row for row in content["accounts"]}
    assert accounts["Working Account"]["available"] == 12_345
    assert set(accounts["Working Account"]) == {"account", "current", "available", "at"}
    assert "KES 12,345" in live("balance").out


def test_an_asked_balance_is_not_a_known_balance(live: Cli) -> None:
    assert live.json("balance") == {"success": True, "message": "Balance asked for", "accounts": []}
    ran = live("balance")
    assert "No balance is known yet" in ran.out
    assert live("balance", "--wait", "--timeout", "1", "--json").refusal == (5, "outcome_unknown")


def test_a_balance_without_an_answer_is_refused_and_may_be_asked_again(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    mpesa = ScriptedMpesa(lambda *_: Unanswered("no answer came"))
    answered_by(monkeypatch, mpesa)
    ran = cli("balance", "--json")
    assert ran.refusal == (1, "refused")
    assert "moves no money" in ran.json["error"]["hint"]


@pytest.mark.parametrize("command", [("initiate", "--property", "1", "--phone", "0722000111"), ("balance",)])
def test_an_mpesa_that_cannot_be_reached_got_nothing(cli: Cli, books: Books, command: tuple[str, ...]) -> None:
    ran = cli(*command, "--json")
    assert ran.refusal == (1, "mpesa_unreachable")
    assert "nothing was sent" in ran.json["error"]["message"]
    assert cli.json("payments")["payments"] == []
