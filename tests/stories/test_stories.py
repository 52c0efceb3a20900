"""The stories of the model, each with its one outcome, on both databases. Rent 10,000, fee 5 %, unless said."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from rentpay_cli.core.callbacks import Address
from rentpay_cli.core.evidence import Moved, Source, Unanswered
from rentpay_cli.core.payout import HoldKind, PayableKind, PaymentStatus, RefundWay, Refusal, StopKind
from rentpay_cli.errors import RuleRefused
from rentpay_cli.flows import collect, paybill, register
from rentpay_cli.flows.disburse import Plan, plan_retry
from rentpay_cli.flows.learn import learn
from rentpay_cli.flows.resolve import read_ruling, resolve
from rentpay_cli.flows.send import Sent, Settled, Unclear
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import inbox, payments, stops
from rentpay_cli.store.attempts import token_sha256
from rentpay_cli.store.write import disbursements, holds, money_in, payables, refunds, runs
from tests.stories.stage import FAILED, Stage, requested, two_admins
from tests.support.paying import refusal
from tests.support.scripted import script


@pytest.fixture
def stage(rt: Runtime) -> Stage:
    return Stage(rt)


# --- a transfer and what becomes of it --------------------------------------------------------------------------------


def test_1_a_prompt_is_paid_and_the_share_sent(stage: Stage) -> None:
    owner = stage.owner()
    payment = stage.rent(stage.place(owner))
    assert isinstance(stage.disburse(payment), Sent)
    stage.moved(stage.newest())
    assert (stage.transfers("completed"), stage.owed(owner), stage.fees()) == ([9500], 0, 500)


def test_2_a_query_says_paid_and_the_receipt_comes_later(stage: Stage) -> None:
    stage.place(stage.owner())
    payment = stage.asked()
    stage.learn(payment, Moved(None, None))
    assert refusal(stage.disburse(payment)) == Refusal.NO_RECEIPT
    stage.learn(payment, Moved("SKR0000001", None))
    assert stage.rows("SELECT way, receipt FROM money_in") == [{"way": "stk", "receipt": "SKR0000001"}]
    assert isinstance(stage.disburse(payment), Sent)


def test_3_a_receipt_for_a_second_payment_is_refused(stage: Stage) -> None:
    stage.place(stage.owner())
    first, second = stage.asked(), stage.asked()
    stage.learn(first, Moved("SKR0000001", None))
    stage.learn(second, Moved("SKR0000001", None))
    assert stage.payment(second)["status"] == "pending"
    assert [row["kind"] for row in stage.rows("SELECT kind FROM finding")] == ["mismatch"]
    assert len(stage.rows("SELECT id FROM money_in")) == 1


def test_4_three_rents_to_one_destination_go_in_one_transfer(stage: Stage) -> None:
    owner = stage.owner()
    place = stage.place(owner)
    three = [stage.rent(place) for _ in range(3)]
    (transfer,) = stage.run(owner).transfers
    stage.hears(transfer, Moved("SKT0000001", None, charge_cents=4800))
    assert stage.transfers("completed") == [28_500]
    assert {stage.payment(each)["disbursement_id"] for each in three} == {transfer}
    assert {stage.payment(each)["transfer_members"] for each in three} == {3}
    assert stage.rows("SELECT fee_cents, charge_cents FROM revenue_day") == [
        {"fee_cents": 150_000, "charge_cents": 4800}
    ]


def test_5_a_moved_share_goes_on_its_own_after_a_failure(stage: Stage) -> None:
    owner = stage.owner()
    place = stage.place(owner)
    three = [stage.rent(place) for _ in range(3)]
    (first,) = stage.run(owner).transfers
    stage.failed(first)
    stage.later(hours=1)
    with stage.rt.database.transaction() as session:
        payables.redirect(session, payables.get(session, stage.share(three[0])), ("600002", "B1"))
    for number in stage.run(owner).transfers:
        stage.moved(number)
    assert (stage.transfers("failed"), stage.transfers("completed")) == ([28_500], [19_000, 9500])
    assert [stage.payment(each)["transfer_cents"] for each in three] == [950_000, 1_900_000, 1_900_000]
    assert stage.payment(three[0])["owner_paybill"] == "600001", "where it was to go at first stays"


def test_6_what_is_unclear_is_not_sent_again_by_anybody(stage: Stage) -> None:
    owner = stage.owner()
    payment = stage.rent(stage.place(owner))
    script(stage.rt, lambda *_: Unanswered("no answer came"))
    assert isinstance(stage.disburse(payment), Unclear)
    assert refusal(stage.disburse(payment)) == Refusal.UNCLEAR
    plan = plan_retry(stage.rt)
    assert isinstance(plan, Plan)
    assert plan.sends == ()
    assert stage.run(owner).transfers == ()
    assert stage.rows("SELECT live FROM disbursement_member") == [{"live": 1}]
    assert stage.owed(owner) == 9500


# --- contrary evidence ------------------------------------------------------------------------------------------------


def failed_and_then_paid(stage: Stage) -> tuple[int, int]:
    """A transfer that failed, and then M-Pesa says that it was made: the payment and the transfer."""
    payment = stage.rent(stage.place(stage.owner()))
    stage.disburse(payment)
    transfer = stage.newest()
    stage.failed(transfer)
    stage.hears(transfer, Moved("SKT0000001", None))
    return payment, transfer


def test_7_a_success_after_a_failure_holds_and_is_ruled_moved(stage: Stage) -> None:
    payment, _ = failed_and_then_paid(stage)
    assert refusal(stage.disburse(payment)) == Refusal.CONTRARY
    plan = plan_retry(stage.rt)
    assert isinstance(plan, Plan)
    assert plan.sends == ()
    resolve(stage.rt, read_ruling(payment, "SKT0000001", False, "on the statement"))
    assert stage.payment(payment)["disbursement_status"] == "completed"
    assert (stage.transfers("completed"), stage.owed(1), stage.fees()) == ([9500], 0, 500)
    assert stage.rows("SELECT id FROM hold WHERE ended_at IS NULL") == []


def test_8_a_success_after_a_failure_is_ruled_not_moved_by_two_persons(stage: Stage) -> None:
    payment, transfer = failed_and_then_paid(stage)
    (attempt,) = stage.rows("SELECT id FROM attempt WHERE disbursement_id = :id", id=transfer)
    with stage.rt.database.transaction() as session:
        two_admins(session)
        requested(session, "ruling", {"attempt_id": attempt["id"]}, 1, 2)
    resolve(stage.rt, read_ruling(payment, None, True, "not on the statement"))
    assert stage.rows("SELECT id FROM hold WHERE ended_at IS NULL") == []
    assert isinstance(stage.disburse(payment), Sent)
    assert stage.transfers("processing") == [9500]


def sent_twice(stage: Stage) -> int:
    """A transfer failed, the next was made, and then the first one's success came and was ruled so: the payment."""
    payment = stage.rent(stage.place(stage.owner()))
    stage.disburse(payment)
    first = stage.newest()
    stage.failed(first)
    stage.disburse(payment)
    stage.moved(stage.newest())
    stage.hears(first, Moved("SKT9999999", None))
    resolve(stage.rt, read_ruling(payment, "SKT9999999", False, "on the statement"))
    return payment


def test_9_what_was_sent_twice_the_owner_owes(stage: Stage) -> None:
    sent_twice(stage)
    assert stage.transfers("completed") == [9500, 9500]
    assert stage.entries() == [("paid_in_error", 9500, "completed"), ("to_recover", -9500, "pending")]
    assert (stage.owed(1), stage.fees()) == (-9500, 500)


def test_10_the_next_rent_settles_what_was_sent_twice(stage: Stage) -> None:
    sent_twice(stage)
    payment = stage.rent(1)
    assert isinstance(stage.disburse(payment), Settled)
    assert (stage.owed(1), stage.fees()) == (0, 1000)
    assert len(stage.transfers()) == 2


def test_what_was_sent_twice_is_sent_once_more_if_the_second_fails_after_all(stage: Stage) -> None:
    payment = stage.rent(stage.place(stage.owner()))
    stage.disburse(payment)
    first = stage.newest()
    stage.failed(first)
    stage.disburse(payment)
    second = stage.newest()
    stage.hears(first, Moved("SKT9999999", None))
    resolve(stage.rt, read_ruling(payment, "SKT9999999", False, "on the statement", 1))
    stage.failed(second)
    assert stage.owed(1) == 0, "the share is owed, and so is what was paid in error"
    assert isinstance(stage.disburse(payment), Settled)
    assert (stage.owed(1), stage.transfers("completed"), stage.fees()) == (0, [9500], 500)


# --- forming transfers ------------------------------------------------------------------------------------------------


def a_debt(stage: Stage, owner: int, shillings: int) -> None:
    with stage.rt.database.transaction() as session:
        payables.book_entry(
            session,
            PayableKind.REPAIR,
            owner_id=owner,
            amount_cents=-100 * shillings,
            at=stage.now,
            by="test",
            reason="the roof",
        )


def test_11_a_debt_goes_from_the_larger_destination_to_the_next(stage: Stage) -> None:
    owner = stage.owner()
    stage.share_of(owner, "A", 6000)
    stage.share_of(owner, "B", 8000)
    a_debt(stage, owner, 10_000)
    found = stage.run(owner)
    for number in found.transfers:
        stage.moved(number)
    assert (stage.transfers("completed"), stage.owed(owner)) == ([4000], 0)
    assert len(found.settled) == 1
    assert stage.rows("SELECT account_number FROM disbursement WHERE way = 'b2b'") == [{"account_number": "A"}]


def test_12_a_debt_that_is_larger_is_carried_and_nothing_sent(stage: Stage) -> None:
    owner = stage.owner()
    stage.share_of(owner, "A", 6000)
    a_debt(stage, owner, 10_000)
    assert stage.run(owner).transfers == ()
    assert (stage.owed(owner), stage.transfers()) == (-4000, [])
    assert stage.entries()[-1] == ("carried", -4000, "pending")


def test_13_cents_are_owed_until_the_next_transfer(stage: Stage) -> None:
    owner = stage.owner()
    place = stage.place(owner)
    stage.allocated(stage.came(10_000.50, way="bank"), place, 10_000.50)
    (first,) = stage.run(owner).transfers
    assert stage.transfers("processing") == [9500]
    assert stage.entries() == []
    stage.moved(first)
    assert stage.owed(owner) == 0.50
    stage.allocated(stage.came(10_000.50, way="bank"), place, 10_000.50)
    stage.later(days=1)
    (second,) = stage.run(owner).transfers
    stage.moved(second)
    assert (stage.transfers("completed"), stage.owed(owner)) == ([9500, 9501], 0)


def test_14_a_reserve_is_kept_and_let_go(stage: Stage) -> None:
    owner = stage.owner()
    sent = []
    for shillings, reserve in ((30_000, 5000), (10_000, 5000), (0, 0)):
        if shillings:
            stage.share_of(owner, "A", shillings)
        for number in stage.run(owner, reserve=reserve).transfers:
            stage.moved(number)
        sent.append(stage.transfers("completed")[-1])
        stage.later(days=1)
    assert (sent, stage.owed(owner)) == ([25_000, 10_000, 5000], 0)


def test_15_under_the_minimum_nothing_is_made(stage: Stage) -> None:
    owner = stage.owner()
    stage.share_of(owner, "A", 1800)
    assert stage.run(owner, minimum=2000).transfers == ()
    assert (stage.transfers(), stage.owed(owner)) == ([], 1800)


def test_16_two_processes_at_one_instant_make_one_run(stage: Stage) -> None:
    owner = stage.owner()
    place = stage.place(owner)
    for _ in range(3):
        stage.rent(place)
    gate = threading.Barrier(2)

    def propose(_: int) -> bool:
        gate.wait()
        try:
            with stage.rt.database.transaction() as session:
                return stage.propose(session, owner).run_id is not None
        except IntegrityError:
            return False

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(propose, range(2))) == [False, True]
    assert [row["n"] for row in stage.rows("SELECT count(*) AS n FROM disbursement_member GROUP BY payable_id")] == [
        1
    ] * 3


def test_18_a_run_whose_destination_moved_is_void(stage: Stage) -> None:
    owner = stage.owner()
    payment = stage.rent(stage.place(owner))
    found = stage.run(owner, send=False, needs_approval=True)
    with stage.rt.database.transaction() as session:
        disbursements.cancel_proposed(session, [stage.share(payment)])
        payables.redirect(session, payables.get(session, stage.share(payment)), ("600002", "B1"))
    assert stage.rows("SELECT status FROM payout_run") == [{"status": "void"}]
    assert stage.rows("SELECT live FROM disbursement_member") == [{"live": None}]
    assert stage.transfers("cancelled") == [9500]
    with pytest.raises(DBAPIError), stage.rt.database.transaction() as session:
        runs.approve(session, runs.get(session, found.run_id or 0))


def test_19_who_asked_cannot_confirm_by_sql_either(stage: Stage) -> None:
    owner = stage.owner()
    stage.rent(stage.place(owner))
    found = stage.run(owner, send=False, needs_approval=True)
    with stage.rt.database.transaction() as session:
        two_admins(session)
    with pytest.raises(DBAPIError), stage.rt.database.transaction() as session:
        requested(session, "run", {"payout_run_id": found.run_id or 0}, 1, 1)
    with pytest.raises(DBAPIError), stage.rt.database.transaction() as session:
        runs.approve(session, runs.get(session, found.run_id or 0))
    with stage.rt.database.transaction() as session:
        requested(session, "run", {"payout_run_id": found.run_id or 0}, 1, 2)
        runs.approve(session, runs.get(session, found.run_id or 0))
    assert isinstance(stage.claim(found.transfers[0]), int)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)  # SQLite has one writer at a time
def test_20_a_hold_and_a_claim_at_once_are_never_both(stage: Stage) -> None:
    place = stage.place(stage.owner())
    gate = threading.Barrier(2)
    won = {"held": 0, "sent": 0}
    for _ in range(25):
        payment = stage.rent(place)
        share = stage.share(payment)

        def hold(share: int = share) -> bool:
            gate.wait()
            with stage.rt.database.transaction() as session:
                (payable,) = payables.lock(session, [share])
                if payable.status != "pending":
                    return False  # it is on its way, and whoever holds it is told so
                return holds.place(session, HoldKind.PERSON, "wait", "test", stage.now, payable_id=share) is not None

        def send(payment: int = payment) -> bool:
            gate.wait()
            return isinstance(stage.disburse(payment), Sent)

        with ThreadPoolExecutor(2) as pool:
            held, sent = (each.result() for each in (pool.submit(hold), pool.submit(send)))
        assert held != sent
        won["held" if held else "sent"] += 1
    assert sum(won.values()) == 25


# --- money that goes back ---------------------------------------------------------------------------------------------


def refund(stage: Stage, payment: int, *, way: RefundWay = RefundWay.PORTAL, becomes: str = "completed") -> int:
    """The tenant's money goes back, or is on its way."""
    (row,) = stage.rows("SELECT money_in_id FROM payment WHERE id = :id", id=payment)
    with stage.rt.database.transaction() as session:
        money = money_in.get(session, row["money_in_id"])
        number = refunds.propose(session, money, way=way, reason="asked back", by="test", at=stage.now)
        found = refunds.get(session, number)
        if way is RefundWay.REVERSAL:
            refunds.send(session, found, f"refund {number}", stage.now)
        elif becomes == "completed":
            refunds.complete(session, found, stage.now, "test", receipt=f"SKV{number:07}", moved_at=stage.now)
    return number


def test_21_a_refund_before_the_payout_leaves_nothing_to_send(stage: Stage) -> None:
    payment = stage.rent(stage.place(stage.owner()))
    refund(stage, payment)
    row = stage.payment(payment)
    assert (row["status"], row["disbursement_status"], stage.owed(1), stage.fees()) == (
        "reversed",
        "not_required",
        0,
        0,
    )
    assert refusal(stage.disburse(payment)) == Refusal.REVERSED


def test_22_a_refund_after_the_payout_is_owed_by_the_owner(stage: Stage) -> None:
    payment = stage.rent(stage.place(stage.owner()))
    stage.disburse(payment)
    stage.moved(stage.newest())
    stage.later(days=1)
    refund(stage, payment)
    assert (stage.entries(), stage.owed(1)) == ([("reversal", -9500, "pending")], -9500)
    fees = stage.rows("SELECT day, fee_cents FROM revenue_day ORDER BY day")
    assert [(row["day"], row["fee_cents"]) for row in fees] == [(20261123, 50_000), (20261124, -50_000)]


def test_23_a_refund_is_refused_while_the_share_is_on_its_way(stage: Stage) -> None:
    payment = stage.rent(stage.place(stage.owner()))
    stage.disburse(payment)
    with pytest.raises(refunds.OnItsWay):
        refund(stage, payment)
    assert stage.rows("SELECT id FROM refund") == []


def test_24_a_portal_reversal_on_the_way_and_a_payout_that_fails_settle_each_other(stage: Stage) -> None:
    payment = stage.rent(stage.place(stage.owner()))
    stage.disburse(payment)
    transfer = stage.newest()
    with stage.rt.database.transaction() as session:  # M-Pesa's statement shows what a person did in the portal
        money = money_in.get(session, payments.get(session, payment).money_in_id or 0)
        known = {"reason": "on the statement", "receipt": "SKV0000001", "moved_at": stage.now}
        refunds.observe(session, money, stage.now, "test", **known)
    assert stage.owed(1) == 0
    stage.failed(transfer)
    assert (stage.owed(1), stage.fees(), stage.payment(payment)["disbursement_status"]) == (0, 0, "completed")
    assert stage.entries() == [("reversal", -9500, "completed")]
    assert refusal(stage.disburse(payment)) in (Refusal.COMPLETED, Refusal.REVERSED)


def test_25_a_refund_that_fails_lets_the_share_go_once(stage: Stage) -> None:
    payment = stage.rent(stage.place(stage.owner()))
    number = refund(stage, payment, way=RefundWay.REVERSAL)
    assert refusal(stage.disburse(payment)) == Refusal.REFUND
    (attempt,) = stage.rows("SELECT id FROM attempt WHERE refund_id = :id", id=number)
    with stage.rt.database.transaction() as session:
        learn(session, attempt["id"], FAILED, source=Source.CALLBACK, actor="test", at=stage.now)
    assert isinstance(stage.disburse(payment), Sent)
    assert stage.transfers() == [9500]


# --- what money is for ------------------------------------------------------------------------------------------------


def given_to_two(stage: Stage, *, sent_before: bool) -> tuple[int, int]:
    """8,000 that named nobody, given to the first owner's house, and then to the second owner's: the two owners."""
    one, two = stage.owner("Wanjiru Kamau"), stage.owner("Otieno Ouma")
    a4, b2 = stage.place(one, "A4"), stage.place(two, "B2")
    money = stage.came(8000)
    payment = stage.allocated(money, a4, 8000)
    if sent_before:
        stage.disburse(payment)
        stage.moved(stage.newest())
    with stage.rt.database.transaction() as session:
        refunds.reallocate(session, payments.get(session, payment), stage.now, "test")
        stage._allocate(session, money, b2, 800_000)
    return one, two


def test_26_money_given_to_another_before_sending_is_the_others(stage: Stage) -> None:
    one, two = given_to_two(stage, sent_before=False)
    assert [row["status"] for row in stage.rows("SELECT status FROM payment ORDER BY id")] == ["reversed", "success"]
    assert (stage.owed(one), stage.owed(two)) == (0, 7600)


def test_27_money_given_to_another_after_sending_is_owed_by_the_one(stage: Stage) -> None:
    one, two = given_to_two(stage, sent_before=True)
    assert (stage.owed(one), stage.owed(two)) == (-7600, 7600)
    assert stage.entries() == [("reallocated", -7600, "pending")]
    assert stage.fees() == 0


def test_28_one_receipt_pays_for_two_units_and_no_shilling_more(stage: Stage) -> None:
    owner = stage.owner()
    a4, b2 = stage.place(owner, "A4"), stage.place(owner, "B2")
    money = stage.came(40_000)
    stage.allocated(money, a4, 25_000)
    stage.allocated(money, b2, 15_000)
    with pytest.raises(DBAPIError):
        stage.allocated(money, b2, 1)
    assert stage.rows("SELECT allocated_cents FROM money_in") == [{"allocated_cents": 4_000_000}]


def test_29_cash_that_the_owner_received_costs_him_its_fee(stage: Stage) -> None:
    owner = stage.owner()
    place = stage.place(owner)
    booked = collect.record_payment(stage.rt, property_reference=str(place), amount_cents=1_000_000, method="cash")
    with stage.rt.database.transaction() as session:
        payables.book_entry(
            session,
            PayableKind.FEE_COLLECTED_BY_OWNER,
            owner_id=owner,
            amount_cents=-50_000,
            at=stage.now,
            by="test",
            payment_id=booked.payment_id,
            property_id=place,
        )
    assert refusal(stage.disburse(booked.payment_id)) == Refusal.NOT_REQUIRED
    stage.disburse(stage.rent(place))
    stage.moved(stage.newest())
    assert (stage.transfers("completed"), stage.owed(owner), stage.fees()) == ([9000], 0, 1000)


def test_30_a_payout_that_comes_back_goes_with_the_next_transfer(stage: Stage) -> None:
    owner = stage.owner()
    place = stage.place(owner)
    stage.disburse(stage.rent(place))
    first = stage.newest()
    stage.moved(first)
    with stage.rt.database.transaction() as session:
        payables.book_entry(
            session,
            PayableKind.RETURNED,
            owner_id=owner,
            amount_cents=950_000,
            at=stage.now,
            by="test",
            disbursement_id=first,
            receipt="SKB0000001",
        )
    assert stage.transfers("completed") == [9500]
    stage.rent(place)
    for number in stage.run(owner).transfers:
        stage.moved(number)
    assert (stage.transfers("completed"), stage.owed(owner)) == ([9500, 19_000], 0)


# --- by hand ----------------------------------------------------------------------------------------------------------


def test_31_what_was_paid_by_hand_is_not_sent(stage: Stage) -> None:
    payment = stage.rent(stage.place(stage.owner()))
    with stage.rt.database.transaction() as session:
        disbursements.pay_by_hand(
            session, [stage.share(payment)], stage.now, "test", receipt="SKH0000001", moved_at=stage.now
        )
    assert (stage.transfers("completed"), stage.owed(1), stage.fees()) == ([9500], 0, 500)
    assert refusal(stage.disburse(payment)) == Refusal.COMPLETED


def test_32_what_was_paid_by_hand_although_it_was_sent_is_owed_and_the_owner_stopped(stage: Stage) -> None:
    owner = stage.owner()
    payment = stage.rent(stage.place(owner))
    stage.disburse(payment)
    stage.moved(stage.newest())
    with stage.rt.database.transaction() as session:
        stops.stop(session, StopKind.STATEMENT, "paid by hand as well", "test", stage.now, owner_id=owner)
        disbursements.pay_by_hand(
            session, [stage.share(payment)], stage.now, "test", receipt="SKH0000001", moved_at=stage.now
        )
    assert stage.entries() == [("paid_in_error", 9500, "completed"), ("to_recover", -9500, "pending")]
    assert (stage.transfers("completed"), stage.owed(owner)) == ([9500, 9500], -9500)
    assert refusal(stage.disburse(stage.rent(1))) == Refusal.STOPPED


# --- where it goes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("moves", [True, False])
def test_34_a_share_waits_for_a_change_of_its_property_and_goes_where_it_was_told(stage: Stage, moves: bool) -> None:
    payment = stage.rent(stage.place(stage.owner()))
    register.edit_property(stage.rt, "1", paybill="600002", account_number="B1")
    assert refusal(stage.disburse(payment)) == Refusal.DESTINATION_WAITING
    paybill.confirm(stage.rt, paybill.proposal(stage.rt, "1"))
    if moves:
        with stage.rt.database.transaction() as session:
            payables.redirect(session, payables.get(session, stage.share(payment)), ("600002", "B1"))
    assert isinstance(stage.disburse(payment), Sent)
    (sent,) = stage.rows("SELECT paybill, account_number FROM disbursement")
    assert tuple(sent.values()) == (("600002", "B1") if moves else ("600001", "A1"))


@pytest.mark.parametrize("state", ["new", "held"])
def test_36_what_is_not_read_or_is_held_about_a_failure_keeps_the_share(stage: Stage, state: str) -> None:
    stage.place(stage.owner())
    tokens: list[str] = []
    new_token = stage.rt.new_token
    stage.rt.new_token = lambda: tokens.append(new_token()) or tokens[-1]  # type: ignore[func-returns-value]
    payment = stage.paid()
    stage.disburse(payment)
    stage.failed(stage.newest())
    inbox.append(stage.rt.database, [(Address.PAYOUT, tokens[-1], None, b'{"Result": {"ResultCode": 0}}')], stage.now)
    if state == "held":
        with stage.rt.database.transaction() as session:
            session.execute(text("UPDATE inbox SET state = 'held', outcome = 'from elsewhere'"))
    assert stage.rows("SELECT state, token_sha256 FROM inbox") == [
        {"state": state, "token_sha256": token_sha256(tokens[-1])}
    ]
    assert refusal(stage.disburse(payment)) == Refusal.CONTRARY
    ruling = read_ruling(payment, None, True, "not on the statement")
    if state == "new":
        with pytest.raises(RuleRefused, match="not read yet"):
            resolve(stage.rt, ruling)
    else:
        resolve(stage.rt, ruling)
        assert isinstance(stage.disburse(payment), Sent)


def test_37_a_closed_finding_does_not_let_the_share_go(stage: Stage) -> None:
    payment, _ = failed_and_then_paid(stage)
    with stage.rt.database.transaction() as session:
        session.execute(text("UPDATE finding SET closed_at = 1, closed_by = 'test', closed_reason = 'seen'"))
    assert refusal(stage.disburse(payment)) == Refusal.CONTRARY


def test_38_money_goes_neither_to_an_unknown_place_nor_to_ourselves(stage: Stage) -> None:
    payment = stage.rent(stage.place(stage.owner()))
    share = stage.share(payment)

    def reason(**rules: Any) -> Refusal | None:
        with stage.rt.database.transaction() as session:
            (found,) = payables.candidates(session, [share], stage.now, **rules)
            return found.facts.destination

    assert reason(must_be_known=True) is Refusal.DESTINATION_UNKNOWN
    assert reason(own="600001") is Refusal.OWN_PAYBILL
    with stage.rt.database.transaction() as session:
        session.execute(
            text(
                "INSERT INTO known_destination (paybill, account_number, confirmed_by, confirmed_at)"
                " VALUES ('600001', 'A1', 'test', 1)"
            )
        )
    assert reason(must_be_known=True) is None


def test_39_a_hold_whose_time_was_over_can_be_placed_again(stage: Stage) -> None:
    payment = stage.rent(stage.place(stage.owner()))
    share = stage.share(payment)
    yesterday = stage.now - timedelta(days=1)
    with stage.rt.database.transaction() as session:
        holds.place(session, HoldKind.PERSON, "a look", "test", yesterday, payable_id=share, until=yesterday)
    with stage.rt.database.transaction() as session:
        assert holds.place(session, HoldKind.PERSON, "another", "test", stage.now, payable_id=share) is not None
    assert refusal(stage.disburse(payment)) == "held"
    assert [row["ended_reason"] for row in stage.rows("SELECT ended_reason FROM hold ORDER BY id")] == [
        "its time was over",
        None,
    ]


def test_40_a_reserve_larger_than_a_destination_is_kept_of_the_next(stage: Stage) -> None:
    owner = stage.owner()
    stage.share_of(owner, "A", 4000)
    stage.share_of(owner, "B", 3000)
    (number,) = stage.run(owner, reserve=5000).transfers
    stage.moved(number)
    assert (stage.transfers("completed"), stage.owed(owner)) == ([2000], 5000)
    assert stage.rows("SELECT account_number FROM disbursement") == [{"account_number": "B"}]


def test_41_more_than_mpesa_moves_goes_in_parts(stage: Stage) -> None:
    owner = stage.owner()
    for _ in range(3):
        stage.share_of(owner, "A", 200_000)
    a_debt(stage, owner, 250_000)
    for number in stage.run(owner).transfers:
        stage.moved(number)
    assert (stage.transfers("completed"), stage.owed(owner)) == ([150_000, 200_000], 0)


def test_43_what_was_approved_is_what_leaves(stage: Stage) -> None:
    owner = stage.owner()
    stage.share_of(owner, "A", 6000)
    stage.share_of(owner, "B", 8000)
    a_debt(stage, owner, 10_000)
    found = stage.run(owner, send=False, needs_approval=True)
    assert len(found.settled) == 1
    with pytest.raises(DBAPIError):
        stage.claim(found.transfers[0])
    with stage.rt.database.transaction() as session:
        two_admins(session)
        requested(session, "run", {"payout_run_id": found.run_id or 0}, 1, 2)
        runs.approve(session, runs.get(session, found.run_id or 0))
    stage.claim(found.transfers[0])
    stage.moved(found.transfers[0])
    assert (stage.transfers("completed"), stage.owed(owner)) == ([4000], 0)


def test_44_two_processes_keep_a_reserve_once(stage: Stage) -> None:
    owner = stage.owner()
    stage.share_of(owner, "A", 20_000)
    stage.share_of(owner, "B", 10_000)
    gate = threading.Barrier(2)

    def claim(_: int) -> tuple[int, ...]:
        gate.wait()
        try:
            with stage.rt.database.transaction() as session:
                return stage.propose(session, owner, reserve_cents=500_000).transfers
        except IntegrityError:
            return ()

    with ThreadPoolExecutor(2) as pool:
        made = [number for numbers in pool.map(claim, range(2)) for number in numbers]
    assert len(made) == 2
    assert sum(stage.transfers()) == 25_000


def test_money_that_names_nobody_is_not_sent_before_it_is_proved(stage: Stage) -> None:
    owner = stage.owner()
    payment = stage.allocated(stage.came(8000, is_proved=False), stage.place(owner), 8000)
    assert refusal(stage.disburse(payment)) == Refusal.NOT_PROVED
    with stage.rt.database.transaction() as session:
        money_in.prove(session, money_in.get(session, 1), "test", stage.now)
    assert isinstance(stage.disburse(payment), Sent)
    assert stage.payment(payment)["status"] == PaymentStatus.SUCCESS


def test_what_was_approved_is_asked_about_again_before_it_leaves(stage: Stage) -> None:
    owner = stage.owner()
    held, contrary = (stage.share_of(owner, account, 1000) for account in "AB")
    found = stage.run(owner, send=False)
    with stage.rt.database.transaction() as session:
        holds.place(session, HoldKind.PERSON, "a look", "test", stage.now, payable_id=stage.share(held))
        holds.place(session, HoldKind.EVIDENCE, "odd", "rentpay", stage.now, payable_id=stage.share(contrary))
        runs.approve(session, runs.get(session, found.run_id or 0))
    assert [stage.claim(number) for number in found.transfers] == [
        {stage.share(held): Refusal.HELD},
        {stage.share(contrary): Refusal.CONTRARY},
    ]
    assert stage.transfers("proposed") == [1000] * 2


def test_what_is_proposed_and_was_paid_by_hand_is_ruled_paid(stage: Stage) -> None:
    owner = stage.owner()
    payment = stage.share_of(owner, "A", 1000)
    stage.run(owner, send=False)
    resolve(stage.rt, read_ruling(payment, "SKT9999999", False, "on the statement"))
    assert (stage.transfers("completed"), stage.transfers("cancelled")) == ([1000], [1000])
    assert stage.rows("SELECT status FROM payout_run") == [{"status": "void"}]


def test_a_run_beside_what_moved_after_all_is_void(stage: Stage) -> None:
    owner = stage.owner()
    payment = stage.share_of(owner, "A", 1000)
    (number,) = stage.run(owner).transfers
    stage.failed(number)
    stage.later(days=1)
    stage.share_of(owner, "B", 2000)
    stage.run(owner, send=False)
    resolve(stage.rt, read_ruling(payment, "SKT9999999", False, "on the statement", 1))
    assert (stage.transfers("completed"), stage.transfers("cancelled")) == ([1000], [2000, 1000])
    assert [row["status"] for row in stage.rows("SELECT status FROM payout_run ORDER BY id")] == ["approved", "void"]
