"""STK Push: how a prompt ends, and what is told about it."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.simulator.conftest import Client, eventually


def told(client: Client) -> dict[str, Any]:
    body: dict[str, Any] = client.arrivals.one("/stk")["Body"]["stkCallback"]
    return body


def test_a_paid_prompt_credits_the_paybill_and_is_told_with_its_receipt(client: Client) -> None:
    ack = client.push_to("254712345678", Amount="10000")
    assert ack["ResponseCode"] == "0"
    assert ack["CheckoutRequestID"].startswith("ws_CO_")
    callback = told(client)
    assert callback["ResultCode"] == 0
    assert callback["CheckoutRequestID"] == ack["CheckoutRequestID"]
    assert callback["MerchantRequestID"] == ack["MerchantRequestID"]
    ledger = client.ledger()
    (transfer,) = ledger["transfers"]
    items = {each["Name"]: each.get("Value") for each in callback["CallbackMetadata"]["Item"]}
    date = items.pop("TransactionDate")
    assert items == {
        "Amount": 10000,
        "MpesaReceiptNumber": transfer["receipt"],
        "Balance": None,
        "PhoneNumber": 254712345678,
    }
    assert {"Name": "Balance"} in callback["CallbackMetadata"]["Item"]
    assert isinstance(date, int)
    in_nairobi = datetime.strptime(f"{date}+0300", "%Y%m%d%H%M%S%z")
    assert abs(datetime.now(UTC) - in_nairobi) < timedelta(minutes=1)
    assert re.fullmatch(r"[A-Z0-9]{10}", transfer["receipt"])
    assert transfer["kind"] == "stk"
    assert (transfer["from"], transfer["to"], transfer["amount"]) == ("254712345678", "174379", 10000)
    assert transfer["accountReference"] == "UNIT4"
    assert ledger["accounts"]["174379"] == {"working": 60000, "utility": 0, "charges": 0}


@pytest.mark.parametrize(("ending", "code"), [("01", 1032), ("02", 1), ("03", 2001), ("05", 1037)])
def test_some_phones_do_not_pay(client: Client, ending: str, code: int) -> None:
    ack = client.push_to("2547123456" + ending)
    callback = told(client)
    assert callback["ResultCode"] == code
    assert "CallbackMetadata" not in callback
    assert client.ledger()["transfers"] == []
    answer = client.query(ack["CheckoutRequestID"]).json()
    assert answer["ResultCode"] == str(code)
    assert answer["ResultDesc"] == callback["ResultDesc"]


def test_a_phone_on_04_pays_but_nothing_is_told(client: Client) -> None:
    ack = client.push_to("254712345604")
    eventually(lambda: client.ledger()["transfers"])
    assert client.query(ack["CheckoutRequestID"]).json()["ResultCode"] == "0"
    client.push_to("254712345678", CallBackURL=client.arrivals.base_url + "/other")
    client.arrivals.wait("/other")  # a later callback has come, so the earlier one is not just slow
    assert client.arrivals.at("/stk") == []


def test_a_phone_on_06_is_told_twice_but_pays_once(client: Client) -> None:
    client.push_to("254712345606")
    first, second = client.arrivals.wait("/stk", 2)
    assert first == second
    assert len(client.ledger()["transfers"]) == 1


def test_a_phone_on_07_is_told_before_the_answer(simulate: Callable[..., Client]) -> None:
    client = simulate(delay_seconds=30.0)
    ack = client.push_to("254712345607")
    (callback,) = client.arrivals.at("/stk")  # no waiting: it is there when the answer is
    assert callback["Body"]["stkCallback"]["CheckoutRequestID"] == ack["CheckoutRequestID"]


def test_a_second_prompt_to_the_same_phone_within_a_minute_is_refused(client: Client) -> None:
    client.push_to("254712345678")
    refused = client.push()
    assert (refused.status_code, refused.json()["errorCode"]) == (500, "500.001.1001")
    assert refused.json()["errorMessage"].startswith("Unable to lock subscriber")
    assert client.push(PhoneNumber="254712345679").status_code == 200


def test_the_minute_can_be_made_shorter(simulate: Callable[..., Client]) -> None:
    client = simulate(prompt_gap_seconds=0.0)
    client.push_to("254712345678")
    client.push_to("254712345678")
    assert len(client.arrivals.wait("/stk", 2)) == 2


def test_a_refused_push_does_not_use_up_the_minute(client: Client) -> None:
    assert client.push(Amount=0).status_code == 400
    assert client.push().status_code == 200


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"Password": "bm9wZQ=="}, "Wrong credentials"),
        ({"Timestamp": "20261123101501", "Password": "MTc0Mzc5"}, "Wrong credentials"),
        ({"BusinessShortCode": "600000"}, "Merchant does not exist"),
    ],
)
def test_the_password_is_checked(client: Client, changes: dict[str, Any], message: str) -> None:
    for answer in (client.push(**changes), client.query("ws_CO_1", **changes)):
        assert (answer.status_code, answer.json()["errorCode"]) == (500, "500.001.1001")
        assert answer.json()["errorMessage"] == message


def test_a_paybill_push_to_another_party_is_told_in_text(client: Client) -> None:
    client.push(PartyB="600000")
    assert told(client)["ResultCode"] == "SFC_IC0003"
    assert client.ledger()["transfers"] == []


def test_too_much_is_refused_by_the_result(client: Client) -> None:
    client.push(Amount=250_001)
    assert told(client)["ResultCode"] == 3


def test_a_reference_may_be_long_until_the_prompt_is_too_long(client: Client) -> None:
    client.push_to("254712345678", AccountReference="A" * 40, CallBackURL=client.arrivals.base_url + "/long")
    client.push_to("254712345679", AccountReference="A" * 140, CallBackURL=client.arrivals.base_url + "/longer")
    assert client.arrivals.one("/long")["Body"]["stkCallback"]["ResultCode"] == 0
    assert client.arrivals.one("/longer")["Body"]["stkCallback"]["ResultCode"] == 1025


def test_a_query_says_4999_while_the_customer_decides(simulate: Callable[..., Client]) -> None:
    client = simulate(delay_seconds=30.0)
    ack = client.push_to("254712345678")
    answer = client.query(ack["CheckoutRequestID"])
    assert answer.status_code == 200
    assert answer.json()["ResultCode"] == "4999"
    assert answer.json()["MerchantRequestID"] == ack["MerchantRequestID"]
    assert client.ledger()["transfers"] == []


def test_a_query_of_a_payment_has_text_codes_and_no_receipt(client: Client) -> None:
    ack = client.push_to("254712345678")
    client.arrivals.wait("/stk")
    answer = client.query(ack["CheckoutRequestID"]).json()
    assert answer["ResultCode"] == "0"
    assert answer["ResponseCode"] == "0"
    assert client.ledger()["transfers"][0]["receipt"] not in str(answer)


def test_a_query_of_an_unknown_id_says_still_processing(client: Client) -> None:
    answer = client.query("ws_CO_17082026140403")
    assert answer.status_code == 500
    assert answer.json()["errorCode"] == "500.001.1001"
    assert answer.json()["errorMessage"] == "The transaction is being processed"


def test_buy_goods_pays_the_till(client: Client) -> None:
    client.push(TransactionType="CustomerBuyGoodsOnline", PartyB="555555")
    client.arrivals.wait("/stk")
    assert client.ledger()["accounts"]["555555"]["working"] == 10000
