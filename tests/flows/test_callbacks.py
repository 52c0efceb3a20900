"""Callbacks that are forged, repeated, contradictory, odd or broken: what is not certain is not booked."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rentpay_cli.core.evidence import Acknowledged, Unanswered
from rentpay_cli.flows import collect
from rentpay_cli.flows import register as registering
from rentpay_cli.flows.balance import ask_balance
from rentpay_cli.flows.disburse import disburse
from rentpay_cli.flows.read_inbox import COLLECTION, PAYOUT, TIMEOUT, read_inbox
from rentpay_cli.flows.send import Unclear
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import inbox, readonly, reads
from rentpay_cli.store.inbox import Reading
from tests.support.beginnings import Begin
from tests.support.scripted import ScriptedMpesa, script, token_of


def two_houses(rt: Runtime) -> None:
    registering.add_owner(rt, name="Wanjiru Kamau")
    for name in ("Sunset Apartments", "Hill View"):
        registering.add_property(
            rt, name=name, owner_reference="1", paybill="600001", account_number="PROP001", rent="10000"
        )


class Desk:
    """Rent of two houses that is asked for, and callbacks put straight into the inbox."""

    def __init__(self, rt: Runtime) -> None:
        self.rt = rt
        self.mpesa: ScriptedMpesa = script(rt)

    def ask(self, place: str = "1", phone: str = "0722000111") -> str:
        """Ask for rent, and return the token of its callback address."""
        collect.initiate(self.rt, property_reference=place, phone=phone, force=True)
        return token_of(self.mpesa.sent[-1][1])

    def pay_out(self) -> str:
        """A paid rent whose share was sent; the token of the result's address."""
        token = self.ask()
        self.arrives(COLLECTION, token, paid(checkout="ws_CO_1"))
        disburse(self.rt, 1)
        return token_of(self.mpesa.sent[-1][1])

    def arrives(self, path: str, token: str | None, content: Any, *, source: str | None = "127.0.0.1") -> Reading:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        inbox.append(self.rt.database, [(path, token, source, body)], self.rt.now())
        (reading,) = read_inbox(self.rt)
        return reading

    def payment(self, number: int = 1) -> readonly.Row:
        row = reads.payment(self.rt.reader, number)
        assert row is not None
        return row

    def findings(self) -> list[str]:
        return [row["text"] for row in self.rt.reader.rows("SELECT text FROM finding WHERE closed_at IS NULL")]


@pytest.fixture
def desk(rt: Runtime, begin: Begin) -> Desk:
    begin(two_houses)
    return Desk(rt)


def paid(amount: Any = 10000, receipt: Any = "SKA1B2C3D4", checkout: str = "ws_CO_1", code: Any = 0) -> dict[str, Any]:
    items = [
        {"Name": "Amount", "Value": amount},
        {"Name": "MpesaReceiptNumber", "Value": receipt},
        {"Name": "Balance"},
        {"Name": "TransactionDate", "Value": 20261123120000},
        {"Name": "PhoneNumber", "Value": 254700000000},
    ]
    return {
        "Body": {
            "stkCallback": {
                "MerchantRequestID": "m-1",
                "CheckoutRequestID": checkout,
                "ResultCode": code,
                "ResultDesc": "The service request is processed successfully.",
                "CallbackMetadata": {"Item": items},
            }
        }
    }


def not_paid(code: Any = 1032, checkout: str = "ws_CO_1") -> dict[str, Any]:
    return {
        "Body": {
            "stkCallback": {
                "MerchantRequestID": "m-1",
                "CheckoutRequestID": checkout,
                "ResultCode": code,
                "ResultDesc": "Request cancelled by user",
            }
        }
    }


def result(code: Any = 0, receipt: Any = "SKB9Z8Y7X6", amount: Any = 9500, **changes: Any) -> dict[str, Any]:
    content: dict[str, Any] = {
        "ResultType": 0,
        "ResultCode": code,
        "ResultDesc": "text",
        "OriginatorConversationID": "o-2",
        "ConversationID": "AG_2",
        "TransactionID": receipt,
    }
    if code in (0, "0"):
        content["ResultParameters"] = {
            "ResultParameter": [
                {"Key": "Amount", "Value": amount},
                {"Key": "DebitPartyAffectedAccountBalance", "Value": "Working Account|KES|937.00|937.00|0.00|0.00"},
                {"Key": "TransCompletedTime", "Value": 20261123120102},
                {"Key": "DebitPartyCharges", "Value": "Business Pay Bill Charge|KES|48.00"},
            ]
        }
    return {"Result": {**content, **changes}}


# --- who may be believed ---------------------------------------------------------------------------------------------


def test_a_forged_callback_without_a_token_books_nothing(desk: Desk) -> None:
    desk.ask()
    reading = desk.arrives(COLLECTION, None, paid())
    assert reading.state == "held"
    assert desk.payment()["status"] == "pending"


def test_a_token_that_is_not_ours_books_nothing(desk: Desk) -> None:
    desk.ask()
    assert desk.arrives(COLLECTION, "0" * 32, paid()).state == "held"
    assert desk.payment()["status"] == "pending"


def test_the_token_of_one_payment_does_not_open_another(desk: Desk) -> None:
    desk.ask()
    other = desk.ask("2", "0722000222")
    assert desk.arrives(COLLECTION, other, paid(checkout="ws_CO_1")).state == "held"
    assert desk.payment(1)["status"] == desk.payment(2)["status"] == "pending"


def test_a_collection_token_does_not_complete_a_payout(desk: Desk) -> None:
    token = desk.ask()
    assert desk.arrives(PAYOUT, token, result()).state == "held"
    assert desk.payment()["status"] == "pending"


def test_a_source_that_is_not_allowed_is_held(rt: Runtime, desk: Desk) -> None:
    import dataclasses
    import ipaddress

    token = desk.ask()
    rt.settings = dataclasses.replace(rt.settings, allowed_networks=(ipaddress.ip_network("196.201.212.0/24"),))
    assert desk.arrives(COLLECTION, token, paid(), source="10.0.0.1").state == "held"
    assert desk.arrives(COLLECTION, token, paid(), source=None).state == "held"
    assert desk.payment()["status"] == "pending"
    assert desk.arrives(COLLECTION, token, paid(), source="196.201.212.74").state == "read"
    assert desk.payment()["status"] == "success"


def test_another_amount_is_held_and_a_person_is_told(desk: Desk) -> None:
    token = desk.ask()
    reading = desk.arrives(COLLECTION, token, paid(amount=1))
    assert reading.state == "held"
    assert desk.payment()["status"] == "pending"
    assert "KES 1 moved, but KES 10,000 was asked" in desk.findings()[0]
    assert desk.arrives(COLLECTION, token, paid()).state == "read"
    assert desk.payment()["status"] == "success"


def test_a_used_receipt_is_held(desk: Desk) -> None:
    first = desk.ask()
    second = desk.ask("2", "0722000222")
    desk.arrives(COLLECTION, first, paid(checkout="ws_CO_1"))
    reading = desk.arrives(COLLECTION, second, paid(checkout="ws_CO_2"))
    assert reading.state == "held"
    assert desk.payment(2)["status"] == "pending"
    assert "already belongs to another payment" in desk.findings()[0]


# --- order and repetition --------------------------------------------------------------------------------------------


def test_a_repeated_callback_changes_nothing(desk: Desk) -> None:
    token = desk.ask()
    desk.arrives(COLLECTION, token, paid())
    assert desk.arrives(COLLECTION, token, paid()).state == "read"
    assert desk.findings() == []
    (row,) = desk.rt.reader.rows("SELECT count(*) AS n FROM payable")
    assert row["n"] == 1


def test_a_late_failure_does_not_turn_a_success_into_a_failure(desk: Desk) -> None:
    token = desk.ask()
    desk.arrives(COLLECTION, token, paid())
    assert desk.arrives(COLLECTION, token, not_paid()).state == "held"
    assert desk.payment()["status"] == "success"
    assert len(desk.findings()) == 1


def test_a_late_success_after_a_failure_is_shown_to_a_person(desk: Desk) -> None:
    token = desk.ask()
    desk.arrives(COLLECTION, token, not_paid())
    assert desk.arrives(COLLECTION, token, paid()).state == "held"
    assert desk.payment()["status"] == "failed"
    assert len(desk.findings()) == 1


def test_a_late_failure_of_a_payout_does_not_release_the_money_again(desk: Desk) -> None:
    token = desk.pay_out()
    desk.arrives(PAYOUT, token, result())
    assert desk.arrives(PAYOUT, token, result(code=1)).state == "held"
    assert desk.payment()["disbursement_status"] == "completed"


def test_a_queue_timeout_after_the_success_changes_nothing(desk: Desk) -> None:
    token = desk.pay_out()
    desk.arrives(PAYOUT, token, result())
    assert desk.arrives(TIMEOUT, token, {"Initiator": "x", "CommandID": "BusinessPayBill"}).state == "read"
    assert desk.payment()["disbursement_status"] == "completed"
    assert desk.findings() == []


def test_a_result_after_a_queue_timeout_settles_the_payout(desk: Desk) -> None:
    token = desk.pay_out()
    desk.arrives(TIMEOUT, token, {"Initiator": "x", "CommandID": "BusinessPayBill"})
    assert desk.payment()["payout_state"] == "unclear"
    desk.arrives(PAYOUT, token, result())
    assert desk.payment()["disbursement_status"] == "completed"


def test_a_queue_timeout_shaped_like_a_failure_is_not_a_failure(desk: Desk) -> None:
    token = desk.pay_out()
    desk.arrives(TIMEOUT, token, result(code=1))
    assert desk.payment()["payout_state"] == "unclear"
    assert desk.payment()["disbursement_status"] == "processing"


def test_our_request_posted_back_is_a_queue_timeout_and_its_credential_is_not_kept(desk: Desk) -> None:
    token = desk.pay_out()
    secret = "A" * 342 + "=="
    desk.arrives(PAYOUT, token, {"Initiator": "x", "SecurityCredential": secret, "CommandID": "BusinessPayBill"})
    assert desk.payment()["payout_state"] == "unclear"
    assert all(secret.encode() not in bytes(row["body"]) for row in desk.rt.reader.rows("SELECT body FROM inbox"))


def test_a_result_that_comes_although_the_answer_was_lost_tells_the_ids(rt: Runtime, desk: Desk) -> None:
    token = desk.ask()
    desk.arrives(COLLECTION, token, paid())
    desk.mpesa = script(rt, lambda *_: Unanswered("read timeout"))
    assert isinstance(disburse(rt, 1), Unclear)
    desk.arrives(PAYOUT, token_of(desk.mpesa.sent[-1][1]), result())
    assert (desk.payment()["disbursement_status"], desk.payment()["conversation_id"]) == ("completed", "AG_2")


def test_ids_that_mpesa_gives_twice_do_not_stop_us(rt: Runtime, desk: Desk) -> None:
    desk.mpesa = script(rt, lambda *_: Acknowledged(checkout_request_id="ws_CO_same", merchant_request_id="m"))
    desk.ask()
    desk.ask("2", "0722000222")
    assert desk.payment(1)["checkout_request_id"] == "ws_CO_same"
    assert desk.payment(2)["collection_state"] == "waiting"
    assert "another attempt already has" in desk.findings()[0]


# --- odd shapes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not json",
        b"<html>503</html>",
        b"\xff\xfe\x00",
        b"[]",
        b"null",
        b"123",
        b'{"Body": null}',
        b'{"Body": {"stkCallback": []}}',
        b"[" * 50_000,
        b'{"a":' * 9_000 + b"1" + b"}" * 9_000,
        b'{"Body": {"stkCallback": {"ResultCode": ' + b"9" * 5_000 + b"}}}",
        {"Body": {"stkCallback": {"ResultCode": 0}}},
        paid(receipt=None),
        paid(receipt=""),
        paid(receipt="0000000000"),
        paid(receipt={"a": 1}),
        paid(receipt="'; DROP TABLE payment; --"),
        paid(amount=None),
        paid(amount="ten thousand"),
        paid(amount=10000.005),
        paid(amount=True),
        paid(amount=-10000),
        paid(amount=1e400),
        paid(code=True),
        paid(code=None),
        paid(code=[0]),
        paid(code=""),
        {"Result": result()["Result"]},
    ],
    ids=lambda content: str(content)[:40],
)  # fmt: skip
def test_what_is_not_clearly_a_payment_books_nothing_and_is_kept(desk: Desk, content: Any) -> None:
    token = desk.ask()
    reading = desk.arrives(COLLECTION, token, content)
    assert reading.state == "held"
    assert desk.payment()["status"] == "pending"
    assert desk.arrives(COLLECTION, token, paid()).state == "read"
    assert desk.payment()["status"] == "success"


@pytest.mark.parametrize(("amount", "code"), [(10000, 0), (10000.5 - 0.5, "0"), ("10000", "0"), ("10000.00", "0")])
def test_a_payment_is_read_however_its_numbers_are_written(desk: Desk, amount: Any, code: Any) -> None:
    token = desk.ask()
    desk.arrives(COLLECTION, token, paid(amount=amount, code=code))
    assert desk.payment()["status"] == "success"


@pytest.mark.parametrize("code", [1032, "1032", 1037, 2001, "SFC_IC0003", "E3008", 987654])
def test_a_failed_prompt_fails_the_payment_with_its_code(desk: Desk, code: Any) -> None:
    token = desk.ask()
    desk.arrives(COLLECTION, token, not_paid(code))
    assert (desk.payment()["status"], desk.payment()["failure_code"]) == ("failed", str(code))


def test_still_being_processed_is_no_news(desk: Desk) -> None:
    token = desk.ask()
    assert desk.arrives(COLLECTION, token, not_paid(4999)).state == "read"
    assert desk.payment()["status"] == "pending"


def test_a_result_without_an_amount_completes_the_payout_by_our_own_amount(desk: Desk) -> None:
    token = desk.pay_out()
    minimal = {"ResultParameters": {"ResultParameter": [{"Key": "Currency", "Value": "KES"}]}}
    desk.arrives(PAYOUT, token, result(**minimal))
    row = desk.payment()
    assert (row["disbursement_status"], row["transaction_id"], row["mpesa_charge_cents"]) == (
        "completed",
        "SKB9Z8Y7X6",
        None,
    )


def test_a_conversation_id_is_never_stored_as_the_receipt(desk: Desk) -> None:
    token = desk.pay_out()
    assert desk.payment()["transaction_id"] is None
    assert desk.arrives(PAYOUT, token, result(receipt=None)).state == "held"
    assert desk.arrives(PAYOUT, token, result(receipt="OAK0000000")).state == "held"
    assert desk.payment()["disbursement_status"] == "processing"


def test_a_single_parameter_instead_of_a_list_is_read(desk: Desk) -> None:
    token = desk.pay_out()
    single = {"ResultParameters": {"ResultParameter": {"Key": "BOCompletedTime", "Value": 20261123120000}}}
    desk.arrives(PAYOUT, token, result(code=2001, **single))
    assert (desk.payment()["disbursement_status"], desk.payment()["disbursement_failure_code"]) == ("failed", "2001")


def test_a_result_for_another_conversation_is_held(desk: Desk) -> None:
    token = desk.pay_out()
    assert desk.arrives(PAYOUT, token, result(ConversationID="AG_other")).state == "held"
    assert desk.payment()["disbursement_status"] == "processing"


def test_control_characters_in_mpesas_texts_do_not_reach_the_database(desk: Desk) -> None:
    token = desk.ask()
    content = not_paid(555)
    content["Body"]["stkCallback"]["ResultDesc"] = "\x1b[31mred\x1b[0m 254722000111"
    desk.arrives(COLLECTION, token, content)
    assert desk.payment()["failure_reason"] == "[31mred[0m 254722***111"


def test_the_float_that_a_result_reports_is_kept(desk: Desk) -> None:
    token = desk.pay_out()
    desk.arrives(PAYOUT, token, result())
    assert [(row["account"], row["available_cents"]) for row in reads.balances(desk.rt.reader)] == [
        ("Working Account", 93_700)
    ]


# --- questions -------------------------------------------------------------------------------------------------------


def test_a_balance_is_kept_and_its_question_answered(desk: Desk) -> None:
    number = ask_balance(desk.rt)
    value = "Working Account|KES|467.00|460.00|7.00|0.00&Charges Paid Account|KES|-22.50|-22.50|0.00|0.00"
    content = {
        "Result": {
            "ResultCode": "0",
            "ResultParameters": {"ResultParameter": [{"Key": "AccountBalance", "Value": value}]},
        }
    }
    desk.arrives(PAYOUT, token_of(desk.mpesa.sent[-1][1]), content)
    enquiry = reads.enquiry(desk.rt.reader, number)
    assert enquiry is not None
    assert enquiry["state"] == "answered"
    found = {row["account"]: row["current_cents"] for row in reads.balances(desk.rt.reader)}
    assert found == {"Working Account": 46_700, "Charges Paid Account": -2_250}


@pytest.mark.parametrize("code", [8006, 2001, "21"])
def test_a_balance_that_is_refused_says_so(desk: Desk, code: Any) -> None:
    number = ask_balance(desk.rt)
    desk.arrives(PAYOUT, token_of(desk.mpesa.sent[-1][1]), {"Result": {"ResultCode": code, "ResultDesc": "no"}})
    enquiry = reads.enquiry(desk.rt.reader, number)
    assert enquiry is not None
    assert enquiry["state"] == "failed"


def test_one_callback_that_trips_us_up_does_not_stop_those_behind_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = desk.ask()
    real = inbox.mark
    inbox.append(
        desk.rt.database,
        [
            (COLLECTION, token, None, b'{"Body": {"stkCallback": {"ResultDesc": "trap"}}}'),
            (COLLECTION, token, None, json.dumps(paid()).encode()),
        ],
        desk.rt.now(),
    )

    def trap(session: Any, readings: list[inbox.Reading], at: Any) -> Any:
        if any(each.item_id == 1 and "could not be read" not in each.outcome for each in readings):
            raise ValueError("a mistake of ours")
        return real(session, readings, at)

    monkeypatch.setattr("rentpay_cli.store.inbox.mark", trap)
    states = [reading.state for reading in read_inbox(desk.rt)]
    assert states == ["held", "read"]
    assert desk.payment()["status"] == "success"
