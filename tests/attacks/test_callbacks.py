"""The callback fuzzer, for a few seconds; at length: python -m tests.attacks.callbacks --bodies 100000."""

from __future__ import annotations

import json
from random import Random

import pytest

from rentpay_cli.runtime import Runtime
from tests.attacks.callbacks import NEVER, ODD, Stage, fuzz, mutated, says_paid, says_paid_out
from tests.daraja import shapes
from tests.support.forger import forge


def test_no_body_at_all_trips_the_reader_up_or_moves_money(rt: Runtime) -> None:
    stage = Stage(rt)
    assert fuzz(stage, bodies=600, start=20261123) >= 600
    assert set(stage.seen) == {"believed", "held", "read"}, "the fuzzer must reach each fate of a callback"


def test_the_fuzzer_notices_a_payment_that_nobody_paid(rt: Runtime) -> None:
    stage = Stage(rt)
    stage.renew()
    stage.told_paid.clear()
    with pytest.raises(AssertionError, match="paid without a word"):
        stage.check()


def test_the_fuzzer_notices_a_receipt_that_changed(rt: Runtime) -> None:
    stage = Stage(rt)
    stage.renew()
    stage.check()
    stage.receipts = dict.fromkeys(stage.receipts, "ANOTHER001")
    with pytest.raises(AssertionError, match="changed"):
        stage.check()


BROUGHT_ABOUT = {
    "two movements have the same receipt": (
        "UPDATE payable SET receipt = (SELECT max(receipt) FROM money_in) WHERE id = (SELECT min(id) FROM payable)",
    ),
    "money came in that nobody was asked for": (
        "INSERT INTO money_in (way, received_by, amount_cents, paid_at, booked_at, learned_by)"
        " VALUES ('stk', 'platform', 1000000, 0, 0, 'callback')",
    ),
    "a transfer was sent twice": (
        "DROP INDEX one_payout",
        "INSERT INTO attempt (direction, disbursement_id, state, token_sha256, amount_cents, created_at, changed_at,"
        " checks, not_found_count) SELECT direction, disbursement_id, 'not_moved', 'another', amount_cents, created_at,"
        " changed_at, 0, 0 FROM attempt WHERE id = (SELECT max(id) FROM attempt WHERE direction = 'payout')",
    ),
    "a share was sent twice": (
        "INSERT INTO disbursement_member (disbursement_id, payable_id)"
        " SELECT max(disbursement_id), min(payable_id) FROM disbursement_member",
    ),
}
"""Each of what must never be, done by somebody who takes the guards away."""


@pytest.mark.forges
@pytest.mark.parametrize("trouble", NEVER)
def test_the_fuzzer_notices_what_must_never_be(rt: Runtime, trouble: str) -> None:
    stage = Stage(rt)
    stage.renew()
    stage.renew()  # at first one payout alone leaves, as a trial
    stage.check()
    forge(rt.settings.database_url, *BROUGHT_ABOUT[trouble])
    with pytest.raises(AssertionError, match=trouble):
        stage.check()


def test_the_fuzzer_notices_a_payout_that_completed_without_a_word(rt: Runtime) -> None:
    stage = Stage(rt)
    stage.renew()
    stage._settle()
    stage.check()
    stage.told_completed.clear()
    with pytest.raises(AssertionError, match="completed without a word"):
        stage.check()


def test_the_fuzzers_own_reading_knows_the_honest_bodies() -> None:
    assert says_paid(shapes.stk_paid())
    assert not says_paid(shapes.stk_callback(1032))
    assert not says_paid(shapes.stk_paid(shapes.stk_items(9999)))
    assert says_paid_out(shapes.result(parameters=shapes.b2b_parameters()))
    assert not says_paid_out(shapes.result(1, parameters=shapes.b2b_parameters()))
    assert not says_paid_out(shapes.result(parameters=shapes.b2b_parameters(9499)))


def test_bodies_are_changed_in_many_ways_but_some_stay_honest() -> None:
    original = shapes.stk_paid()
    made = {mutated(original, Random(number)) for number in range(500)}
    assert len(made) > 300
    assert any(
        json.loads(original) == json.loads(body)
        for body in made
        if body[:1] == b"{" and body[-1:] == b"}" and _is_json(body)
    )
    assert any(not _is_json(body) for body in made)
    assert len(ODD) > 50


def _is_json(body: bytes) -> bool:
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        return False
    return True
