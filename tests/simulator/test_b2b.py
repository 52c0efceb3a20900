"""B2B payouts, and what can be asked about them."""

from __future__ import annotations

import base64
import itertools
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rentpay_cli.simulator.books import b2b_charge_cents
from tests.simulator.conftest import Client, parameters


def test_a_payout_moves_money_and_is_told_with_all_its_parameters(client: Client) -> None:
    ack = client.pay(Amount=9500, AccountReference="PROP001").json()
    assert ack["ResponseCode"] == "0"
    assert ack["ConversationID"].startswith("AG_")
    result = client.result()
    ledger = client.ledger()
    (transfer,) = ledger["transfers"]
    assert (result["ResultType"], result["ResultCode"]) == (0, 0)
    assert result["ConversationID"] == ack["ConversationID"] == transfer["conversationId"]
    assert result["OriginatorConversationID"] == ack["OriginatorConversationID"]
    assert transfer["originatorConversationId"] == ack["OriginatorConversationID"]
    assert result["TransactionID"] == transfer["receipt"]
    told = parameters(result)
    stamp = told.pop("TransCompletedTime")
    assert isinstance(stamp, int)
    assert len(str(stamp)) == 14
    assert told == {
        "DebitAccountCurrentBalance": "{Amount={CurrencyCode=KES, MinimumAmount=4050000, BasicAmount=40500.00}}",
        "InitiatorAccountCurrentBalance": "{Amount={CurrencyCode=KES, MinimumAmount=4050000, BasicAmount=40500.00}}",
        "Amount": 9500,
        "DebitPartyAffectedAccountBalance": "Working Account|KES|40500.00|40500.00|0.00|0.00",
        "DebitPartyCharges": "Business Pay Bill Charge|KES|48.00",
        "ReceiverPartyPublicName": "600123 - Organisation 600123",
        "Currency": "KES",
    }
    references = {each["Key"]: each.get("Value") for each in result["ReferenceData"]["ReferenceItem"]}
    assert references["BillReferenceNumber"] == "PROP001"
    assert {"Key": "Occassion"} in result["ReferenceData"]["ReferenceItem"]
    assert (transfer["kind"], transfer["from"], transfer["to"]) == ("b2b", "174379", "600123")
    assert (transfer["amount"], transfer["charge"]) == (9500, 48)
    assert ledger["accounts"]["174379"] == {"working": 40500, "utility": 0, "charges": -48}
    assert ledger["accounts"]["600123"] == {"working": 0, "utility": 9500, "charges": 0}


def test_a_payout_without_a_charge_has_the_key_without_a_value(client: Client) -> None:
    client.pay(Amount=100)
    assert {"Key": "DebitPartyCharges"} in client.result()["ResultParameters"]["ResultParameter"]


def test_a_reference_that_looks_like_a_number_becomes_one(client: Client) -> None:
    client.pay(AccountReference="0044")
    assert {"Key": "BillReferenceNumber", "Value": 44} in client.result()["ReferenceData"]["ReferenceItem"]


def test_buy_goods_needs_no_reference_and_gives_none_back(client: Client) -> None:
    client.pay(CommandID="BusinessBuyGoods", AccountReference=None, RecieverIdentifierType="2")
    result = client.result()
    assert result["ResultCode"] == 0
    assert "BillReferenceNumber" not in str(result)


def test_two_equal_payouts_pay_twice(client: Client) -> None:
    client.pay()
    client.pay()
    assert client.ledger()["accounts"]["600123"]["utility"] == 19000


@pytest.mark.parametrize(
    ("amount", "charge"),
    [(1, 0), (100, 0), (101, 5), (500, 5), (501, 10), (5000, 34), (5001, 42), (10000, 48), (45000, 103), (45001, 108)],
)
def test_the_charge_follows_the_band(amount: int, charge: int) -> None:
    assert b2b_charge_cents(amount * 100) == charge * 100


def test_too_little_float_moves_nothing(client: Client) -> None:
    before = client.ledger()
    client.pay(Amount=50_001)
    result = client.result()
    assert result["ResultCode"] == 1
    assert client.ledger() == before


def test_the_whole_float_can_be_paid_out(client: Client) -> None:
    client.pay(Amount=50_000)
    assert client.result()["ResultCode"] == 0
    assert client.ledger()["accounts"]["174379"]["working"] == 0


def test_money_collected_can_be_paid_out(simulate: Callable[..., Client]) -> None:
    client = simulate()
    client.push_to("254712345678", Amount=10000)
    client.arrivals.wait("/stk")
    client.pay(Amount=9500)
    assert client.result()["ResultCode"] == 0
    assert client.ledger()["accounts"]["174379"] == {"working": 500, "utility": 0, "charges": -48}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"PartyB": "999999"}, "SFC_IC0003"),
        ({"PartyB": "888888"}, "SFC_IC0003"),
        ({"Amount": 250_001}, 3),
        ({"PartyA": "700700"}, 21),
        ({"Initiator": "someone"}, 2001),
        ({"SecurityCredential": base64.b64encode(bytes(256)).decode()}, 2001),
        ({"SecurityCredential": "c2hvcnQ="}, 2001),
    ],
)
def test_what_m_pesa_refuses_is_told_later_and_moves_nothing(
    simulate: Callable[..., Client], changes: dict[str, Any], code: object
) -> None:
    client = simulate(working=900_000, unknown_paybills=frozenset(["888888"]))
    before = client.ledger()
    answer = client.pay(**changes)
    assert answer.json()["ResponseCode"] == "0"
    assert client.result()["ResultCode"] == code
    assert client.ledger() == before


def test_another_account_in_the_books_can_pay(client: Client) -> None:
    client.pay(PartyA="600000", Amount=9000, PartyB="174379")
    assert client.result()["ResultCode"] == 0
    assert client.ledger()["accounts"]["600000"] == {"working": 991000, "utility": 0, "charges": -48}


def test_failures_come_in_several_shapes_and_the_seed_repeats_them(simulate: Callable[..., Client]) -> None:
    def shapes(seed: int) -> list[str]:
        client = simulate(seed=seed)
        seen = []
        for number in range(8):
            path = f"/{seed}/{len(client.arrivals.posts)}/{number}"
            client.pay(ResultURL=client.arrivals.base_url + path)
            result = client.result(path)
            parameter = result.get("ResultParameters", {}).get("ResultParameter")
            seen.append(f"{type(parameter).__name__} {result['TransactionID'][:2] == '00'}")
        return seen

    first = shapes(3)
    assert len(set(first)) == 3
    assert shapes(3) == first
    assert shapes(4) != first


def test_three_wrong_passwords_lock_the_operator_until_unlocked(client: Client) -> None:
    wrong = base64.b64encode(bytes(256)).decode()
    paths = itertools.count()

    def code_of(**changes: object) -> object:
        path = f"/try/{next(paths)}"
        client.pay(ResultURL=client.arrivals.base_url + path, **changes)
        return client.result(path)["ResultCode"]

    assert [code_of(SecurityCredential=wrong) for _ in range(2)] == [2001, 2001]
    assert code_of() == 0  # the right one in between starts the count again
    assert [code_of(SecurityCredential=wrong) for _ in range(4)] == [2001, 2001, 2001, 8006]
    assert code_of() == 8006
    client.balance()
    assert client.result("/balance")["ResultCode"] == 8006
    client.http.post("/simulator/unlock")
    assert code_of() == 0


def test_the_credential_check_can_be_switched_off(simulate: Callable[..., Client]) -> None:
    client = simulate(working=50_000, accept_any_credential=True)
    client.pay(SecurityCredential="whatever")
    assert client.result()["ResultCode"] == 0


@pytest.mark.system
def test_a_credential_made_by_openssl_under_the_served_certificate_is_good(
    client: Client, tmp_path: Path, openssl: str
) -> None:
    certificate = tmp_path / "certificate.pem"
    certificate.write_bytes(client.http.get("/simulator/certificate").content)
    command = [openssl, "pkeyutl", "-encrypt", "-certin", "-inkey", str(certificate), "-pkeyopt"]
    sealed = subprocess.run(
        [*command, "rsa_padding_mode:pkcs1"], input=b"Safaricom123!", capture_output=True, check=True
    )
    client.pay(SecurityCredential=base64.b64encode(sealed.stdout).decode())
    assert client.result()["ResultCode"] == 0


# --- transaction status


def test_a_payout_is_found_by_its_originator_conversation_id(client: Client) -> None:
    paid = client.pay().json()
    receipt = client.result()["TransactionID"]
    ack = client.status(OriginalConversationID=paid["OriginatorConversationID"]).json()
    result = client.result("/status")
    assert result["ResultCode"] == 0
    assert result["ConversationID"] == ack["ConversationID"] != paid["ConversationID"]
    assert result["TransactionID"] != receipt
    assert result["TransactionID"].endswith("0000000")
    told = parameters(result)
    assert told["TransactionStatus"] == "Completed"
    assert told["ReceiptNo"] == receipt
    assert told["Amount"] == 9500
    assert told["ConversationID"] == paid["ConversationID"]
    assert told["OriginatorConversationID"] == paid["OriginatorConversationID"]
    assert told["DebitPartyCharges"] == "Business Pay Bill Charge|KES|48.00"
    assert told["CreditPartyName"] == "600123 - Organisation 600123"
    assert result["ReferenceData"] == {"ReferenceItem": {"Key": "Occasion", "Value": "po-17"}}


def test_a_rent_payment_is_found_by_its_receipt(client: Client) -> None:
    client.push_to("254712345678", Amount=10000)
    client.arrivals.wait("/stk")
    receipt = client.ledger()["transfers"][0]["receipt"]
    client.status(TransactionID=receipt, OriginalConversationID="")
    told = parameters(client.result("/status"))
    assert (told["ReceiptNo"], told["Amount"], told["ReasonType"]) == (receipt, 10000, "Pay Bill Online")


def test_a_failed_payout_is_found_as_failed(client: Client) -> None:
    paid = client.pay(Amount=50_001).json()
    client.status(OriginalConversationID=paid["OriginatorConversationID"])
    result = client.result("/status")
    assert result["ResultCode"] == 0
    assert parameters(result)["TransactionStatus"] == "Failed"
    assert parameters(result)["ReceiptNo"] is None


@pytest.mark.parametrize(
    ("key", "value", "code"),
    [("TransactionID", "SG722NMVXQ", 2032), ("OriginalConversationID", "1d4b-4c2e", 2033)],
)
def test_what_is_not_found_depends_on_the_key(client: Client, key: str, value: str, code: int) -> None:
    client.status(**{key: value})
    assert client.result("/status")["ResultCode"] == code


def test_a_transaction_of_others_is_not_found(client: Client) -> None:
    paid = client.pay().json()
    client.status(OriginalConversationID=paid["OriginatorConversationID"], PartyA="700700")
    assert client.result("/status")["ResultCode"] == 2033


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"TransactionID": ""},
        {"TransactionID": "SG722NMVXQ", "OriginalConversationID": "1d4b"},
        {"OriginatorConversationID": "1d4b"},
    ],
)
def test_a_status_query_needs_exactly_one_key(client: Client, keys: dict[str, str]) -> None:
    answer = client.status(**keys)
    assert (answer.status_code, answer.json()["errorCode"]) == (400, "400.002.02")


# --- account balance


def test_the_balance_is_one_text_with_all_accounts(client: Client) -> None:
    client.pay(Amount=9500)
    client.balance()
    told = parameters(client.result("/balance"))
    assert told["AccountBalance"] == (
        "Working Account|KES|40500.00|40500.00|0.00|0.00&Float Account|KES|0.00|0.00|0.00|0.00&"
        "Utility Account|KES|0.00|0.00|0.00|0.00&Charges Paid Account|KES|-48.00|-48.00|0.00|0.00&"
        "Organization Settlement Account|KES|0.00|0.00|0.00|0.00"
    )
    assert len(str(told["BOCompletedTime"])) == 14


# --- the books


def test_money_is_conserved(simulate: Callable[..., Client]) -> None:
    client = simulate(working=30_000, prompt_gap_seconds=0.0)
    for number, amount in enumerate([101, 2_500, 9_999, 20_000, 50_000, 7]):
        client.push_to(f"2547123456{number + 10}", Amount=amount)
        client.pay(Amount=amount * 2, PartyB=f"60010{number}")
    client.arrivals.wait("/stk", 6)
    client.arrivals.wait("/result", 6)
    ledger = client.ledger()
    held = sum(account["working"] + account["utility"] for account in ledger["accounts"].values())
    charged = sum(account["charges"] for account in ledger["accounts"].values())
    came_in = sum(each["amount"] for each in ledger["transfers"] if each["kind"] == "stk")
    assert held == 1_000_000 + 30_000 + came_in
    assert charged == -sum(each["charge"] for each in ledger["transfers"])
    assert came_in == 82_607
    for short_code, account in ledger["accounts"].items():
        received = sum(
            each["amount"] for each in ledger["transfers"] if each["kind"] == "b2b" and each["to"] == short_code
        )
        assert account["utility"] == received


def test_an_account_can_be_set(client: Client) -> None:
    answer = client.http.post("/simulator/accounts", json={"shortCode": "174379", "working": 0})
    assert answer.json() == {"shortCode": "174379", "working": 0, "utility": 0, "charges": 0}
    client.http.post("/simulator/accounts", json={"shortCode": 700700, "working": 12.5, "charges": -3})
    assert client.ledger()["accounts"]["700700"] == {"working": 12.5, "utility": 0, "charges": -3}
    client.pay()
    assert client.result()["ResultCode"] == 1


@pytest.mark.parametrize(
    "order",
    [{}, [], {"shortCode": "1"}, {"shortCode": "174379", "working": "x"}, {"shortCode": "174379", "working": 0.001}],
)
def test_an_account_set_wrongly_is_refused_in_a_sentence(client: Client, order: object) -> None:
    answer = client.http.post("/simulator/accounts", json=order)
    assert answer.status_code == 400
    assert answer.json()["error"].endswith(".")
    assert client.ledger()["accounts"]["174379"]["working"] == 50_000
