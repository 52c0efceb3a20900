"""Paying owners: once, whatever happens between the commits and the wire."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from rentpay_cli.core.codes import Advice
from rentpay_cli.core.evidence import Acknowledged, Refused, Unanswered
from rentpay_cli.errors import MpesaUnreachable, NotFound
from rentpay_cli.flows import collect
from rentpay_cli.flows.brake import Run, send_all
from rentpay_cli.flows.disburse import Preview, disburse, due, plan_retry, preview
from rentpay_cli.flows.send import Held, NotSent, Sent, Unclear
from tests.support.paying import pay_due, refusal
from tests.support.scripted import Killed, script, token_of
from tests.support.world import World


def settled(world: World, payment_id: int, status: str = "completed") -> None:
    world.read_until(lambda: world.payment(payment_id)["disbursement_status"] == status)


def test_what_is_booked_is_what_is_sent(world: World) -> None:
    world.let(rent="10003", fee_percentage="3.7")
    payment_id = world.paid_rent()
    disburse(world.rt, payment_id)
    settled(world, payment_id)
    row = world.payment(payment_id)
    assert row["amount_cents"] == row["fee_cents"] + row["share_cents"]
    assert [item["amount"] * 100 for item in world.transfers("b2b")] == [row["share_cents"]]
    assert row["mpesa_charge_cents"] == world.transfers("b2b")[0]["charge"] * 100


@pytest.mark.parametrize(
    "fault",
    ["b2b:lost", "b2b:503-after", "b2b:html", "b2b:empty", "b2b:503-before"],
)
def test_a_payout_without_a_usable_answer_is_unclear_and_never_sent_again(world: World, fault: str) -> None:
    world.let()
    payment_id = world.paid_rent()
    world.fault(fault)
    world.fault("b2b:no-callback")
    assert isinstance(disburse(world.rt, payment_id), Unclear)
    row = world.payment(payment_id)
    assert (row["disbursement_status"], row["payout_state"]) == ("processing", "unclear")
    before = len(world.transfers("b2b"))
    assert refusal(disburse(world.rt, payment_id)) == "outcome_unclear"
    assert plan_retry(world.rt).sends == ()
    assert len(world.transfers("b2b")) == before <= 1


@pytest.mark.parametrize("fault", ["b2b:lost", "b2b:503-after", "b2b:html", "b2b:empty"])
def test_the_callback_finds_its_attempt_although_the_answer_was_lost(world: World, fault: str) -> None:
    world.let()
    payment_id = world.paid_rent()
    world.fault(fault)
    assert isinstance(disburse(world.rt, payment_id), Unclear)
    settled(world, payment_id)
    assert world.payment(payment_id)["transaction_id"] == world.transfers("b2b")[0]["receipt"]
    assert len(world.transfers("b2b")) == 1


@pytest.mark.parametrize("fault", ["b2b:callback-twice", "b2b:callback-early"])
def test_a_payout_is_settled_once_whatever_the_order_of_its_callbacks(world: World, fault: str) -> None:
    world.let()
    payment_id = world.paid_rent()
    world.fault(fault)
    disburse(world.rt, payment_id)
    settled(world, payment_id)
    world.read()
    assert world.findings() == []
    assert len(world.transfers("b2b")) == 1


def test_a_queue_timeout_is_unclear_and_not_failed(world: World) -> None:
    world.let()
    payment_id = world.paid_rent()
    world.fault("b2b:queue-timeout")
    disburse(world.rt, payment_id)
    world.read_until(lambda: world.payment(payment_id)["payout_state"] == "unclear")
    assert world.payment(payment_id)["disbursement_status"] == "processing"
    bodies = [bytes(row["body"]) for row in world.rt.reader.rows("SELECT body FROM inbox WHERE path = 'timeout'")]
    assert bodies
    assert all(world.rt.settings.security_credential.encode() not in body for body in bodies)


def test_insufficient_funds_fail_the_disbursement_and_a_topped_up_retry_pays_it(world: World) -> None:
    world.let()
    payment_id = world.paid_rent()
    world.set_float(100)
    disburse(world.rt, payment_id)
    settled(world, payment_id, "failed")
    assert world.payment(payment_id)["disbursement_failure_code"] == "1"
    world.set_float(100_000)
    run = send_all(world.rt, plan_retry(world.rt).sends)
    assert run.accepted == [payment_id]
    settled(world, payment_id)
    assert [row["state"] for row in world.attempts(payment_id)] == ["not_moved", "moved"]
    assert len(world.transfers("b2b")) == 1


def test_a_failure_that_must_be_mended_first_is_left_alone_by_the_bulk_retry(world: World) -> None:
    world.let(paybill="999999")
    payment_id = world.paid_rent()
    disburse(world.rt, payment_id)
    settled(world, payment_id, "failed")
    assert world.payment(payment_id)["disbursement_failure_code"] == "SFC_IC0003"
    plan = plan_retry(world.rt)
    assert (plan.sends, plan.left_alone) == ((), 1)
    assert len(plan_retry(world.rt, mended=(Advice.MEND_FIRST,)).sends) == 1


def test_an_internal_failure_is_not_sent_again_before_somebody_looked(world: World) -> None:
    world.let()
    payment_id = world.paid_rent()
    world.fault("b2b:result,code=17")
    disburse(world.rt, payment_id)
    settled(world, payment_id, "failed")
    assert plan_retry(world.rt).sends == ()
    assert refusal(disburse(world.rt, payment_id)) == "not_certain"


def test_a_duplicate_or_overload_code_leaves_the_payout_unclear(world: World) -> None:
    world.let()
    payment_id = world.paid_rent()
    world.fault("b2b:result,code=15")
    disburse(world.rt, payment_id)
    world.read_until(lambda: world.payment(payment_id)["payout_state"] == "unclear")


def test_nothing_is_sent_when_there_is_no_token(world: World) -> None:
    world.let()
    payment_id = world.paid_rent()
    world.rt.mpesa.close()
    del world.rt.__dict__["mpesa"]
    world.with_settings(base_url="http://127.0.0.1:9", consumer_key="another")
    with pytest.raises(MpesaUnreachable, match="nothing was sent"):
        disburse(world.rt, payment_id)
    assert world.payment(payment_id)["disbursement_status"] == "pending"
    assert world.attempts(payment_id) == []


def test_each_refusal_says_why(world: World) -> None:
    world.let()
    rt = world.rt
    refusals = {}

    def refused(payment_id: int) -> str:
        return refusal(disburse(rt, payment_id))

    asked = collect.initiate(rt, property_reference="1", phone="0722000104")
    refusals["not paid"] = refused(asked.payment_id)
    failed = collect.initiate(rt, property_reference="1", phone="0722000101")
    world.read_until(lambda: world.payment(failed.payment_id)["status"] == "failed")
    refusals["failed"] = refused(failed.payment_id)
    cash = collect.record_payment(rt, property_reference="1", amount_cents=100_000, method="cash")
    refusals["cash"] = refused(cash.payment_id)
    paid = world.paid_rent("0722000111")
    disburse(rt, paid)
    settled(world, paid)
    refusals["completed"] = refused(paid)
    assert refusals == {
        "not paid": "not_paid",
        "failed": "payment_failed",
        "cash": "not_required",
        "completed": "already_completed",
    }
    with pytest.raises(NotFound):
        disburse(rt, 999)


def test_a_preview_sends_nothing(world: World) -> None:
    world.let()
    payment_id = world.paid_rent()
    planned = preview(world.rt, payment_id)
    assert isinstance(planned, Preview)
    assert (planned.amount_cents, planned.fee_cents, planned.paybill) == (950_000, 50_000, "600001")
    assert world.attempts(payment_id) == []


def test_of_eight_operators_one_pays_and_seven_are_told(world: World) -> None:
    world.let()
    payment_id = world.paid_rent()
    start = threading.Barrier(8)
    outcomes: list[str] = []

    def operator() -> None:
        start.wait()
        outcome = disburse(world.rt, payment_id)
        outcomes.append("sent" if isinstance(outcome, Sent) else refusal(outcome))

    threads = [threading.Thread(target=operator) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    settled(world, payment_id)
    assert outcomes.count("sent") == 1
    assert len(world.transfers("b2b")) == 1


def test_the_oldest_shares_are_due_first_a_page_at_a_time(world: World) -> None:
    world.let(rent="100")
    numbers = [world.paid_rent(f"07220004{n:02}") for n in range(10, 15)]
    assert [item.payment_id for item in due(world.rt, 2)] == numbers[:2]
    first = due(world.rt, 2)
    assert [item.payment_id for item in due(world.rt, 2, after=first[-1].payable_id)] == numbers[2:4]


def one_goes_through(world: World) -> None:
    """A payout is paid, so that those after it need no trial."""
    payment_id = world.paid_rent("0722000999")
    disburse(world.rt, payment_id)
    settled(world, payment_id)


def fail_once(world: World, numbers: list[int]) -> None:
    """Every share is sent, and fails for a reason that lies with its receiver."""
    for _ in numbers:
        world.fault("b2b:result,code=8")
    assert pay_due(world.rt).accepted == numbers
    world.read_until(lambda: len(plan_retry(world.rt).sends) == len(numbers))


def test_the_bulk_retry_takes_all_and_goes_on_after_a_failure(world: World) -> None:
    world.let(rent="100")
    numbers = [world.paid_rent(f"07220002{n:02}") for n in range(10, 23)]
    fail_once(world, numbers)
    one_goes_through(world)
    world.fault("b2b:503-before")
    ticks: list[int] = []
    run = send_all(world.rt, plan_retry(world.rt).sends, on_progress=lambda: ticks.append(1))
    assert (run.total, len(run.accepted), len(run.unclear)) == (13, 12, 1)
    assert len(ticks) == 13


def test_two_bulk_retries_at_once_send_each_share_once(world: World) -> None:
    world.let(rent="100")
    numbers = [world.paid_rent(f"07220003{n:02}") for n in range(10, 18)]
    fail_once(world, numbers)
    runs: list[Run] = []
    plans = [plan_retry(world.rt), plan_retry(world.rt)]
    threads = [
        threading.Thread(target=lambda shares=plan.sends: runs.append(send_all(world.rt, shares, at_once=4)))
        for plan in plans
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in numbers:
        settled(world, number)
    assert sum(len(run.accepted) for run in runs) == 8
    assert sum(len(run.skipped) for run in runs) == 8
    assert len(world.transfers("b2b")) == 8


# --- a process that dies at every commit point -----------------------------------------------------------------------


def die(*_: object, **__: object) -> Refused:
    raise Killed


def test_killed_before_the_intention_is_committed_nothing_happened(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.let()
    payment_id = world.paid_rent()
    with monkeypatch.context() as patched:
        patched.setattr("rentpay_cli.flows.disburse.claim", die)
        with pytest.raises(Killed):
            disburse(world.rt, payment_id)
    assert world.payment(payment_id)["disbursement_status"] == "pending"
    disburse(world.rt, payment_id)
    settled(world, payment_id)
    assert len(world.transfers("b2b")) == 1


def test_killed_after_the_intention_the_share_is_not_sent_again(world: World) -> None:
    world.let()
    payment_id = world.paid_rent()
    script(world.rt, die)
    with pytest.raises(Killed):
        disburse(world.rt, payment_id)
    assert world.payment(payment_id)["payout_state"] == "sending"
    mpesa = script(world.rt)
    assert refusal(disburse(world.rt, payment_id)) == "under_way"
    assert mpesa.sent == []


def test_killed_between_the_answer_and_saving_it_the_callback_still_settles_it(world: World) -> None:
    world.let()
    payment_id = world.paid_rent()
    real = world.rt.__dict__.pop("mpesa")

    def send_and_die(kind: str, request: dict[str, Any]) -> Acknowledged:
        assert isinstance(real.b2b_payment(**request), Acknowledged)
        raise Killed

    script(world.rt, send_and_die)
    with pytest.raises(Killed):
        disburse(world.rt, payment_id)
    settled(world, payment_id)
    assert len(world.transfers("b2b")) == 1
    assert isinstance(disburse(world.rt, payment_id), NotSent | Held)
    real.close()


def test_no_transaction_is_open_while_the_request_is_on_the_wire(world: World) -> None:
    world.let()
    payment_id = world.paid_rent()

    def answer(kind: str, request: dict[str, Any]) -> Unanswered:
        with world.rt.database.transaction() as session:  # would wait for ever behind an open one
            session.connection()
        return Unanswered("read timeout")

    mpesa = script(world.rt, answer)
    assert isinstance(disburse(world.rt, payment_id), Unclear)
    ((_, request),) = mpesa.sent
    assert len(token_of(request)) == 32
