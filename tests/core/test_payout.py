"""Whether a payable may be sent: each refusal once, in the order in which a person is told."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations, product
from typing import Any

import pytest

from rentpay_cli.core.attempt import State
from rentpay_cli.core.codes import Advice
from rentpay_cli.core.payout import (
    WORDS,
    DisbursementStatus,
    Facts,
    HoldKind,
    PayableStatus,
    PaymentStatus,
    Refusal,
    why_not,
)

PENDING, FAILED = PayableStatus.PENDING, PayableStatus.FAILED
UNFIT: list[tuple[dict[str, Any], Refusal]] = [
    ({"is_stopped": True}, Refusal.STOPPED),
    ({"payment_status": PaymentStatus.PENDING}, Refusal.NOT_PAID),
    ({"payment_status": PaymentStatus.FAILED}, Refusal.PAYMENT_FAILED),
    ({"payment_status": PaymentStatus.REVERSED}, Refusal.REVERSED),
    ({"status": PayableStatus.COMPLETED}, Refusal.COMPLETED),
    ({"status": FAILED, "attempt": State.MOVED}, Refusal.COMPLETED),
    ({"status": PayableStatus.NOT_REQUIRED}, Refusal.NOT_REQUIRED),
    ({"status": FAILED, "attempt": State.UNCLEAR}, Refusal.UNCLEAR),
    ({"status": PayableStatus.PROCESSING, "attempt": State.UNCLEAR}, Refusal.UNCLEAR),
    ({"status": PayableStatus.PROCESSING}, Refusal.UNDER_WAY),
    ({"attempt": State.SENDING}, Refusal.UNDER_WAY),
    ({"status": FAILED, "attempt": State.WAITING}, Refusal.UNDER_WAY),
    ({"live": DisbursementStatus.PROPOSED}, Refusal.PROPOSED),
    ({"is_contradicted": True}, Refusal.CONTRARY),
    ({"hold": HoldKind.EVIDENCE}, Refusal.CONTRARY),
    ({"is_refund_under_way": True}, Refusal.REFUND),
    ({"has_receipt": False}, Refusal.NO_RECEIPT),
    ({"is_proved": False}, Refusal.NOT_PROVED),
    *(({"hold": kind}, Refusal.HELD) for kind in HoldKind if kind is not HoldKind.EVIDENCE),
    ({"destination": Refusal.DESTINATION_WAITING}, Refusal.DESTINATION_WAITING),
    ({"destination": Refusal.DESTINATION_UNKNOWN}, Refusal.DESTINATION_UNKNOWN),
    ({"destination": Refusal.OWN_PAYBILL}, Refusal.OWN_PAYBILL),
    ({"status": FAILED, "advice": Advice.NEVER}, Refusal.NEVER),
    ({"status": FAILED, "advice": Advice.MEND_FIRST}, Refusal.MEND_FIRST),
    ({"status": FAILED, "advice": Advice.ASK}, Refusal.ASK),
    ({"is_payable": False}, Refusal.NOT_YET),
    ({"float_ran_out": True}, Refusal.FLOAT_RAN_OUT),
]


def facts(**changes: Any) -> Facts:
    return Facts(**{"status": PENDING, **changes})


def test_a_share_of_a_paid_rent_that_was_never_sent_may_be_sent() -> None:
    assert why_not(facts()) is None


def test_a_share_whose_every_attempt_moved_nothing_may_be_sent_again() -> None:
    assert why_not(facts(status=FAILED, attempt=State.NOT_MOVED, advice=Advice.SEND_AGAIN)) is None


def test_a_share_that_is_taken_back_by_an_entry_goes_with_it() -> None:
    assert why_not(facts(payment_status=PaymentStatus.REVERSED, is_taken_back=True)) is None


@pytest.mark.parametrize(("unfit", "refusal"), UNFIT)
def test_what_must_not_be_sent_is_refused_with_its_reason(unfit: dict[str, Any], refusal: Refusal) -> None:
    assert why_not(facts(**unfit)) is refusal


def test_of_several_reasons_the_first_is_told() -> None:
    for (first, refusal), (second, _) in combinations(UNFIT, 2):
        if not set(first) & set(second):
            assert why_not(facts(**{**first, **second})) is refusal, (first, second)


@pytest.mark.parametrize("advice", [Advice.MEND_FIRST, Advice.ASK, Advice.NEVER])
def test_a_person_who_vouches_for_one_thing_does_not_vouch_for_another(advice: Advice) -> None:
    failed = facts(status=FAILED, attempt=State.NOT_MOVED, advice=advice)
    assert why_not(failed, mended=[advice]) is None
    assert why_not(failed, mended=set(Advice) - {advice}) is not None


def test_nobody_can_vouch_for_anything_but_the_last_failure() -> None:
    for unfit, refusal in UNFIT:
        if set(unfit) != {"status", "advice"}:
            assert why_not(facts(**unfit), mended=set(Advice)) is refusal


def test_only_attempts_that_certainly_moved_nothing_may_be_followed_by_another() -> None:
    for payment, status, attempt, advice in product(PaymentStatus, PayableStatus, (*State, None), (*Advice, None)):
        found = facts(payment_status=payment, status=status, attempt=attempt, advice=advice)
        for taken_back in (False, True):
            if why_not(replace(found, is_taken_back=taken_back), mended=set(Advice)) is None:
                assert attempt in (State.NOT_MOVED, None)
                assert payment is PaymentStatus.SUCCESS or (payment is PaymentStatus.REVERSED and taken_back)
                assert status in (PENDING, FAILED)


def test_every_refusal_has_words() -> None:
    assert set(WORDS) == set(Refusal)


def test_the_refusals_that_scripts_see_are_these() -> None:
    assert {refusal.value for refusal in Refusal} == {
        "payouts_stopped",
        "not_paid",
        "payment_failed",
        "payment_reversed",
        "already_completed",
        "not_required",
        "outcome_unclear",
        "under_way",
        "in_a_run",
        "contrary_evidence",
        "refund_under_way",
        "receipt_unknown",
        "not_proved",
        "held",
        "destination_waiting",
        "destination_not_confirmed",
        "own_paybill",
        "never_again",
        "mend_first",
        "not_certain",
        "not_payable_yet",
        "too_little",
        "too_much",
        "float_ran_out",
        "not_confirmed",
        "busy",
    }
