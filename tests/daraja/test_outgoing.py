"""The request bodies, every field and spelling of them."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rentpay_cli.daraja import outgoing
from rentpay_cli.daraja.outgoing import Paybill

PAYBILL = Paybill("600000", "a-made-up-passkey", "rentapi", "a-made-up-credential")
NEARLY_MIDNIGHT_UTC = datetime(2026, 12, 31, 23, 30, 5, tzinfo=UTC)
RESULTS = "https://rent.example.co.ke/api/payments/b2b-callback/00ff"
TIMEOUTS = RESULTS + "/timeout"


def test_the_addresses_are_those_of_daraja() -> None:
    assert outgoing.STK_PUSH == "/mpesa/stkpush/v1/processrequest"
    assert outgoing.STK_QUERY == "/mpesa/stkpushquery/v1/query"
    assert outgoing.B2B == "/mpesa/b2b/v1/paymentrequest"
    assert outgoing.TRANSACTION_STATUS == "/mpesa/transactionstatus/v1/query"
    assert outgoing.ACCOUNT_BALANCE == "/mpesa/accountbalance/v1/query"


def test_a_push_has_exactly_these_fields() -> None:
    password = base64.b64encode(b"600000a-made-up-passkey20270101023005").decode()
    assert outgoing.stk_push(
        PAYBILL,
        phone="254700000000",
        amount_cents=1_000_000,
        reference="UNIT4",
        description="Rent",
        callback_url="https://rent.example.co.ke/api/payments/callback/00ff",
        now=NEARLY_MIDNIGHT_UTC,
    ) == {
        "BusinessShortCode": "600000",
        "Password": password,
        "Timestamp": "20270101023005",
        "TransactionType": "CustomerPayBillOnline",
        "Amount": 10000,
        "PartyA": "254700000000",
        "PartyB": "600000",
        "PhoneNumber": "254700000000",
        "CallBackURL": "https://rent.example.co.ke/api/payments/callback/00ff",
        "AccountReference": "UNIT4",
        "TransactionDesc": "Rent",
    }


def test_a_push_query_has_exactly_these_fields() -> None:
    assert outgoing.stk_query(PAYBILL, "ws_CO_1", NEARLY_MIDNIGHT_UTC) == {
        "BusinessShortCode": "600000",
        "Password": base64.b64encode(b"600000a-made-up-passkey20270101023005").decode(),
        "Timestamp": "20270101023005",
        "CheckoutRequestID": "ws_CO_1",
    }


def test_a_payout_has_exactly_these_fields_with_mpesas_own_spelling() -> None:
    assert outgoing.b2b_payment(
        PAYBILL,
        to_paybill="600001",
        account_number="PROP001",
        amount_cents=950_000,
        remarks="rent 7",
        result_url=RESULTS,
        timeout_url=TIMEOUTS,
    ) == {
        "Initiator": "rentapi",
        "SecurityCredential": "a-made-up-credential",
        "CommandID": "BusinessPayBill",
        "SenderIdentifierType": "4",
        "RecieverIdentifierType": "4",
        "Amount": 9500,
        "PartyA": "600000",
        "PartyB": "600001",
        "AccountReference": "PROP001",
        "Remarks": "rent 7",
        "QueueTimeOutURL": TIMEOUTS,
        "ResultURL": RESULTS,
    }


def test_a_long_account_number_is_sent_whole() -> None:
    account = "00123456789012345678901234567890"
    request = outgoing.b2b_payment(
        PAYBILL,
        to_paybill="600001",
        account_number=account,
        amount_cents=100,
        remarks="rent",
        result_url=RESULTS,
        timeout_url=TIMEOUTS,
    )
    assert request["AccountReference"] == account


def status(**key: str) -> dict[str, object]:
    return outgoing.transaction_status(PAYBILL, remarks="po 17", result_url=RESULTS, timeout_url=TIMEOUTS, **key)


def test_a_status_query_by_conversation_id_has_exactly_these_fields() -> None:
    assert status(originator_conversation_id="4c2e-1") == {
        "Initiator": "rentapi",
        "SecurityCredential": "a-made-up-credential",
        "CommandID": "TransactionStatusQuery",
        "OriginalConversationID": "4c2e-1",
        "PartyA": "600000",
        "IdentifierType": "4",
        "ResultURL": RESULTS,
        "QueueTimeOutURL": TIMEOUTS,
        "Remarks": "po 17",
        "Occasion": "po 17",
    }


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ({"originator_conversation_id": "4c2e-1"}, "OriginalConversationID"),
        ({"transaction_id": "SKN4TEST7Q"}, "TransactionID"),
        ({"originator_conversation_id": "4c2e-1", "transaction_id": "SKN4TEST7Q"}, "OriginalConversationID"),
        ({"originator_conversation_id": "", "transaction_id": "SKN4TEST7Q"}, "TransactionID"),
        ({"originator_conversation_id": "4c2e-1", "transaction_id": ""}, "OriginalConversationID"),
    ],
)
def test_a_status_query_carries_one_key_and_no_empty_one(key: dict[str, str], name: str) -> None:
    request = status(**key)
    keys = {"OriginalConversationID", "OriginatorConversationID", "TransactionID", "ConversationID"} & request.keys()
    assert keys == {name}
    assert "" not in request.values()


def test_a_balance_query_has_exactly_these_fields() -> None:
    assert outgoing.account_balance(PAYBILL, remarks="float", result_url=RESULTS, timeout_url=TIMEOUTS) == {
        "Initiator": "rentapi",
        "SecurityCredential": "a-made-up-credential",
        "CommandID": "AccountBalance",
        "PartyA": "600000",
        "IdentifierType": "4",
        "Remarks": "float",
        "QueueTimeOutURL": TIMEOUTS,
        "ResultURL": RESULTS,
    }


@given(st.datetimes(timezones=st.just(UTC), min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1)))  # noqa: DTZ001
def test_the_password_is_made_with_the_time_stamp_that_is_sent_in_east_african_time(now: datetime) -> None:
    request = outgoing.stk_query(PAYBILL, "ws_CO_1", now)
    assert request["Timestamp"] == (now + timedelta(hours=3)).strftime("%Y%m%d%H%M%S")
    assert base64.b64decode(request["Password"]).decode() == f"600000a-made-up-passkey{request['Timestamp']}"


def test_the_servers_own_zone_does_not_reach_the_time_stamp() -> None:
    for hours in (-11, -5, 0, 3, 14):
        there = NEARLY_MIDNIGHT_UTC.astimezone(timezone(timedelta(hours=hours)))
        assert outgoing.stk_query(PAYBILL, "ws_CO_1", there)["Timestamp"] == "20270101023005"


@pytest.mark.parametrize("amount_cents", [0, 1, 99, 101, 150, 999_999, -100])
def test_what_is_not_whole_shillings_is_never_put_into_a_request(amount_cents: int) -> None:
    with pytest.raises(ValueError, match="whole shillings"):
        outgoing.whole_shillings(amount_cents)
    with pytest.raises(ValueError, match="whole shillings"):
        outgoing.b2b_payment(
            PAYBILL,
            to_paybill="600001",
            account_number="A",
            amount_cents=amount_cents,
            remarks="rent",
            result_url=RESULTS,
            timeout_url=TIMEOUTS,
        )
    with pytest.raises(ValueError, match="whole shillings"):
        outgoing.stk_push(
            PAYBILL,
            phone="254700000000",
            amount_cents=amount_cents,
            reference="A",
            description="Rent",
            callback_url=RESULTS,
            now=NEARLY_MIDNIGHT_UTC,
        )


def test_an_organisation_is_asked_for_by_its_paybill() -> None:
    assert outgoing.organisation("600001") == {"IdentifierType": "4", "Identifier": "600001"}


def test_one_shilling_is_the_least_that_can_be_sent() -> None:
    assert outgoing.whole_shillings(100) == 1
    assert type(outgoing.whole_shillings(100)) is int


def test_the_paybills_secrets_do_not_show() -> None:
    assert repr(PAYBILL) == str(PAYBILL) == "Paybill(600000)"
    assert "made-up" not in f"{PAYBILL} {PAYBILL!r} {[PAYBILL]}"
