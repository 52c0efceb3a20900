"""What M-Pesa's replies prove: accepted, certainly refused, or nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rentpay_cli.core.codes import Family
from rentpay_cli.core.evidence import Acknowledged, Moved, NotMoved, Refused, Unanswered
from rentpay_cli.daraja.incoming import (
    Organisation,
    PaymentReply,
    QuestionFailed,
    StillPending,
    code_text,
    gateway_error,
    organisation_reply,
    parse,
    payment_reply,
    stk_query_reply,
)
from tests.daraja import shapes

STK, B2B, STATUS = Family.STK, Family.B2B, Family.STATUS
PAYMENTS = [STK, B2B]


def verdict(reply: PaymentReply) -> str:
    return type(reply).__name__


# --- accepted --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("customer_message", [True, False])
@pytest.mark.parametrize("checkout_id", [shapes.CHECKOUT_ID, shapes.OLD_CHECKOUT_ID])
def test_a_push_that_was_accepted_names_its_ids(checkout_id: str, customer_message: bool) -> None:
    reply = payment_reply(200, shapes.stk_ack(checkout_id=checkout_id, customer_message=customer_message), STK)
    assert reply == Acknowledged(checkout_request_id=checkout_id, merchant_request_id=shapes.MERCHANT_ID)


@pytest.mark.parametrize("originator_id", [shapes.ORIGINATOR_ID, shapes.OLD_ORIGINATOR_ID, "f" * 60])
@pytest.mark.parametrize("family", [B2B, STATUS])
def test_a_payout_or_a_question_that_was_accepted_names_its_ids(family: Family, originator_id: str) -> None:
    assert payment_reply(200, shapes.b2b_ack(originator_id), family) == Acknowledged(
        conversation_id=shapes.CONVERSATION_ID, originator_conversation_id=originator_id
    )


def test_a_response_code_may_be_a_number() -> None:
    assert payment_reply(200, b'{"ResponseCode":0,"ConversationID":"AG_1"}', B2B) == Acknowledged("AG_1")


@pytest.mark.parametrize(
    "empty", ["", "   ", None, 5, ["AG_1"], {"id": "AG_1"}, "x" * 121, "a\nb", "a\u0000b", "\ud800"]
)
def test_an_id_that_is_none_is_none_and_never_an_empty_text(empty: object) -> None:
    reply = payment_reply(200, shapes.body({"ResponseCode": "0", "ConversationID": empty}), B2B)
    assert reply == Acknowledged()


# --- certainly refused -----------------------------------------------------------------------------------------------

FIELD_ERRORS = [
    "Bad Request - Invalid Amount",
    "Bad Request - Invalid PhoneNumber",
    "Bad Request - Invalid CallBackURL",
    "Bad Request - Invalid BusinessShortCode",
    "Bad Request - Invalid RecieverIdentifierType",
    "Bad Request - Invalid TransactionID",
    "Bad Request - Invalid Remarks",
]


@pytest.mark.parametrize("message", FIELD_ERRORS)
@pytest.mark.parametrize("family", list(Family))
def test_a_bad_field_is_a_refusal_that_names_the_field(family: Family, message: str) -> None:
    assert payment_reply(400, shapes.error("400.002.02", message), family) == Refused("400.002.02", message)


@pytest.mark.parametrize("family", PAYMENTS)
@pytest.mark.parametrize(
    "code",
    [
        "400.002.02",
        "400.002.05",
        "400.003.01",
        "400.003.02",
        "401.002.01",
        "401.003.01",
        "403.002.1001",
        "404.001.01",
        "404.001.03",
        "404.001.04",
        "404.002.01",
        "404.003.01",
        "405.001",
    ],
)
def test_a_4xx_of_the_gateway_with_a_code_is_a_refusal(family: Family, code: str) -> None:
    reply = payment_reply(int(code[:3]), shapes.error(code, "No."), family)
    assert reply == Refused(code, "No.")


@pytest.mark.parametrize("family", PAYMENTS)
def test_an_error_without_a_request_id_or_with_capitals_is_the_same_error(family: Family) -> None:
    refused = Refused("400.002.02", "Bad Request - Invalid Amount")
    for shape in ({"capitalised": True}, {"request_id": False}):
        assert payment_reply(400, shapes.error("400.002.02", refused.text, **shape), family) == refused


@pytest.mark.parametrize("family", PAYMENTS)
def test_an_error_with_status_200_is_still_an_error(family: Family) -> None:
    reply = payment_reply(200, shapes.error("400.002.02", "Bad Request - Invalid Amount"), family)
    assert reply == Refused("400.002.02", "Bad Request - Invalid Amount")
    assert verdict(payment_reply(200, shapes.error("500.001.1001", "Something"), family)) == "Unanswered"


@pytest.mark.parametrize("family", PAYMENTS)
def test_a_response_code_other_than_0_is_a_refusal(family: Family) -> None:
    for code in ("1", "17", 1, "SFC_IC0003"):
        reply = payment_reply(200, shapes.body({"ResponseCode": code, "ResponseDescription": "Rejected"}), family)
        assert reply == Refused(str(code), "Rejected")


def test_the_token_that_mpesa_echoes_is_not_in_the_refusal() -> None:
    token = "c9SQxWWhmdVRlyh0zh8gZDTkubVF"
    body = shapes.error("401.002.01", f"Error Occurred - Invalid Access Token - {token}")
    reply = payment_reply(401, body, B2B)
    assert isinstance(reply, Refused)
    assert reply.code == "401.002.01"
    assert token not in repr(reply)


# --- the overloaded 500.001.1001 -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "message",
    [
        "Wrong credentials",
        "Merchant does not exist",
        "Unable to lock subscriber, a transaction is already in process for the current subscriber",
        "[MpesaCB - ]WRONG CREDENTIALS",
    ],
)
def test_a_push_that_mpesa_turned_down_with_these_words_is_refused_but_a_payout_stays_unclear(message: str) -> None:
    body = shapes.error("500.001.1001", message)
    assert payment_reply(500, body, STK) == Refused("500.001.1001", message)
    assert verdict(payment_reply(500, body, B2B)) == "Unanswered"


@pytest.mark.parametrize("message", ["The transaction is being processed", "System internal error.", "", "Something"])
@pytest.mark.parametrize("family", PAYMENTS)
def test_the_same_code_with_other_words_leaves_it_unclear(family: Family, message: str) -> None:
    assert verdict(payment_reply(500, shapes.error("500.001.1001", message), family)) == "Unanswered"


# --- nothing is known ------------------------------------------------------------------------------------------------

SILENCE: list[tuple[str, int, bytes]] = [
    ("a duplicate", 500, shapes.error("500.002.1001", "Duplicate OriginatorConversationID.")),
    ("an internal error with the same code", 500, shapes.error("500.002.1001", "System internal error.")),
    ("an internal server error", 500, shapes.error("500.003.1001", "Internal Server Error")),
    ("spike arrest", 500, shapes.error("500.003.02", "System is busy. Please try again in few minutes")),
    ("spike arrest with 429", 429, shapes.error("500.003.02", "Error Occurred: Spike Arrest Violation")),
    ("quota", 500, shapes.error("500.003.03", "Error Occurred: Quota Violation")),
    ("quota with 429", 429, shapes.error("500.003.03", "Error Occurred: Quota Violation")),
    ("a 5xx with a 4xx code", 503, shapes.error("400.002.02", "Bad Request - Invalid Amount")),
    ("an unknown 5xx code", 500, shapes.error("500.999.9999", "New")),
    ("a raw spike arrest fault", 429, shapes.apigee_fault()),
    ("a raw spike arrest fault with 500", 500, shapes.apigee_fault()),
    ("a raw quota fault", 429, shapes.apigee_fault("policies.ratelimit.QuotaViolation", "Rate limit quota violation")),
    (
        "a raw time-out fault",
        504,
        shapes.apigee_fault("messaging.adaptors.http.flow.GatewayTimeout", "Gateway Timeout"),
    ),
    ("a fault without a code", 400, shapes.body({"fault": {"faultstring": "No"}})),
    ("an empty fault", 400, shapes.body({"fault": {}})),
    ("a SOAP fault", 500, shapes.soap_fault()),
    ("a SOAP fault with 200", 200, shapes.soap_fault()),
    ("an empty SOAP envelope", 200, shapes.body({"Envelope": {}})),
    ("HTML with 200", 200, shapes.HTML),
    ("HTML with 503", 503, shapes.HTML),
    ("HTML with 403", 403, shapes.HTML),
    ("an empty body with 200", 200, b""),
    ("an empty body with 400", 400, b""),
    ("an empty body with 500", 500, b""),
    ("blanks", 200, b" \r\n "),
    ("all values empty", 200, shapes.empty_ack()),
    ("an empty object", 200, b"{}"),
    ("an empty object with 400", 400, b"{}"),
    ("an empty error code", 400, shapes.error("", "Something")),
    ("a list", 200, b'[{"ResponseCode":"0"}]'),
    ("a text", 200, b'"0"'),
    ("a number", 200, b"0"),
    ("null", 200, b"null"),
    ("a body cut in the middle", 200, shapes.b2b_ack()[:-9]),
    ("two documents", 200, shapes.b2b_ack() * 2),
    ("an acceptance with 500", 500, shapes.b2b_ack()),
    ("an acceptance with 302", 302, shapes.b2b_ack()),
    ("an acceptance with 404", 404, shapes.b2b_ack()),
    ("a response code that is no code", 200, b'{"ResponseCode":false,"ConversationID":"AG_1"}'),
    ("a response code that is a list", 200, b'{"ResponseCode":["0"],"ConversationID":"AG_1"}'),
    ("a response code of null", 200, b'{"ResponseCode":null,"ConversationID":"AG_1"}'),
    ("a response code of blanks", 200, b'{"ResponseCode":"  ","ConversationID":"AG_1"}'),
    ("no response code", 200, b'{"ConversationID":"AG_1"}'),
    ("invalid UTF-8", 200, b'{"ResponseCode":"0","ConversationID":"\xff\xfe"}'),
    ("deep nesting", 200, b"[" * 100_000),
    ("a huge integer", 200, b'{"ResponseCode":' + b"9" * 10_000 + b"}"),
    ("a huge exponent", 200, b'{"ResponseCode":1e99999999999999999999}'),
]


@pytest.mark.parametrize("family", PAYMENTS)
@pytest.mark.parametrize(("status", "body"), [pytest.param(*rest, id=name) for name, *rest in SILENCE])
def test_what_proves_nothing_leaves_the_payment_unclear(status: int, body: bytes, family: Family) -> None:
    reply = payment_reply(status, body, family)
    assert isinstance(reply, Unanswered)
    assert str(status) in reply.reason


def test_a_token_that_apigee_turned_away_is_a_refusal() -> None:
    body = shapes.apigee_fault("oauth.v2.InvalidAccessToken", "Invalid Access Token")
    assert payment_reply(401, body, B2B) == Refused("oauth.v2.InvalidAccessToken", "Invalid Access Token")


@given(
    st.integers(min_value=100, max_value=599),
    st.sampled_from(["500.001.1001", "500.002.1001", "500.003.1001", "500.003.02", "500.003.03", "503.1", "5"]),
    st.text(max_size=60),
)
def test_no_500_code_ever_refuses_a_payout(status: int, code: str, message: str) -> None:
    assert verdict(payment_reply(status, shapes.error(code, message), B2B)) == "Unanswered"


@given(st.integers(min_value=500, max_value=599), st.binary(max_size=60))
def test_no_5xx_is_an_acceptance_or_refuses_a_payout(status: int, body: bytes) -> None:
    for content in (body, shapes.b2b_ack(), shapes.error("400.002.02", "x"), shapes.apigee_fault("x", "y")):
        assert verdict(payment_reply(status, content, B2B)) == "Unanswered"


def test_outside_text_in_an_error_is_made_safe_to_show() -> None:
    reply = payment_reply(400, shapes.error("400.002.02", "a\x1b[2J\nphone 254712345678 " + "x" * 900), B2B)
    assert isinstance(reply, Refused)
    assert "\x1b" not in reply.text
    assert "\n" not in reply.text
    assert "254712345678" not in reply.text
    assert len(reply.text) <= 300


# --- the STK query ---------------------------------------------------------------------------------------------------


def test_a_query_that_says_paid_has_no_receipt_and_no_amount() -> None:
    assert stk_query_reply(200, shapes.stk_query_answer("0", shapes.PROCESSED)) == Moved(None, None)


@pytest.mark.parametrize("code", ["1032", "1037", "1", "2001", "E3008", "SFC_IC0003", 1032, "1019", "17"])
def test_a_query_that_names_a_failure_says_not_moved(code: object) -> None:
    reply = stk_query_reply(200, shapes.stk_query_answer(code))
    assert isinstance(reply, NotMoved)
    assert reply.code == str(code)
    assert reply.text


@pytest.mark.parametrize("code", ["1032", "E3008"])
def test_a_query_answer_with_these_two_fields_alone_is_enough(code: str) -> None:
    reply = stk_query_reply(200, shapes.body({"ResultCode": code, "ResultDesc": "No."}))
    assert isinstance(reply, NotMoved)


@pytest.mark.parametrize("code", ["4999", 4999])
def test_4999_in_a_query_is_no_news(code: object) -> None:
    text = "The transaction is still under processing"
    assert stk_query_reply(200, shapes.body({"ResultCode": code, "ResultDesc": text})) == StillPending(text)
    assert stk_query_reply(200, shapes.stk_query_answer(code, text)) == StillPending(text)


@pytest.mark.parametrize("status", [500, 200, 404])
def test_being_processed_is_no_news_although_it_comes_as_an_error(status: int) -> None:
    body = shapes.error("500.001.1001", "The transaction is being processed")
    assert stk_query_reply(status, body) == StillPending("The transaction is being processed")


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (400, shapes.error("400.002.02", "Bad Request - Invalid CheckoutRequestID"), "400.002.02"),
        (500, shapes.error("500.001.1001", "Wrong credentials"), "500.001.1001"),
        (500, shapes.error("500.003.02", "System is busy"), "500.003.02"),
        (401, shapes.error("401.002.01", "Invalid Access Token - abc"), "401.002.01"),
        (429, shapes.apigee_fault(), "policies.ratelimit.SpikeArrestViolation"),
        (200, shapes.soap_fault(), ""),
        (200, shapes.HTML, ""),
        (503, shapes.HTML, ""),
        (200, b"", ""),
        (200, b"{}", ""),
        (200, shapes.body({"ResponseCode": "0", "ResultCode": ""}), ""),
        (200, shapes.body({"ResponseCode": "0", "ResultCode": None}), ""),
        (200, shapes.body({"ResponseCode": "0"}), ""),
        (500, shapes.stk_query_answer("0"), ""),
        (502, shapes.stk_query_answer("1032"), ""),
    ],
)
def test_a_question_that_failed_says_nothing_about_the_payment(status: int, body: bytes, code: str) -> None:
    reply = stk_query_reply(status, body)
    assert isinstance(reply, QuestionFailed)
    assert reply.code == code


# --- the small shapes, and anything at all ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        ("0", "0"),
        (" 1032 ", "1032"),
        (2001, "2001"),
        ("SFC_IC0003", "SFC_IC0003"),
        (True, ""),
        (False, ""),
        (None, ""),
        ([0], ""),
        ({}, ""),
        (10**15, ""),
        (-1, "-1"),
    ],
)
def test_a_code_is_compared_as_text_however_it_was_written(value: object, text: str) -> None:
    assert code_text(value) == text


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("0.0", "0"),
        ("17.0", "17"),
        ("17.5", ""),
        ("1e3", "1000"),
        ("1e9999999", ""),
        ("-1e9999999", ""),
        ("1e-9999999", ""),
        ("NaN", ""),
        ("Infinity", ""),
    ],
)
def test_a_code_written_with_a_fraction_is_the_code_or_none(written: str, text: str) -> None:
    document = parse(f'{{"ResultCode":{written}}}'.encode())
    assert document is not None
    assert code_text(document["ResultCode"]) == text


def test_a_body_that_holds_no_error_is_no_error() -> None:
    harmless: tuple[dict[str, Any], ...] = (
        {},
        {"ResponseCode": "0"},
        {"fault": "text"},
        {"Envelope": []},
        {"errorCode": ["x"]},
    )
    for document in harmless:
        assert gateway_error(document) is None


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["0", "1", "", "4999", "500.001.1001", "400.002.02", "1e999999", "Completed"])
)
names = st.sampled_from(
    [
        "ResponseCode",
        "ResponseDescription",
        "ConversationID",
        "OriginatorConversationID",
        "CheckoutRequestID",
        "MerchantRequestID",
        "ResultCode",
        "ResultDesc",
        "errorCode",
        "ErrorCode",
        "errorMessage",
        "fault",
        "faultstring",
        "detail",
        "errorcode",
        "Envelope",
        "Body",
        "Fault",
    ]
)
documents: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names | st.text(), inner, max_size=5),
    max_leaves=12,
)


@given(st.integers(min_value=100, max_value=599), documents, st.sampled_from(Family))
def test_no_json_trips_the_reading_of_a_reply(status: int, document: object, family: Family) -> None:
    body = json.dumps(document).encode()
    reply = payment_reply(status, body, family)
    assert isinstance(reply, Acknowledged | Refused | Unanswered)
    if isinstance(reply, Acknowledged):
        assert 200 <= status < 300
        assert "" not in (reply.conversation_id, reply.originator_conversation_id, reply.checkout_request_id)
    if isinstance(reply, Refused):
        assert reply.code not in ("", "0")
    assert repr(reply).encode()
    assert isinstance(stk_query_reply(status, body), Moved | NotMoved | StillPending | QuestionFailed)


@given(st.integers(min_value=100, max_value=599), st.binary(), st.sampled_from(Family))
def test_no_bytes_trip_the_reading_of_a_reply(status: int, body: bytes, family: Family) -> None:
    assert isinstance(payment_reply(status, body, family), Acknowledged | Refused | Unanswered)
    assert isinstance(stk_query_reply(status, body), Moved | NotMoved | StillPending | QuestionFailed)


@given(st.sampled_from("0123456789.eE-+"), st.text(alphabet="0123456789.eE-+", max_size=30))
def test_no_number_however_written_trips_the_reading_of_a_reply(first: str, rest: str) -> None:
    for name in ("ResponseCode", "ResultCode", "errorCode"):
        body = f'{{"{name}":{first}{rest}}}'.encode()
        assert not isinstance(payment_reply(500, body, B2B), Acknowledged | Refused)
        stk_query_reply(200, body)


# --- an organisation's name ------------------------------------------------------------------------------------------


def organisation(**changes: object) -> bytes:
    content = {"ConversationID": "c", "ResponseCode": "4000", "OrganizationName": "SUNSET HOMES LTD"} | changes
    return json.dumps(content).encode()


@pytest.mark.parametrize("code", ["4000", "0", 4000, 0])
def test_an_organisation_has_a_name_by_either_code_of_success(code: object) -> None:
    assert organisation_reply(200, organisation(ResponseCode=code)) == Organisation("SUNSET HOMES LTD")


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (200, organisation(ResponseCode="1", DetailedMessage="Organization does not exist"), "1"),
        (200, organisation(ResponseCode=None), ""),
        (200, organisation(OrganizationName=""), "4000"),
        (200, organisation(OrganizationName=None), "4000"),
        (200, organisation(OrganizationName={"name": "X"}), "4000"),
        (200, organisation(OrganizationName=" \x1b\x07 "), "4000"),
        (500, organisation(), "4000"),
        (200, b"<html>", ""),
        (200, b"[]", ""),
        (404, json.dumps({"errorCode": "404.001.01", "errorMessage": "Resource not found"}).encode(), "404.001.01"),
    ],
)
def test_what_names_no_organisation_is_a_question_that_failed(status: int, body: bytes, code: str) -> None:
    answer = organisation_reply(status, body)
    assert isinstance(answer, QuestionFailed)
    assert answer.code == code
    assert answer.text


def test_an_organisation_s_name_cannot_speak_to_the_terminal() -> None:
    assert organisation_reply(200, organisation(OrganizationName="SUN\x1b[31mSET\nHOMES")) == Organisation(
        "SUN[31mSET HOMES"
    )
