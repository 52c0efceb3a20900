"""A tenant who knows everything that his own payment shows cannot make the platform pay, nor undo what it knows."""

from __future__ import annotations

from typing import Any

import pytest

from rentpay_cli.core.callbacks import CallbackState
from rentpay_cli.core.evidence import Unanswered
from rentpay_cli.flows.read_inbox import COLLECTION, PAYOUT, TIMEOUT
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import reads
from tests.flows.test_callbacks import Desk, not_paid, paid, result, two_houses
from tests.support.beginnings import Begin
from tests.support.paying import pay_due

GUESSES = [None, "0" * 32, "ws_CO_1", "m-1", "AG_2", "254722000111", "1", "'" * 32, "A" * 128]
"""What a tenant knows, or would try, in the place of a token."""


@pytest.fixture
def desk(rt: Runtime, begin: Begin) -> Desk:
    begin(two_houses)
    return Desk(rt)


def payouts_sent(desk: Desk) -> int:
    """How many payouts left, once everything that is due was sent."""
    pay_due(desk.rt)
    return sum(kind == "b2b" for kind, _ in desk.mpesa.sent)


def held(desk: Desk) -> int:
    (row,) = desk.rt.reader.rows("SELECT COUNT(*) AS n FROM inbox WHERE state = 'held'")
    return int(row["n"])


@pytest.mark.parametrize("path", [COLLECTION, PAYOUT, TIMEOUT])
def test_who_knows_everything_but_the_token_is_not_believed(desk: Desk, path: str) -> None:
    desk.ask()
    for number, guess in enumerate(GUESSES):
        assert desk.arrives(path, guess, paid(receipt=f"SKA{number:07d}X")).state == "held"
    assert desk.payment()["status"] == "pending"
    assert held(desk) == len(GUESSES)
    assert payouts_sent(desk) == 0


def test_the_upper_case_of_a_token_is_not_the_token(desk: Desk) -> None:
    token = desk.ask()
    assert desk.arrives(COLLECTION, token.upper() + " ", paid()).state == "held"
    assert desk.arrives(COLLECTION, token[:-1], paid(receipt="SKA1B2C3D5")).state == "held"
    assert payouts_sent(desk) == 0


def test_the_token_of_another_payment_does_not_pay_this_one(desk: Desk) -> None:
    desk.ask()
    other = desk.ask("2", "0722000222")
    assert desk.arrives(COLLECTION, other, paid(checkout="ws_CO_1")).state == "held"
    assert [desk.payment(number)["status"] for number in (1, 2)] == ["pending", "pending"]
    assert payouts_sent(desk) == 0


def test_the_token_of_an_old_payment_that_failed_pays_nothing(desk: Desk) -> None:
    old = desk.ask()
    desk.arrives(COLLECTION, old, not_paid())
    desk.ask("2", "0722000222")
    for checkout in ("ws_CO_1", "ws_CO_2"):
        assert desk.arrives(COLLECTION, old, paid(checkout=checkout)).state == "held"
    assert [desk.payment(number)["status"] for number in (1, 2)] == ["failed", "pending"]
    assert payouts_sent(desk) == 0
    assert desk.findings(), "a success after a failure is for a person to look at"


@pytest.mark.parametrize(
    "again", [paid(receipt="SKZ0FORGED"), paid(amount=99999), paid(amount=1), not_paid(), paid(checkout="ws_CO_9")]
)
def test_a_believed_callback_that_comes_again_changed_changes_nothing(desk: Desk, again: dict[str, Any]) -> None:
    token = desk.ask()
    desk.arrives(COLLECTION, token, paid())
    before = desk.payment()
    assert desk.arrives(COLLECTION, token, again).state == "held"
    assert desk.payment() == before
    assert payouts_sent(desk) == 1


def test_a_believed_callback_that_comes_again_a_hundred_times_pays_once(desk: Desk) -> None:
    token = desk.ask()
    for _ in range(100):
        desk.arrives(COLLECTION, token, paid())
    assert payouts_sent(desk) == 1
    assert payouts_sent(desk) == 1


@pytest.mark.parametrize("path", [COLLECTION, TIMEOUT])
def test_a_result_for_a_payout_says_nothing_at_the_address_of_a_collection(desk: Desk, path: str) -> None:
    token = desk.ask()
    assert desk.arrives(path, token, result()).state == "held"
    assert desk.arrives(PAYOUT, token, result()).state == "held"
    assert desk.payment()["status"] == "pending"


def test_a_paid_callback_says_nothing_at_the_address_of_a_payout(desk: Desk) -> None:
    token = desk.pay_out()
    assert desk.arrives(COLLECTION, token, paid(receipt="SKZ0FORGED")).state == "held"
    assert desk.arrives(PAYOUT, token, paid(receipt="SKZ0FORGED")).state == "held"
    assert desk.payment()["disbursement_status"] == "processing"
    assert payouts_sent(desk) == 1


def test_the_receipt_of_one_payment_does_not_pay_another(desk: Desk) -> None:
    first, second = desk.ask(), desk.ask("2", "0722000222")
    desk.arrives(COLLECTION, first, paid(receipt="SKA1B2C3D4"))
    assert desk.arrives(COLLECTION, second, paid(receipt="ska1b2c3d4", checkout="ws_CO_2")).state == "held"
    assert desk.payment(2)["status"] == "pending"
    assert payouts_sent(desk) == 1


def test_a_forged_failure_does_not_send_a_payout_again(desk: Desk) -> None:
    desk.pay_out()
    for number, guess in enumerate(GUESSES):
        assert desk.arrives(PAYOUT, guess, result(code=1, TransactionID=f"SKF{number:07d}")).state == "held"
    assert desk.payment()["disbursement_status"] == "processing"
    assert payouts_sent(desk) == 1


def test_a_failure_that_comes_after_the_success_does_not_send_a_payout_again(desk: Desk) -> None:
    token = desk.pay_out()
    desk.arrives(PAYOUT, token, result())
    assert desk.arrives(PAYOUT, token, result(code=1)).state == "held"
    assert desk.payment()["disbursement_status"] == "completed"
    assert payouts_sent(desk) == 1


def test_the_token_of_an_ended_attempt_opens_nothing_of_the_next_one(desk: Desk) -> None:
    first = desk.pay_out()
    desk.arrives(PAYOUT, first, result(code=17))
    for row in reads.attempts(desk.rt.reader, 1):
        assert row["state"] in ("moved", "not_moved")
    sent = payouts_sent(desk)
    forged = result(receipt="SKZ0FORGED", OriginatorConversationID="o-9", ConversationID="AG_9")
    assert desk.arrives(PAYOUT, first, forged).state == "held"
    assert desk.payment()["disbursement_status"] != "completed"
    assert payouts_sent(desk) == sent


def test_a_push_whose_answer_was_lost_is_not_paid_by_who_guesses_its_ids(desk: Desk) -> None:
    desk.mpesa._answer = lambda kind, request: Unanswered("no answer")
    desk.ask()
    assert desk.arrives(COLLECTION, None, paid()).state == "held"
    assert desk.payment()["status"] == "pending"
    assert payouts_sent(desk) == 0


def test_what_is_held_is_counted_for_health(desk: Desk) -> None:
    desk.ask()
    desk.arrives(COLLECTION, "0" * 32, paid())
    assert len(list(reads.callbacks(desk.rt.reader, state=CallbackState.HELD))) == 1
