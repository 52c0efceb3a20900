"""What the gateway checks before M-Pesa sees a request: keys, tokens, paths, fields."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.simulator.conftest import Client

OAUTH = "/oauth/v1/generate?grant_type=client_credentials"
STK = "/mpesa/stkpush/v1/processrequest"
B2B = "/mpesa/b2b/v1/paymentrequest"
STATUS = "/mpesa/transactionstatus/v1/query"
BALANCE = "/mpesa/accountbalance/v1/query"
NAME = "/sfcverify/v1/query/info"


def test_any_key_and_secret_get_a_token_whose_lifetime_is_text(refusing: Client) -> None:
    answer = refusing.http.get(OAUTH, auth=("anything", "at all"))
    assert answer.status_code == 200
    assert answer.json()["expires_in"] == "3599"
    assert len(answer.json()["access_token"]) > 20


@pytest.mark.parametrize("authorization", [None, "Bearer abc", "Basic ???", "Basic " + base64.b64encode(b":").decode()])
def test_without_a_key_and_a_secret_there_is_no_token(refusing: Client, authorization: str | None) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    answer = httpx.get(refusing.started.base_url + OAUTH, headers=headers)
    assert (answer.status_code, answer.json()["errorCode"]) == (400, "400.008.01")


def test_a_wrong_grant_type_is_refused(refusing: Client) -> None:
    answer = refusing.http.get("/oauth/v1/generate?grant_type=password", auth=("a", "b"))
    assert (answer.status_code, answer.json()["errorCode"]) == (400, "400.008.02")


def test_a_simulator_with_keys_of_its_own_takes_no_others(simulate: Callable[..., Client]) -> None:
    client = simulate(consumer_key="key", consumer_secret="secret")
    assert client.http.get(OAUTH, auth=("key", "secret")).status_code == 200
    assert client.http.get(OAUTH, auth=("key", "other")).json()["errorCode"] == "400.008.01"
    assert client.http.get(OAUTH, auth=("other", "secret")).json()["errorCode"] == "400.008.01"
    assert client.started.environment["MPESA_CONSUMER_SECRET"] == "secret"


def test_a_bad_token_is_told_in_the_way_of_each_family(client: Client) -> None:
    bad = {"Authorization": "Bearer not-a-token"}
    stk = client.http.post(STK, json=client.push_fields(), headers=bad)
    assert (stk.status_code, stk.json()["errorCode"]) == (404, "404.001.03")
    b2b = client.http.post(B2B, json=client.pay_fields(), headers=bad)
    assert (b2b.status_code, b2b.json()["errorCode"]) == (401, "401.002.01")
    assert b2b.json()["errorMessage"] == "Error Occurred - Invalid Access Token - not-a-token"
    assert client.ledger()["transfers"] == []


def test_a_token_expires(simulate: Callable[..., Client]) -> None:
    client = simulate(token_lifetime_seconds=0)
    assert client.push().json()["errorCode"] == "404.001.03"


def test_tokens_can_be_made_to_expire_at_once(client: Client) -> None:
    assert client.push().status_code == 200
    client.http.post("/simulator/expire-tokens")
    assert client.pay().json()["errorCode"] == "401.002.01"
    client.http.headers["Authorization"] = f"Bearer {client.token()}"
    assert client.pay().status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("POST", "/mpesa/nowhere", 404, "404.001.01"),
        ("POST", STK + "/", 404, "404.001.01"),
        ("GET", STK, 404, "404.001.04"),
        ("PUT", B2B, 405, "405.001"),
        ("POST", OAUTH, 405, "405.001"),
    ],
)
def test_wrong_paths_and_methods(refusing: Client, method: str, path: str, status: int, code: str) -> None:
    answer = refusing.http.request(method, path)
    assert (answer.status_code, answer.json()["errorCode"]) == (status, code)


def test_a_missing_content_type_gets_the_misleading_answer(refusing: Client) -> None:
    answer = refusing.http.post(STK, content=json.dumps(refusing.push_fields()))
    assert answer.json()["errorMessage"] == "Bad Request - Invalid BusinessShortCode"


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"[" * 20_000, b'{"Amount": NaN}', b'{"Amount": ' + b"9" * 6000 + b"}"]
)
def test_what_is_no_json_object_is_refused(refusing: Client, body: bytes) -> None:
    answer = refusing.http.post(STK, content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["errorCode"]) == (400, "400.002.05")


def test_an_error_body_has_the_three_keys(refusing: Client) -> None:
    body = refusing.push(Amount=0).json()
    assert set(body) == {"requestId", "errorCode", "errorMessage"}
    assert re.fullmatch(r"[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{17}", body["requestId"])


BAD_PUSHES: list[tuple[str, Any]] = [
    ("BusinessShortCode", "17437"[:4]),
    ("BusinessShortCode", None),
    ("Password", ""),
    ("Timestamp", "20261323101500"),
    ("Timestamp", "2026-11-23"),
    ("TransactionType", "PayBill"),
    ("Amount", 10.5),
    ("Amount", "10.5"),
    ("Amount", 0),
    ("Amount", -10),
    ("Amount", "ten"),
    ("Amount", True),
    ("Amount", None),
    ("PartyA", "0712345678"),
    ("PartyB", "abc"),
    ("PhoneNumber", "+254712345678"),
    ("PhoneNumber", "254812345678"),
    ("PhoneNumber", "25471234567"),
    ("CallBackURL", "localhost:8000/x"),
    ("CallBackURL", "ftp://example.com/x"),
    ("CallBackURL", "http://exa mple.com/x"),
    ("CallBackURL", None),
    ("AccountReference", ""),
]


@pytest.mark.parametrize(("field", "value"), BAD_PUSHES)
def test_a_bad_field_of_a_push_is_named(refusing: Client, field: str, value: object) -> None:
    answer = refusing.push(**{field: value})
    assert answer.status_code == 400
    assert answer.json()["errorCode"] == "400.002.02"
    assert answer.json()["errorMessage"] == f"Bad Request - Invalid {field}"


def test_a_missing_description_is_called_remarks(refusing: Client) -> None:
    assert refusing.push(TransactionDesc=None).json()["errorMessage"] == "Bad Request - Invalid Remarks"


@pytest.mark.parametrize("amount", [10, "10", 10.0, "10.0", "10.00"])
def test_ten_shillings_may_be_written_in_many_ways(simulate: Callable[..., Client], amount: object) -> None:
    client = simulate()
    client.push(Amount=amount, CallBackURL=client.arrivals.base_url + "/ten")
    metadata = client.arrivals.one("/ten")["Body"]["stkCallback"]["CallbackMetadata"]["Item"]
    assert metadata[0] == {"Name": "Amount", "Value": 10}


def test_numbers_do_as_well_as_text(client: Client) -> None:
    numbers = {"BusinessShortCode": 174379, "PartyA": 254112345678, "PartyB": 174379, "PhoneNumber": 254112345678}
    assert client.push(**numbers, Timestamp=20150101000000).status_code == 200
    assert client.pay(PartyA=174379, PartyB=600123, SenderIdentifierType=4, RecieverIdentifierType=4).status_code == 200


BAD_PAYMENTS: list[tuple[str, Any]] = [
    ("Initiator", ""),
    ("SecurityCredential", ""),
    ("SecurityCredential", "not base64!"),
    ("CommandID", "SalaryPayment"),
    ("SenderIdentifierType", "1"),
    ("RecieverIdentifierType", None),
    ("RecieverIdentifierType", "9"),
    ("Amount", 0),
    ("Amount", "9500.50"),
    ("PartyA", "1743"),
    ("PartyB", "12345678"),
    ("AccountReference", None),
    ("AccountReference", "A" * 33),
    ("Requester", "0712"),
    ("Remarks", " "),
    ("QueueTimeOutURL", None),
    ("ResultURL", "/result"),
]


@pytest.mark.parametrize(("field", "value"), BAD_PAYMENTS)
def test_a_bad_field_of_a_payout_is_named_and_nothing_moves(refusing: Client, field: str, value: object) -> None:
    answer = refusing.pay(**{field: value})
    assert answer.status_code == 400
    assert answer.json()["errorMessage"] == f"Bad Request - Invalid {field}"
    assert refusing.ledger()["transfers"] == []


def test_a_blank_after_the_transaction_type_does_no_harm(client: Client) -> None:
    assert client.push(TransactionType="CustomerPayBillOnline ").status_code == 200


@pytest.mark.parametrize("path", [STK, B2B, STATUS, BALANCE, NAME])
@pytest.mark.parametrize("strange", [None, [], {}, True, "\ud800", "\x00", 1e300, -1, 10**40, "9" * 5000, "x" * 5000])
def test_nothing_strange_breaks_it(refusing: Client, path: str, strange: object) -> None:
    usual = refusing.push_fields() | refusing.pay_fields() | {"IdentifierType": "4", "Identifier": "600000"}
    usual |= {"CheckoutRequestID": "x", "TransactionID": "x", "Occasion": "x", "Requester": "254712345678"}
    for field in usual:
        body = json.dumps(usual | {field: strange})
        answer = refusing.http.post(path, content=body, headers={"Content-Type": "application/json"})
        assert "ResponseCode" in answer.json() or "errorCode" in answer.json(), (field, answer.text)


def test_the_correct_spelling_of_receiver_is_refused(refusing: Client) -> None:
    answer = refusing.pay(RecieverIdentifierType=None, ReceiverIdentifierType="4")
    assert answer.json()["errorMessage"] == "Bad Request - Invalid RecieverIdentifierType"


def test_hundreds_of_requests_a_second(simulate: Callable[..., Client]) -> None:
    client = simulate(working=1_000_000)
    began = time.monotonic()
    for _ in range(100):
        assert client.pay(Amount=10).status_code == 200
    assert time.monotonic() - began < 1.0
    client.arrivals.wait("/result", 100)
    assert client.ledger()["accounts"]["600123"]["utility"] == 1000


def test_the_name_of_an_organisation_can_be_looked_up(simulate: Callable[..., Client]) -> None:
    client = simulate(names={"600123": "Sunset Homes"}, unknown_paybills=frozenset(["888888"]))

    def look_up(short_code: object) -> dict[str, Any]:
        asked = {"IdentifierType": "4", "Identifier": short_code}
        body: dict[str, Any] = client.http.post("/sfcverify/v1/query/info", json=asked).json()
        return body

    assert look_up("600123")["OrganizationName"] == "Sunset Homes"
    assert look_up("600123")["ResponseCode"] == "4000"
    assert look_up(600124)["OrganizationName"] == "Organisation 600124"
    assert "OrganizationName" not in look_up("888888")
    assert "OrganizationName" not in look_up("999999")
