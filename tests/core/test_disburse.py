"""Whether an owner's share may be sent: each refusal once, and the one rule that no order of facts may break."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rentpay_cli.core.attempt import State
from rentpay_cli.core.codes import Advice
from rentpay_cli.core.disburse import DisbursementStatus, PaymentStatus, Refusal, Share, why_not

PAID = PaymentStatus.SUCCESS


def share(
    status: DisbursementStatus = DisbursementStatus.PENDING,
    *attempts: State,
    payment: PaymentStatus = PAID,
    advice: Advice | None = None,
    has_receipt: bool = True,
) -> Share:
    return Share(payment, status, attempts, advice, has_receipt)


def test_a_share_of_a_paid_rent_that_was_never_sent_may_be_sent() -> None:
    assert why_not(share()) is None


def test_a_share_whose_every_attempt_moved_nothing_may_be_sent_again() -> None:
    failed = share(DisbursementStatus.FAILED, State.NOT_MOVED, State.NOT_MOVED, advice=Advice.SEND_AGAIN)
    assert why_not(failed) is None


@pytest.mark.parametrize(
    ("unfit", "refusal"),
    [
        (share(payment=PaymentStatus.PENDING), Refusal.NOT_PAID),
        (share(payment=PaymentStatus.FAILED), Refusal.PAYMENT_FAILED),
        (share(payment=PaymentStatus.REVERSED), Refusal.REVERSED),
        (share(DisbursementStatus.NOT_REQUIRED), Refusal.NOT_REQUIRED),
        (share(DisbursementStatus.COMPLETED, State.MOVED), Refusal.COMPLETED),
        (share(DisbursementStatus.COMPLETED), Refusal.COMPLETED),
        (share(DisbursementStatus.FAILED, State.NOT_MOVED, State.MOVED), Refusal.COMPLETED),
        (share(DisbursementStatus.PROCESSING, State.UNCLEAR), Refusal.UNCLEAR),
        (share(DisbursementStatus.FAILED, State.NOT_MOVED, State.UNCLEAR), Refusal.UNCLEAR),
        (share(DisbursementStatus.PROCESSING, State.SENDING), Refusal.UNDER_WAY),
        (share(DisbursementStatus.PROCESSING, State.WAITING), Refusal.UNDER_WAY),
        (share(DisbursementStatus.PROCESSING), Refusal.UNDER_WAY),
        (share(DisbursementStatus.FAILED, State.WAITING), Refusal.UNDER_WAY),
        (share(DisbursementStatus.PENDING, State.SENDING), Refusal.UNDER_WAY),
        (share(has_receipt=False), Refusal.NO_RECEIPT),
        (share(DisbursementStatus.FAILED, State.NOT_MOVED, has_receipt=False), Refusal.NO_RECEIPT),
        (share(DisbursementStatus.FAILED, State.NOT_MOVED, advice=Advice.MEND_FIRST), Refusal.MEND_FIRST),
        (share(DisbursementStatus.FAILED, State.NOT_MOVED, advice=Advice.NEVER), Refusal.NEVER),
        (share(DisbursementStatus.FAILED, State.NOT_MOVED, advice=Advice.ASK), Refusal.ASK),
    ],
)
def test_a_share_that_must_not_be_sent_is_refused_with_its_reason(unfit: Share, refusal: Refusal) -> None:
    assert why_not(unfit) is refusal


@pytest.mark.parametrize("advice", [Advice.MEND_FIRST, Advice.ASK, Advice.NEVER])
def test_a_person_who_vouches_for_one_thing_does_not_vouch_for_another(advice: Advice) -> None:
    failed = share(DisbursementStatus.FAILED, State.NOT_MOVED, advice=advice)
    assert why_not(failed, mended=[advice]) is None
    assert why_not(failed, mended=set(Advice) - {advice}) is not None


def test_nobody_can_vouch_for_money_that_may_have_moved() -> None:
    for state in (State.MOVED, State.UNCLEAR, State.SENDING, State.WAITING):
        for advice in (*Advice, None):
            assert why_not(share(DisbursementStatus.FAILED, state, advice=advice), mended=set(Advice)) is not None


def test_nobody_can_vouch_for_money_that_came_in_without_a_receipt() -> None:
    assert why_not(share(has_receipt=False), mended=set(Advice)) is Refusal.NO_RECEIPT


def test_only_attempts_that_certainly_moved_nothing_may_be_followed_by_another() -> None:
    for payment, status, advice in product(PaymentStatus, DisbursementStatus, (*Advice, None)):
        for length in range(4):
            for attempts in product(State, repeat=length):
                answer = why_not(Share(payment, status, attempts, advice), mended=set(Advice))
                if answer is None:
                    assert set(attempts) <= {State.NOT_MOVED}
                    assert payment is PAID
                    assert status in (DisbursementStatus.PENDING, DisbursementStatus.FAILED)


@given(
    st.builds(
        Share,
        st.sampled_from(PaymentStatus),
        st.sampled_from(DisbursementStatus),
        st.lists(st.sampled_from(State), max_size=6).map(tuple),
        st.none() | st.sampled_from(Advice),
        st.booleans(),
    ),
    st.integers(min_value=0),
)
def test_the_order_of_the_attempts_does_not_matter(facts: Share, turn: int) -> None:
    cut = turn % (len(facts.attempts) + 1)
    turned = replace(facts, attempts=facts.attempts[cut:] + facts.attempts[:cut])
    assert why_not(turned) is why_not(facts)


def test_the_refusals_that_scripts_see_are_these() -> None:
    assert {refusal.value for refusal in Refusal} == {
        "payouts_stopped",
        "not_paid",
        "receipt_unknown",
        "held",
        "payment_failed",
        "payment_reversed",
        "not_required",
        "already_completed",
        "outcome_unclear",
        "under_way",
        "mend_first",
        "never_again",
        "not_certain",
        "not_confirmed",
        "float_ran_out",
        "busy",
    }
