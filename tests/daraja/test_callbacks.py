"""What M-Pesa's callbacks say: every shape that was recorded, and every trap in them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rentpay_cli.core.evidence import Moved, NotMoved, Overdue
from rentpay_cli.daraja.incoming import (
    Doubt,
    NoRecord,
    QuestionFailed,
    Result,
    StillPending,
    balance_result,
    original_ids,
    payout_result,
    status_result,
    stk_callback,
)
from tests.daraja import shapes
from tests.daraja.shapes import RECEIPT, b2b_parameters, b2b_references, keyed, status_parameters, stk_items

PAID_AT = datetime(2026, 11, 23, 7, 15, 45, tzinfo=UTC)
SETTLED_AT = datetime(2026, 11, 23, 7, 16, 22, tzinfo=UTC)

# --- STK callbacks ---------------------------------------------------------------------------------------------------


def test_a_paid_push_names_its_receipt_amount_time_and_ids() -> None:
    assert stk_callback(shapes.stk_paid()) == Result(
        Moved(RECEIPT, 1_000_000, moved_at=PAID_AT),
        checkout_request_id=shapes.CHECKOUT_ID,
        merchant_request_id=shapes.MERCHANT_ID,
    )


@pytest.mark.parametrize("amount", ["1", "1.0", "1.00", '"1"', '"1.00"'])
def test_an_amount_of_one_shilling_is_one_shilling_however_it_is_written(amount: str) -> None:
    news = stk_callback(shapes.stk_paid_verbatim(amount)).news
    assert isinstance(news, Moved)
    assert news.amount_cents == 100


def test_a_balance_without_a_value_or_without_an_item_changes_nothing() -> None:
    assert stk_callback(shapes.stk_paid(stk_items(balance=False))) == stk_callback(shapes.stk_paid())


def test_the_order_of_the_items_does_not_matter() -> None:
    assert stk_callback(shapes.stk_paid(stk_items()[::-1])) == stk_callback(shapes.stk_paid())


@pytest.mark.parametrize("phone", ["254700000000", "2547****0000", "<redacted>", None, ...])
def test_the_phone_number_is_not_needed(phone: object) -> None:
    items = [item for item in stk_items() if item["Name"] != "PhoneNumber"]
    items += [] if phone is ... else [{"Name": "PhoneNumber", "Value": phone}]
    assert stk_callback(shapes.stk_paid(items)) == stk_callback(shapes.stk_paid())


def test_an_old_checkout_id_is_kept_as_it_is() -> None:
    result = stk_callback(shapes.stk_paid(checkout_id=shapes.OLD_CHECKOUT_ID))
    assert result.checkout_request_id == shapes.OLD_CHECKOUT_ID


@pytest.mark.parametrize("date", [None, "", "yesterday", 0, 20261399999999])
def test_a_payment_without_a_readable_time_is_still_a_payment(date: object) -> None:
    items = [item if item["Name"] != "TransactionDate" else item | {"Value": date} for item in stk_items()]
    assert stk_callback(shapes.stk_paid(items)).news == Moved(RECEIPT, 1_000_000)


@pytest.mark.parametrize(
    ("code", "desc"),
    [
        (1, "The balance is insufficient for the transaction."),
        (1019, "Transaction has expired"),
        (1032, "Request cancelled by user"),
        (1032, "[STK_CB - ]Request cancelled by user"),
        (1036, "[STK_CB - ]SMSC ACK timeout."),
        (1037, "No response from user."),
        (1037, "DS timeout user cannot be reached"),
        (2001, "[MpesaCB - ]The initiator information is invalid."),
        ("1032", "Request cancelled by user"),
        ("SFC_IC0003", "The operator does not exist."),
        ("E3008", "Error, the user has a bad debt contract."),
        (1025, "An error occurred while sending a push request"),
        (9999, "An error occurred while sending a push request"),
    ],
)
def test_a_push_that_failed_moved_nothing_whatever_its_words(code: object, desc: str) -> None:
    result = stk_callback(shapes.stk_callback(code, desc))
    assert isinstance(result.news, NotMoved)
    assert result.news.code == str(code)
    assert result.checkout_request_id == shapes.CHECKOUT_ID
    reworded = stk_callback(shapes.stk_callback(code, "anything else")).news
    assert reworded == result.news


def test_a_success_code_as_text_is_a_success() -> None:
    assert stk_callback(shapes.stk_paid(code="0")).news == Moved(RECEIPT, 1_000_000, moved_at=PAID_AT)


@pytest.mark.parametrize("code", [4999, "4999"])
def test_4999_is_no_failure_even_in_a_callback(code: object) -> None:
    assert isinstance(stk_callback(shapes.stk_callback(code, "still under processing")).news, StillPending)


def test_metadata_on_a_failure_makes_it_no_payment() -> None:
    failed = shapes.stk_callback(1032, "Request cancelled by user", CallbackMetadata={"Item": stk_items()})
    assert isinstance(stk_callback(failed).news, NotMoved)


def test_the_word_success_in_a_failure_makes_it_no_payment() -> None:
    assert isinstance(stk_callback(shapes.stk_callback(1032, shapes.PROCESSED)).news, NotMoved)


@pytest.mark.parametrize(
    "receipt",
    [
        None,
        "",
        "   ",
        0,
        1234567890,
        "<redacted>",
        "SKN 4TEST",
        "0000000000000000",
        "OAK0000000",
        "SKNÉ12345",
        [RECEIPT],
    ],
)
def test_a_payment_without_a_receipt_that_mpesa_could_have_given_is_a_doubt(receipt: object) -> None:
    assert isinstance(stk_callback(shapes.stk_paid(stk_items(receipt=receipt))).news, Doubt)


@pytest.mark.parametrize("amount", [None, "", "ten", True, "KES 5", [5], {"Value": 5}, 0.001, "1e999999", "NaN"])
def test_a_payment_without_a_readable_amount_is_a_doubt(amount: object) -> None:
    assert isinstance(stk_callback(shapes.stk_paid(stk_items(amount))).news, Doubt)


@pytest.mark.parametrize(
    "amount", ["1e9999999", "1e99999999999999999999999", "9" * 4000, "9" * 10_000, "NaN", "-Infinity"]
)
def test_a_number_beyond_reason_is_a_doubt_and_no_exception(amount: str) -> None:
    assert isinstance(stk_callback(shapes.stk_paid_verbatim(amount)).news, Doubt)


@pytest.mark.parametrize("name", ["Amount", "MpesaReceiptNumber"])
def test_a_payment_that_says_two_things_about_itself_is_a_doubt(name: str) -> None:
    other = {"Amount": 9_999, "MpesaReceiptNumber": "SKN5OTHER1"}[name]
    for items in ([*stk_items(), {"Name": name, "Value": other}], [{"Name": name, "Value": other}, *stk_items()]):
        assert isinstance(stk_callback(shapes.stk_paid(items)).news, Doubt)


def test_an_item_that_repeats_itself_is_no_doubt() -> None:
    assert stk_callback(shapes.stk_paid(stk_items() * 2)) == stk_callback(shapes.stk_paid())


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"CallbackMetadata": None},
        {"CallbackMetadata": []},
        {"CallbackMetadata": {}},
        {"CallbackMetadata": {"Item": None}},
        {"CallbackMetadata": {"Item": []}},
        {"CallbackMetadata": {"Item": "Amount"}},
        {"CallbackMetadata": {"Item": {"Name": "Amount", "Value": 5}}},
        {"CallbackMetadata": {"Item": [None, 5, "x", {}, {"Name": 5}, {"Value": 5}]}},
    ],
)
def test_a_success_without_its_metadata_is_a_doubt(metadata: dict[str, Any]) -> None:
    assert isinstance(stk_callback(shapes.stk_callback(**metadata)).news, Doubt)


@pytest.mark.parametrize("code", [None, "", " ", True, False, [], [0], {}, 0.5, 10**16])
def test_a_callback_without_a_result_code_is_a_doubt(code: object) -> None:
    assert isinstance(stk_callback(shapes.stk_paid(code=code)).news, Doubt)


NOT_OURS: list[tuple[str, bytes]] = [
    ("nothing", b""),
    ("blanks", b"  "),
    ("no JSON", b"ResultCode=0"),
    ("HTML", shapes.HTML),
    ("a list", b"[]"),
    ("a text", b'"Body"'),
    ("null", b"null"),
    ("an empty object", b"{}"),
    ("invalid UTF-8", b'{"Body":{"stkCallback":{"ResultCode":0,"ResultDesc":"\xff"}}}'),
    ("cut in the middle", shapes.stk_paid()[:-4]),
    ("deep lists", b"[" * 200_000),
    ("deep objects", b'{"Body":' * 200_000),
    ("a deep value", b'{"Body":{"stkCallback":' + b"[" * 100_000 + b"]" * 100_000 + b"}}"),
    ("a huge integer", b'{"Body":{"stkCallback":{"ResultCode":' + b"1" * 5_000 + b"}}}"),
    ("a body of a list", b'{"Body":[{"stkCallback":{"ResultCode":0}}]}'),
    ("a result of a list", b'{"Result":[{"ResultCode":0}]}'),
    ("a result of a text", b'{"Result":"0"}'),
    ("a result of null", b'{"Result":null}'),
    ("an unrelated object", b'{"TransID":"SKN4TEST7Q","TransAmount":"100.00","MSISDN":"254700000000"}'),
]


@pytest.mark.parametrize("body", [pytest.param(body, id=name) for name, body in NOT_OURS])
def test_a_body_that_is_no_callback_is_a_doubt(body: bytes) -> None:
    assert isinstance(stk_callback(body).news, Doubt)
    assert isinstance(payout_result(body).news, Doubt)
    assert isinstance(status_result(body), Doubt)
    assert isinstance(balance_result(body), Doubt)
    assert original_ids(body) == (None, None)


def test_a_payouts_result_is_no_push_and_a_push_no_payout() -> None:
    assert isinstance(stk_callback(shapes.result()).news, Doubt)
    assert isinstance(payout_result(shapes.stk_paid()).news, Doubt)


# --- B2B results -----------------------------------------------------------------------------------------------------


def test_a_payouts_result_with_every_parameter() -> None:
    told = shapes.result(parameters=b2b_parameters(), references=b2b_references())
    assert payout_result(told) == Result(
        Moved(RECEIPT, 950_000, moved_at=SETTLED_AT, receiver_name="600001 - SUNSET OWNER"),
        conversation_id=shapes.CONVERSATION_ID,
        originator_conversation_id=shapes.ORIGINATOR_ID,
        float_accounts=(("Working Account", 45_384_550, 45_384_550),),
    )


def test_a_payouts_result_with_a_charge_and_another_order_inside_the_balances() -> None:
    parameters = b2b_parameters(10, "Business Pay Bill Charge|KES|67.00", basic_first=True)
    result = payout_result(shapes.result(parameters=parameters, references=keyed(("Occasion", ...))))
    assert isinstance(result.news, Moved)
    assert (result.news.amount_cents, result.news.charge_cents) == (1_000, 6_700)
    assert result.float_accounts == (("Working Account", 45_384_550, 45_384_550),)


def test_the_order_of_the_parameters_does_not_matter() -> None:
    usual = payout_result(shapes.result(parameters=b2b_parameters()))
    assert payout_result(shapes.result(parameters=b2b_parameters()[::-1])) == usual


def test_a_payouts_result_with_everything_as_text_and_a_reserved_balance() -> None:
    parameters = keyed(
        ("DebitAccountBalance", shapes.java_map(618_683)),
        ("Amount", "190.00"),
        ("DebitPartyAffectedAccountBalance", "Working Account|KES|346568.83|6186.83|340382.00|0.00"),
        ("TransCompletedTime", "20261123101622"),
        ("DebitPartyCharges", ""),
        ("ReceiverPartyPublicName", "600001\N{EN DASH} Owner"),
        ("Currency", "KES"),
    )
    told = shapes.result("0", parameters=parameters, ResultType="0", references=b2b_references("019008")[:2])
    result = payout_result(told)
    assert result.news == Moved(
        RECEIPT, 19_000, moved_at=SETTLED_AT, charge_cents=None, receiver_name="600001\N{EN DASH} Owner"
    )
    assert result.float_accounts == (("Working Account", 34_656_883, 618_683),)


@pytest.mark.parametrize("basic_first", [True, False])
@pytest.mark.parametrize("key", ["DebitAccountCurrentBalance", "DebitAccountBalance"])
def test_a_production_result_without_amount_receiver_charge_or_time_is_a_success(key: str, basic_first: bool) -> None:
    parameters = keyed(
        ("Currency", "KES"),
        (key, shapes.java_map(93_700, basic_first=basic_first)),
        ("InitiatorAccountCurrentBalance", shapes.java_map(93_700)),
    )
    result = payout_result(shapes.result(parameters=parameters))
    assert result.news == Moved(RECEIPT, None)
    assert result.float_accounts == (("Working Account", 93_700, 93_700),)


def test_a_success_without_any_parameters_is_a_success() -> None:
    assert payout_result(shapes.result()).news == Moved(RECEIPT, None)
    assert payout_result(shapes.result(parameters=[])).news == Moved(RECEIPT, None)


def test_a_single_parameter_may_come_as_one_object_instead_of_a_list() -> None:
    told = shapes.result(parameters={"Key": "Amount", "Value": 9500}, references={"Key": "QueueTimeoutURL"})
    assert payout_result(told).news == Moved(RECEIPT, 950_000)
    told = shapes.result(2001, parameters={"Key": "BOCompletedTime", "Value": 20261123101622})
    assert isinstance(payout_result(told).news, NotMoved)


@pytest.mark.parametrize(
    ("code", "desc", "transaction_id"),
    [
        (1, "The balance is insufficient for the transaction.", "SKN4TEST7Q"),
        (17, "System internal error.", "0000000000000000"),
        (17, "System internal error.", "SKN4TEST7Q"),
        (2001, "The initiator information is invalid.", "OAK0000000"),
        (8006, "The security credential is locked.", "XXXXXXXXXX"),
        (21, "The initiator is not allowed to initiate this request.", "SKN0000000"),
        ("SFC_IC0003", "Receiver party is invalid.", None),
        ("TP40153", "No permission.", ""),
        ("1", "The balance is insufficient for the transaction.", "SKN4TEST7Q"),
        (7777, "Something new.", "SKN4TEST7Q"),
    ],
)
def test_a_payout_that_failed_moved_nothing_and_has_no_receipt(code: object, desc: str, transaction_id: object) -> None:
    for references in (None, b2b_references(353353), b2b_references("PRN1X"), {"Key": "QueueTimeoutURL"}):
        result = payout_result(shapes.result(code, desc, transaction_id=transaction_id, references=references))
        assert isinstance(result.news, NotMoved)
        assert result.news.code == str(code)
        assert result.conversation_id == shapes.CONVERSATION_ID
        assert result.originator_conversation_id == shapes.ORIGINATOR_ID
        assert RECEIPT not in repr(result)


def test_a_failure_that_carries_parameters_is_a_failure() -> None:
    parameters = keyed(
        ("ActionType", "B2B"), ("ErrorMsg", "API Password is locked. "), ("BOCompletedTime", 20261123101622)
    )
    news = payout_result(shapes.result(8006, parameters=parameters)).news
    assert isinstance(news, NotMoved)
    assert isinstance(payout_result(shapes.result(8006, parameters=b2b_parameters())).news, NotMoved)


@pytest.mark.parametrize("code", [15, "15", 100000000, 100000001, "100000005", 100000011])
def test_a_result_whose_code_leaves_the_money_in_doubt_is_not_a_failure(code: object) -> None:
    assert isinstance(payout_result(shapes.result(code, "Duplicate Detected")).news, Overdue)


@pytest.mark.parametrize(
    "transaction_id",
    [None, "", "0000000000000000", "OAK0000000", "SG20000000", "SKN4", "SKN 4TEST7Q", 5, ["SKN4TEST7Q"]],
)
def test_a_success_with_a_generic_receipt_or_none_is_a_doubt(transaction_id: object) -> None:
    told = shapes.result(transaction_id=transaction_id, parameters=b2b_parameters())
    assert isinstance(payout_result(told).news, Doubt)


@pytest.mark.parametrize("amount", ["ten", True, [9500], "9,500", "1e999999", 0.001])
def test_a_success_with_an_amount_that_cannot_be_read_is_a_doubt(amount: object) -> None:
    assert isinstance(payout_result(shapes.result(parameters=b2b_parameters(amount))).news, Doubt)


@pytest.mark.parametrize("amount", [None, "", ...])
def test_an_amount_without_a_value_is_the_same_as_no_amount(amount: object) -> None:
    news = payout_result(shapes.result(parameters=b2b_parameters(amount))).news
    assert isinstance(news, Moved)
    assert news.amount_cents is None


def test_two_amounts_that_disagree_are_a_doubt() -> None:
    for parameters in ([*b2b_parameters(), *keyed(("Amount", 1))], [*keyed(("Amount", 1)), *b2b_parameters()]):
        assert isinstance(payout_result(shapes.result(parameters=parameters)).news, Doubt)


def test_two_amounts_that_agree_are_one() -> None:
    news = payout_result(shapes.result(parameters=b2b_parameters() * 2)).news
    assert isinstance(news, Moved)
    assert news.amount_cents == 950_000


@pytest.mark.parametrize("charge", [..., None, "", "free", "a|b", "a|KES|b", "a|KES|1|2", 67, "|||", "a|KES|1e999999"])
def test_a_charge_that_is_none_costs_nothing_to_read(charge: object) -> None:
    news = payout_result(shapes.result(parameters=b2b_parameters(charge=charge))).news
    assert isinstance(news, Moved)
    assert news.charge_cents is None


def test_a_bill_reference_that_lost_its_zeros_changes_nothing() -> None:
    first = payout_result(shapes.result(parameters=b2b_parameters(), references=b2b_references("007")))
    second = payout_result(shapes.result(parameters=b2b_parameters(), references=b2b_references(7)))
    assert first == second


def test_the_owners_phone_in_a_name_is_masked() -> None:
    parameters = keyed(("ReceiverPartyPublicName", "254712345678 - JANE"))
    news = payout_result(shapes.result(parameters=parameters)).news
    assert isinstance(news, Moved)
    assert news.receiver_name == "254712***678 - JANE"


def test_empty_ids_are_no_ids() -> None:
    result = payout_result(shapes.result(ConversationID="", OriginatorConversationID=" "))
    assert (result.conversation_id, result.originator_conversation_id) == (None, None)


@pytest.mark.parametrize("code", [None, "", True, [], 0.5])
def test_a_result_without_a_code_is_a_doubt(code: object) -> None:
    assert isinstance(payout_result(shapes.result(code, parameters=b2b_parameters())).news, Doubt)


def test_our_own_request_posted_back_is_a_queue_timeout() -> None:
    request = {
        "Initiator": "rentapi",
        "SecurityCredential": shapes.CREDENTIAL,
        "CommandID": "BusinessPayBill",
        "Amount": 9500,
        "PartyA": "600000",
        "PartyB": "600001",
        "Remarks": "rent",
        "QueueTimeOutURL": "https://rent.example.co.ke/t",
        "ResultURL": "https://rent.example.co.ke/r",
    }
    news = payout_result(shapes.body(request)).news
    assert isinstance(news, Overdue)
    assert shapes.CREDENTIAL not in repr(news)


@pytest.mark.parametrize("code", [0, 1, "1", 17])
def test_a_flat_timeout_body_leaves_it_unclear_whatever_its_code(code: object) -> None:
    flat = {
        "ResultType": 1,
        "ResultCode": code,
        "ResultDesc": "The request timed out in the queue.",
        "OriginatorConversationID": shapes.ORIGINATOR_ID,
        "ConversationID": shapes.CONVERSATION_ID,
    }
    assert isinstance(payout_result(shapes.body(flat)).news, Overdue)


# --- status results --------------------------------------------------------------------------------------------------


def test_a_completed_payout_is_found_with_its_own_receipt() -> None:
    assert status_result(shapes.status_result(parameters=status_parameters(amount=9500.0))) == Moved(
        RECEIPT, 950_000, moved_at=SETTLED_AT, receiver_name="600001 - SUNSET OWNER"
    )


def test_the_querys_own_transaction_id_is_never_taken_for_the_receipt() -> None:
    body = shapes.status_result(parameters=status_parameters()).replace(shapes.GENERIC_RECEIPT.encode(), b"SKN9QUERY1")
    answer = status_result(body)
    assert isinstance(answer, Moved)
    assert answer.receipt == RECEIPT
    without = [item for item in status_parameters() if item["Key"] != "ReceiptNo"]
    body = shapes.status_result(parameters=without).replace(shapes.GENERIC_RECEIPT.encode(), b"SKN9QUERY1")
    assert isinstance(status_result(body), Doubt)


def test_the_conversation_ids_are_those_of_the_payment_and_not_of_the_query() -> None:
    body = shapes.status_result(parameters=status_parameters())
    assert original_ids(body) == (shapes.CONVERSATION_ID, shapes.ORIGINATOR_ID)


def test_an_old_status_result_with_blanks_in_its_keys_is_read() -> None:
    parameters = keyed(
        ("ReceiptNo", RECEIPT),
        ("Conversation ID", shapes.CONVERSATION_ID),
        ("FinalizedTime", 20261123101622),
        ("Amount", 10),
        ("TransactionStatus", "Completed"),
        ("DebitPartyCharges", "Fee For B2C Payment|KES|33.00"),
        ("Originator Conversation ID", shapes.OLD_ORIGINATOR_ID),
    )
    body = shapes.status_result(parameters=parameters)
    assert status_result(body) == Moved(RECEIPT, 1_000, moved_at=SETTLED_AT, charge_cents=3_300)
    assert original_ids(body) == (shapes.CONVERSATION_ID, shapes.OLD_ORIGINATOR_ID)


def test_a_status_result_that_repeats_a_name_and_writes_everything_as_text_is_read() -> None:
    parameters = keyed(
        ("DebitPartyName", "600000 - Platform"),
        ("DebitPartyName", "600001 - SUNSET OWNER"),
        ("TransactionStatus", "Completed"),
        ("FinalisedTime", "20261123101622"),
        ("Amount", "300"),
        ("DebitPartyCharges", "Fee|KES|22.40"),
        ("ReceiptNo", RECEIPT),
    )
    body = shapes.status_result("0", parameters)
    assert status_result(body) == Moved(RECEIPT, 30_000, moved_at=SETTLED_AT, charge_cents=2_240)


@pytest.mark.parametrize("status", ["Failed", "Cancelled", "Declined", "Expired", "FAILED", " expired"])
def test_a_payout_whose_status_is_an_end_without_money_moved_nothing(status: str) -> None:
    answer = status_result(shapes.status_result(parameters=status_parameters(status.strip())))
    assert isinstance(answer, NotMoved)
    assert answer.code == f"status:{status.strip().lower()}"


@pytest.mark.parametrize(
    "status", ["Initiated", "Authorized", "Pending", "Something new", "", None, ..., 0, ["Completed"]]
)
def test_a_payout_with_any_other_status_is_waited_for(status: object) -> None:
    assert isinstance(status_result(shapes.status_result(parameters=status_parameters(status))), StillPending)


def test_an_answered_question_without_any_parameters_is_no_news() -> None:
    assert isinstance(status_result(shapes.status_result()), StillPending)


@pytest.mark.parametrize("code", [2032, 2033, "2032", "2033"])
def test_a_payment_that_mpesa_does_not_find_is_no_record_and_no_failure(code: object) -> None:
    assert status_result(shapes.status_result(code)) == NoRecord(str(code))


@pytest.mark.parametrize("code", [2001, 8006, 21, 25, 1, 17, 7777, "SFC_IC0003", 15, None, "", True])
def test_a_status_question_that_failed_says_nothing_about_the_payment(code: object) -> None:
    for parameters in (None, status_parameters(), status_parameters("Failed")):
        assert isinstance(status_result(shapes.status_result(code, parameters)), QuestionFailed)


@pytest.mark.parametrize("receipt", [None, "", ..., "SKN0000000", "x"])
def test_a_completed_payout_without_a_receipt_is_a_doubt(receipt: object) -> None:
    assert isinstance(status_result(shapes.status_result(parameters=status_parameters(receipt=receipt))), Doubt)


@pytest.mark.parametrize("amount", ["ten", "9,500", "1e999999", 0.001])
def test_a_completed_payout_with_an_amount_that_cannot_be_read_is_a_doubt(amount: object) -> None:
    assert isinstance(status_result(shapes.status_result(parameters=status_parameters(amount=amount))), Doubt)


@pytest.mark.parametrize(
    ("key", "other"), [("Amount", 1), ("ReceiptNo", "SKN5OTHER1"), ("TransactionStatus", "Failed")]
)
def test_a_status_result_that_says_two_things_is_a_doubt(key: str, other: object) -> None:
    parameters = [*status_parameters(), *keyed((key, other))]
    assert isinstance(status_result(shapes.status_result(parameters=parameters)), Doubt)


# --- balance results -------------------------------------------------------------------------------------------------


def balance(accounts: object, code: object = 0) -> bytes:
    parameters = keyed(("AccountBalance", accounts), ("BOCompletedTime", 20261123101622))
    return shapes.result(code, transaction_id="SKN0000000", parameters=parameters)


def test_a_single_account_is_read() -> None:
    told = balance("Working Account|KES|481000.00|481000.00|0.00|0.00")
    assert balance_result(told) == (("Working Account", 48_100_000, 48_100_000),)


def test_five_accounts_are_read_and_the_charges_are_negative() -> None:
    told = balance(
        "Working Account|KES|46713.00|40000.00|6713.00|0.00&Float Account|KES|0.00|0.00|0.00|0.00"
        "&Utility Account|KES|49217.50|49217.50|0.00|0.00&Charges Paid Account|KES|-220.00|-220.00|0.00|0.00"
        "&Organization Settlement Account|KES|0.00|0.00|0.00|0.00"
    )
    assert balance_result(told) == (
        ("Working Account", 4_671_300, 4_000_000),
        ("Float Account", 0, 0),
        ("Utility Account", 4_921_750, 4_921_750),
        ("Charges Paid Account", -22_000, -22_000),
        ("Organization Settlement Account", 0, 0),
    )


def test_a_balance_with_text_codes_and_a_single_parameter_object_is_read() -> None:
    told = shapes.result("0", parameters={"Key": "AccountBalance", "Value": "Working Account|KES|5.00|5.00|0.00|0.00"})
    assert balance_result(told) == (("Working Account", 500, 500),)


@pytest.mark.parametrize("code", [8006, 2001, 21, "17", None])
def test_a_balance_question_that_failed_is_told_so_although_it_has_parameters(code: object) -> None:
    parameters = keyed(
        ("ActionType", "AccountBalance"), ("ErrorMsg", "API Password is locked. "), ("BOCompletedTime", 20261123101622)
    )
    for shape in (parameters, parameters[2], None):
        told = shapes.result(code, parameters=shape, references={"Key": "QueueTimeoutURL"})
        assert isinstance(balance_result(told), QuestionFailed)


@pytest.mark.parametrize(
    "accounts", [None, "", "nothing", "a|b|c", "a|KES|x|y", 5, ["Working Account|KES|5|5"], "&&", "|||"]
)
def test_a_balance_that_names_no_account_is_a_doubt(accounts: object) -> None:
    assert isinstance(balance_result(balance(accounts)), Doubt)


def test_an_account_that_cannot_be_read_does_not_hide_the_others() -> None:
    told = balance("Odd|KES|x|y|z|w&Working Account|KES|5.00|5.00|0.00|0.00")
    assert balance_result(told) == (("Working Account", 500, 500),)


# --- anything at all -------------------------------------------------------------------------------------------------

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from([0, "0", RECEIPT, "Completed", 2033, "1e999999", "a|KES|1|2", "Amount", "a|KES|5.00", "4999"])
)
names = st.sampled_from(
    [
        "Body",
        "stkCallback",
        "ResultCode",
        "ResultDesc",
        "CheckoutRequestID",
        "CallbackMetadata",
        "Item",
        "Name",
        "Value",
        "Key",
        "Result",
        "ResultParameters",
        "ResultParameter",
        "TransactionID",
        "ConversationID",
        "OriginatorConversationID",
        "CommandID",
        "SecurityCredential",
    ]
)
values: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names | st.text(), inner, max_size=4),
    max_leaves=10,
)
known_items = st.lists(
    st.fixed_dictionaries(
        {
            "Name": st.sampled_from(["Amount", "MpesaReceiptNumber", "TransactionDate"]),
            "Key": st.sampled_from(
                [
                    "Amount",
                    "ReceiptNo",
                    "TransactionStatus",
                    "FinalisedTime",
                    "TransCompletedTime",
                    "DebitPartyCharges",
                    "DebitPartyAffectedAccountBalance",
                    "DebitAccountBalance",
                    "AccountBalance",
                    "ReceiverPartyPublicName",
                    "ConversationID",
                ]
            ),
        },
        optional={"Value": values},
    ),
    max_size=6,
)
bodies = st.one_of(
    values,
    st.fixed_dictionaries({"Body": st.fixed_dictionaries({"stkCallback": values})}),
    st.fixed_dictionaries({"Result": values}),
    st.builds(
        lambda code, items, receipt: {
            "Body": {"stkCallback": {"ResultCode": code, "CallbackMetadata": {"Item": items}}},
            "Result": {
                "ResultCode": code,
                "TransactionID": receipt,
                "ResultParameters": {"ResultParameter": items},
            },
        },
        st.sampled_from([0, "0"]) | scalars,
        known_items | values,
        st.just(RECEIPT) | scalars,
    ),
)


def read_everything(body: bytes) -> None:
    pushed, paid = stk_callback(body), payout_result(body)
    for result in (pushed, paid):
        assert isinstance(result.news, Moved | NotMoved | Overdue | StillPending | Doubt)
        if isinstance(result.news, Moved):
            assert result.news.receipt
        ids = (result.conversation_id, result.originator_conversation_id, result.checkout_request_id)
        assert "" not in ids
    if isinstance(pushed.news, Moved):
        assert type(pushed.news.amount_cents) is int
    assert isinstance(status_result(body), Moved | NotMoved | StillPending | NoRecord | QuestionFailed | Doubt)
    assert isinstance(balance_result(body), tuple | QuestionFailed | Doubt)
    assert len(original_ids(body)) == 2
    assert (repr(pushed) + repr(paid) + repr(status_result(body)) + repr(balance_result(body))).encode()


@given(bodies)
def test_no_json_trips_the_reading_of_a_callback(document: object) -> None:
    read_everything(json.dumps(document).encode())


@given(st.binary())
def test_no_bytes_trip_the_reading_of_a_callback(body: bytes) -> None:
    read_everything(body)


@given(
    st.sampled_from([shapes.stk_paid(), shapes.result(parameters=b2b_parameters()), balance("W|KES|5|5|0|0")]),
    st.integers(min_value=0, max_value=2_000),
    st.integers(min_value=0, max_value=2_000),
    st.binary(max_size=12),
)
def test_no_damage_to_a_true_callback_trips_its_reading(body: bytes, start: int, length: int, other: bytes) -> None:
    read_everything(body[:start] + other + body[start + length :])


@given(st.text(alphabet="0123456789.eE-+", min_size=1, max_size=30))
def test_no_number_however_written_trips_the_reading_of_a_callback(number: str) -> None:
    written = number.encode()
    read_everything(shapes.stk_paid_verbatim(number))
    read_everything(shapes.result(parameters=b2b_parameters("X")).replace(b'"X"', written))
    read_everything(shapes.status_result(parameters=status_parameters(amount="X")).replace(b'"X"', written))
    read_everything(shapes.result("X").replace(b'"X"', written))
    read_everything(shapes.stk_paid(code="X").replace(b'"X"', written))
