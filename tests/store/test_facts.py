"""Each fact that the guard asks for is seen, and changes nothing but itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from rentpay_cli.core.attempt import State
from rentpay_cli.core.callbacks import Address, EnquiryKind
from rentpay_cli.core.codes import Advice
from rentpay_cli.core.evidence import Moved, NotMoved, Source
from rentpay_cli.core.payout import (
    DisbursementStatus,
    Facts,
    HoldKind,
    PayableStatus,
    PaymentStatus,
    RefundWay,
    Refusal,
    Reversed,
    StopKind,
)
from rentpay_cli.flows.learn import learn
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import enquiries, inbox, payments, stops
from rentpay_cli.store.write import holds, money_in, payables, refunds
from tests.stories.stage import Stage

pytestmark = pytest.mark.forges  # some end a hold alone, so that the fact beside it is seen

SHARE = 1
PAYMENT = 1
OWNER = 1
FREE = Facts(status=PayableStatus.PENDING)
FAILED = replace(FREE, status=PayableStatus.FAILED, attempt=State.NOT_MOVED, advice=Advice.SEND_AGAIN)


@pytest.fixture
def stage(rt: Runtime) -> Stage:
    """One rent that was paid, and whose share is free."""
    found = Stage(rt)
    found.rent(found.place(found.owner()))
    return found


def facts(stage: Stage, **rules: Any) -> Facts:
    with stage.rt.database.transaction() as session:
        (found,) = payables.candidates(session, [SHARE], stage.now, **rules)
        return found.facts


def stopped(stage: Stage, owner: int | None) -> None:
    with stage.rt.database.transaction() as session:
        stops.stop(session, StopKind.PERSON, "a look", "test", stage.now, owner_id=owner)


def held(stage: Stage, **scope: int) -> None:
    with stage.rt.database.transaction() as session:
        holds.place(session, HoldKind.PERSON, "a look", "test", stage.now, **scope)


def sent(stage: Stage) -> None:
    stage.disburse(PAYMENT)


def failed(stage: Stage) -> None:
    sent(stage)
    stage.failed(1)


def doubtful(stage: Stage) -> None:
    sent(stage)
    stage.hears(1, NotMoved("15", "a duplicate"))


def contradicted(stage: Stage) -> None:
    failed(stage)
    stage.hears(1, Moved("SKT0000001", None))
    with stage.rt.database.transaction() as session:
        (hold,) = holds.on_payable(session, SHARE)
        holds.end(session, hold, "test", stage.now, "so that the finding alone is seen")


def unread(stage: Stage) -> None:
    tokens: list[str] = []
    new_token = stage.rt.new_token

    def kept() -> str:
        tokens.append(new_token())
        return tokens[-1]

    stage.rt.new_token = kept
    failed(stage)
    inbox.append(stage.rt.database, [(Address.PAYOUT, tokens[-1], None, b"{}")], stage.now)


def answer_unread(stage: Stage) -> None:
    failed(stage)
    with stage.rt.database.transaction() as session:
        enquiries.ask(session, EnquiryKind.STATUS, "asked", stage.now, 2)
    inbox.append(stage.rt.database, [(Address.PAYOUT, "asked", None, b"{}")], stage.now)


def refunding(stage: Stage) -> int:
    with stage.rt.database.transaction() as session:
        money = money_in.get(session, 1)
        number = refunds.propose(session, money, way=RefundWay.REVERSAL, reason="asked", by="test", at=stage.now)
        return refunds.send(session, refunds.get(session, number), "refund", stage.now)


def refund_contradicted(stage: Stage) -> None:
    attempt = refunding(stage)
    for evidence in (NotMoved("1", "no"), Moved("SKV0000001", None)):
        with stage.rt.database.transaction() as session:
            learn(session, attempt, evidence, source=Source.CALLBACK, actor="test", at=stage.now)
    with stage.rt.database.transaction() as session:
        (hold,) = holds.on_payable(session, SHARE)
        holds.end(session, hold, "test", stage.now, "so that the finding alone is seen")


def proposed(stage: Stage) -> None:
    stage.run(OWNER, send=False)


def taken_back(stage: Stage) -> None:
    sent(stage)
    with stage.rt.database.transaction() as session:
        refunds.reverse(session, payments.get(session, PAYMENT), Reversed.REFUND, stage.now, "test")


def by_sql(*statements: str) -> Callable[[Stage], None]:
    def run(stage: Stage) -> None:
        with stage.rt.database.transaction() as session:
            for statement in statements:
                session.execute(text(statement))

    return run


CHANGE = (
    "INSERT INTO destination_change ({scope}, paybill, account_number, from_paybill, from_account_number, state,"
    " asked_by, asked_at) VALUES (1, '600002', 'B1', '600001', 'A1', 'held', 'test', 1)"
)
SEEN: dict[str, tuple[Callable[[Stage], Any], Facts]] = {
    "nothing": (lambda _: None, FREE),
    "all payouts are stopped": (lambda stage: stopped(stage, None), replace(FREE, is_stopped=True)),
    "payouts to the owner are stopped": (lambda stage: stopped(stage, OWNER), replace(FREE, is_stopped=True)),
    "it is in a run": (proposed, replace(FREE, live=DisbursementStatus.PROPOSED)),
    "it is on its way": (
        sent,
        Facts(status=PayableStatus.PROCESSING, live=DisbursementStatus.PROCESSING, attempt=State.WAITING),
    ),
    "it failed": (failed, FAILED),
    "its failure left doubt": (doubtful, replace(FAILED, advice=Advice.ASK)),
    "a finding contradicts": (contradicted, replace(FAILED, is_contradicted=True)),
    "a callback is not read": (unread, replace(FAILED, is_contradicted=True)),
    "an answer of M-Pesa's is not read": (answer_unread, replace(FAILED, is_contradicted=True)),
    "a refund is under way": (refunding, replace(FREE, is_refund_under_way=True)),
    "a refund is contradicted": (refund_contradicted, replace(FREE, is_contradicted=True)),
    "it is taken back by an entry": (
        taken_back,
        Facts(
            status=PayableStatus.PROCESSING,
            live=DisbursementStatus.PROCESSING,
            attempt=State.WAITING,
            payment_status=PaymentStatus.REVERSED,
            is_taken_back=True,
        ),
    ),
    "the share is held": (lambda stage: held(stage, payable_id=SHARE), replace(FREE, hold=HoldKind.PERSON)),
    "the property is held": (lambda stage: held(stage, property_id=1), replace(FREE, hold=HoldKind.PERSON)),
    "the owner is held": (lambda stage: held(stage, owner_id=OWNER), replace(FREE, hold=HoldKind.PERSON)),
    "its own destination waits": (
        by_sql(CHANGE.format(scope="payable_id")),
        replace(FREE, destination=Refusal.DESTINATION_WAITING),
    ),
    "its property's destination waits": (
        by_sql(CHANGE.format(scope="property_id")),
        replace(FREE, destination=Refusal.DESTINATION_WAITING),
    ),
}


@pytest.mark.parametrize("name", SEEN)
def test_a_fact_is_seen_and_changes_nothing_else(stage: Stage, name: str) -> None:
    make, expected = SEEN[name]
    make(stage)
    assert facts(stage) == expected


def test_what_is_not_payable_yet_is_seen(stage: Stage) -> None:
    stage.later(days=-1)
    assert facts(stage) == replace(FREE, is_payable=False)


def test_a_receipt_that_did_not_come_is_seen(rt: Runtime) -> None:
    stage = Stage(rt)
    stage.place(stage.owner())
    stage.learn(stage.asked(), Moved(None, None))
    assert facts(stage) == replace(FREE, has_receipt=False)


@pytest.mark.parametrize(("way", "is_proved"), [("paybill", False), ("paybill", True), ("bank", True)])
def test_whether_money_is_proved_is_seen(rt: Runtime, way: str, is_proved: bool) -> None:
    stage = Stage(rt)
    place = stage.place(stage.owner())
    stage.allocated(stage.came(8000, way=way, is_proved=is_proved), place, 8000)
    assert facts(stage) == replace(FREE, is_proved=is_proved)


def test_a_float_that_ran_out_in_the_run_is_seen(stage: Stage) -> None:
    began = stage.now
    failed(stage)
    assert facts(stage, since=began) == replace(FAILED, float_ran_out=True)
    assert facts(stage, since=began + timedelta(seconds=1)) == FAILED
    assert facts(stage) == FAILED


def test_our_own_short_code_is_seen(stage: Stage) -> None:
    assert facts(stage, own="600001") == replace(FREE, destination=Refusal.OWN_PAYBILL)


def test_a_destination_that_nobody_confirmed_is_seen_where_it_must_be(stage: Stage) -> None:
    assert facts(stage, must_be_known=True) == replace(FREE, destination=Refusal.DESTINATION_UNKNOWN)
