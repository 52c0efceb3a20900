"""With RENTPAY_CONFIRM_COLLECTION no money goes out before M-Pesa has said by query that the rent came in."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rentpay_cli.core.evidence import Acknowledged, Moved, NotMoved
from rentpay_cli.daraja.incoming import StillPending
from rentpay_cli.flows import register
from rentpay_cli.flows.disburse import disburse, due
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import reads
from tests.cli.conftest import Books
from tests.support.paying import because, pay_due, refusal
from tests.support.scripted import ScriptedMpesa, script
from tests.support.world import World

NOON = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
PAID, NOT_PAID, NOT_YET = Moved(None, None), NotMoved("1032", "Request cancelled by user"), StillPending("not yet")


@pytest.fixture
def books(rt: Runtime) -> Books:
    register.add_owner(rt, name="Wanjiru Kamau")
    register.add_property(rt, name="Hill View", owner_reference="1", paybill="600001", account_number="A", rent="10000")
    rt.settings = replace(rt.settings, confirm_collection=True)
    opened = Books(rt)
    opened.at(NOON)
    return opened


def asked_says(books: Books, answer: Any) -> ScriptedMpesa:
    """M-Pesa answers the query so, and accepts payouts."""
    accepted = Acknowledged(conversation_id="AG_x", originator_conversation_id="o_x")
    return script(books.rt, lambda kind, _: answer if kind == "stk-query" else accepted)


def kinds(mpesa: ScriptedMpesa) -> list[str]:
    return [kind for kind, _ in mpesa.sent]


def test_a_confirmed_rent_is_paid_out_and_asked_about_once(books: Books) -> None:
    payment_id = books.paid()
    mpesa = asked_says(books, PAID)
    disburse(books.rt, payment_id)
    assert kinds(mpesa) == ["stk-query", "b2b"]
    books.learn(payment_id, NotMoved("1", "too little"), "payout")
    disburse(books.rt, payment_id)
    assert kinds(mpesa) == ["stk-query", "b2b", "b2b"]


def test_a_rent_that_mpesa_denies_is_held_and_found(books: Books) -> None:
    payment_id = books.paid()
    mpesa = asked_says(books, NOT_PAID)
    for words in ("Request cancelled by user", "it is held"):
        outcome = disburse(books.rt, payment_id)
        assert refusal(outcome) == "held"
        assert words in because(outcome)
    assert kinds(mpesa) == ["stk-query"]
    row = reads.payment(books.rt.reader, payment_id)
    assert row is not None
    assert (row["status"], row["disbursement_status"]) == ("success", "pending")
    found = books.rt.reader.one("SELECT count(*) AS n FROM finding")
    assert found == {"n": 1}


def test_an_answer_that_is_still_to_come_is_waited_for_and_stops_nobody_behind_it(books: Books) -> None:
    first, second = books.paid(), books.paid()
    answers = {"first": NOT_YET}

    def answer(kind: str, request: dict[str, Any]) -> Any:
        if kind != "stk-query":
            return Acknowledged(conversation_id="AG_x", originator_conversation_id="o_x")
        return answers["first"] if request["checkout_request_id"] == "ws_CO_1" else PAID

    mpesa = script(books.rt, answer)
    run = pay_due(books.rt)
    assert (run.accepted, [(each.payment_id, each.code) for each in run.skipped]) == (
        [second],
        [(first, "not_confirmed")],
    )
    assert due(books.rt, 10) == []
    books.at(NOON + timedelta(minutes=1))
    answers["first"] = PAID
    assert pay_due(books.rt).accepted == [first]
    assert kinds(mpesa).count("b2b") == 2


def test_what_became_known_by_query_needs_no_second_one(books: Books) -> None:
    from rentpay_cli.flows.learn import Source, learn

    payment_id = books.asked()
    with books.rt.database.transaction() as session:
        learn(session, 1, Moved("SKN0000001", None), source=Source.QUERY, actor="test", at=NOON)
    mpesa = asked_says(books, NOT_PAID)
    disburse(books.rt, payment_id)
    assert kinds(mpesa) == ["b2b"]


def test_without_the_setting_nobody_is_asked(books: Books) -> None:
    books.rt.settings = replace(books.rt.settings, confirm_collection=False)
    payment_id = books.paid()
    mpesa = asked_says(books, NOT_PAID)
    disburse(books.rt, payment_id)
    assert kinds(mpesa) == ["b2b"]


def test_the_simulator_confirms_what_was_paid(world: World) -> None:
    world.with_settings(confirm_collection=True)
    world.let()
    payment_id = world.paid_rent()
    disburse(world.rt, payment_id)
    world.read_until(lambda: world.payment(payment_id)["disbursement_status"] == "completed")
