"""Ending doubt: chasing what is quiet, ruling on what M-Pesa does not say, and stopping before more harm is done."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest

from rentpay_cli.core.attempt import Direction, State
from rentpay_cli.core.clock import to_milliseconds
from rentpay_cli.core.evidence import Acknowledged, Moved, NotMoved, Unanswered
from rentpay_cli.core.findings import TABLE, FindingKind
from rentpay_cli.core.payout import HoldKind, StopKind
from rentpay_cli.daraja.incoming import QuestionFailed, StillPending
from rentpay_cli.errors import RuleRefused, WrongUse
from rentpay_cli.flows import collect, resolve
from rentpay_cli.flows import register as registering
from rentpay_cli.flows.chase import Chased, chase
from rentpay_cli.flows.disburse import disburse, due, plan_retry
from rentpay_cli.flows.learn import Source, learn_about, stop_by_itself
from rentpay_cli.flows.payouts import resume_payouts, stop_payouts
from rentpay_cli.flows.read_inbox import COLLECTION, PAYOUT, read_inbox
from rentpay_cli.flows.send import Held, NotSent, Sent, Unclear
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import attempts, health_reads, inbox, journal, readonly, reads
from rentpay_cli.store.inbox import Reading
from rentpay_cli.store.write import holds
from tests.flows.test_callbacks import not_paid, paid, result
from tests.support.beginnings import Begin
from tests.support.paying import pay_due, refusal
from tests.support.scripted import Killed, script, token_of
from tests.support.world import World

MINUTE = timedelta(minutes=1)


def one_house(rt: Runtime) -> None:
    registering.add_owner(rt, name="Wanjiru Kamau")
    registering.add_property(
        rt, name="Sunset", owner_reference="1", paybill="600001", account_number="PROP001", rent="10000"
    )


class Desk:
    """A runtime whose clock and M-Pesa the test moves."""

    def __init__(self, rt: Runtime) -> None:
        self.rt = rt
        self.now = rt.now().replace(microsecond=0)
        rt.now = self.clock
        self.answers: dict[str, Any] = {}
        self.mpesa = script(rt, self.answer)

    def clock(self) -> datetime:
        return self.now

    def later(self, **duration: float) -> None:
        self.now += timedelta(**duration)

    def answer(self, kind: str, request: dict[str, Any]) -> Any:
        answer = self.answers.get(kind)
        if isinstance(answer, BaseException):
            raise answer
        if answer is not None:
            return answer
        number = len(self.mpesa.sent)
        if kind == "stk":
            return Acknowledged(checkout_request_id=f"ws_CO_{number}", merchant_request_id=f"m-{number}")
        return Acknowledged(conversation_id=f"AG_{number}", originator_conversation_id=f"o-{number}")

    def ask(self) -> str:
        collect.initiate(self.rt, property_reference="1", phone="0722000111", force=True)
        return token_of(self.mpesa.sent[-1][1])

    def paid(self) -> int:
        token = self.ask()
        self.arrives(COLLECTION, token, paid(checkout=f"ws_CO_{len(self.mpesa.sent)}"))
        return 1

    def sent(self) -> str:
        """A paid rent whose share was accepted; the token of the result's address."""
        self.paid()
        disburse(self.rt, 1)
        return token_of(self.mpesa.sent[-1][1])

    def arrives(self, path: str, token: str, content: Any) -> Reading:
        inbox.append(self.rt.database, [(path, token, None, json.dumps(content).encode())], self.now)
        (reading,) = read_inbox(self.rt)
        return reading

    def chase(self, *, by_hand: bool = False) -> list[Chased]:
        return chase(self.rt, limit=50, by_hand=by_hand)

    def asked_status(self) -> str:
        """Ask about the quiet payout; the token of the answer's address."""
        self.chase()
        kind, request = self.mpesa.sent[-1]
        assert kind == "status"
        return token_of(request)

    def payment(self) -> readonly.Row:
        row = reads.payment(self.rt.reader, 1)
        assert row is not None
        return row

    def findings(self) -> list[str]:
        return [row["text"] for row in self.rt.reader.rows("SELECT text FROM finding WHERE closed_at IS NULL")]


@pytest.fixture
def desk(rt: Runtime, begin: Begin) -> Desk:
    begin(one_house)
    return Desk(rt)


def status_answer(word: str = "Completed", receipt: str | None = "SKC5D4E3F2", original: str = "o-2") -> dict[str, Any]:
    items = [
        {"Key": "TransactionStatus", "Value": word},
        {"Key": "Amount", "Value": 9500},
        {"Key": "OriginatorConversationID", "Value": original},
        {"Key": "DebitPartyCharges", "Value": "Business Pay Bill Charge|KES|48.00"},
    ]
    if receipt:
        items.append({"Key": "ReceiptNo", "Value": receipt})
    return {
        "Result": {
            "ResultCode": 0,
            "TransactionID": "SK20000000",
            "ConversationID": "AG_query",
            "OriginatorConversationID": "o-query",
            "ResultParameters": {"ResultParameter": items},
        }
    }


def no_record(code: int = 2033) -> dict[str, Any]:
    return {"Result": {"ResultCode": code, "ResultDesc": "not found", "TransactionID": "SK20000000"}}


# --- rent that has gone quiet ----------------------------------------------------------------------------------------


def test_a_prompt_is_not_asked_about_in_its_first_minute(desk: Desk) -> None:
    desk.ask()
    desk.later(seconds=59)
    assert desk.chase() == []
    assert desk.chase(by_hand=True) == []
    desk.answers["stk-query"] = StillPending("4999")
    desk.later(seconds=1)
    assert len(desk.chase()) == 1
    assert desk.chase() == []


def test_an_stk_success_by_query_is_a_success_whose_receipt_is_still_to_come(desk: Desk) -> None:
    token = desk.ask()
    desk.answers["stk-query"] = Moved(None, None)
    desk.later(minutes=2)
    desk.chase()
    row = desk.payment()
    assert (row["status"], row["receipt"], row["disbursement_status"]) == ("success", None, "pending")
    assert refusal(disburse(desk.rt, 1)) == "receipt_unknown"
    desk.arrives(COLLECTION, token, paid())
    assert desk.payment()["receipt"] == "SKA1B2C3D4"
    disburse(desk.rt, 1)


def test_a_person_can_give_the_receipt_that_never_came(desk: Desk) -> None:
    desk.ask()
    desk.answers["stk-query"] = Moved(None, None)
    desk.later(minutes=2)
    desk.chase()
    resolve.resolve(desk.rt, resolve.read_ruling(1, "skz9y8x7w6", False, "statement"))
    assert desk.payment()["receipt"] == "SKZ9Y8X7W6"
    disburse(desk.rt, 1)


def test_an_stk_failure_by_query_fails_the_payment(desk: Desk) -> None:
    desk.ask()
    desk.answers["stk-query"] = NotMoved("1037", "The phone could not be reached.")
    desk.later(minutes=2)
    desk.chase()
    assert (desk.payment()["status"], desk.payment()["failure_code"]) == ("failed", "1037")


@pytest.mark.parametrize("answer", [StillPending("4999"), QuestionFailed("500.003.02", "spike arrest")])
def test_no_news_by_query_leaves_the_payment_pending(desk: Desk, answer: Any) -> None:
    desk.ask()
    desk.answers["stk-query"] = answer
    for _ in range(8):
        desk.later(minutes=30)
        desk.chase()
    assert desk.payment()["status"] == "pending"
    assert desk.payment()["collection_state"] == "unclear"


def test_a_query_that_says_failed_does_not_undo_a_success(desk: Desk) -> None:
    token = desk.ask()
    desk.arrives(COLLECTION, token, paid())
    desk.answers["stk-query"] = NotMoved("1032", "cancelled")
    desk.later(minutes=5)
    assert desk.chase(by_hand=True) == []
    assert desk.payment()["status"] == "success"


def test_a_push_whose_answer_was_lost_cannot_be_asked_about_and_goes_to_a_person(desk: Desk) -> None:
    desk.answers["stk"] = Unanswered("read timeout")
    desk.ask()
    desk.later(minutes=4)
    (chased,) = desk.chase()
    assert "paybill's statement" in chased.outcome


def test_two_chasers_share_the_work(desk: Desk) -> None:
    desk.ask()
    desk.later(minutes=2)
    seen: list[int] = []

    def answer(kind: str, request: dict[str, Any]) -> Any:
        seen.append(len(chase(desk.rt, limit=50)))  # another chaser, while the question is on the wire
        return StillPending("4999")

    desk.mpesa = script(desk.rt, answer)
    assert len(desk.chase()) == 1
    assert seen == [0]


# --- payouts that have gone quiet ------------------------------------------------------------------------------------


def test_a_payout_is_asked_about_after_five_minutes_by_its_conversation_and_not_by_a_receipt(desk: Desk) -> None:
    desk.sent()
    desk.later(minutes=4, seconds=59)
    assert desk.chase() == []
    desk.later(seconds=1)
    desk.chase()
    kind, request = desk.mpesa.sent[-1]
    assert kind == "status"
    assert request["originator_conversation_id"] == "o-2"
    row = desk.payment()
    assert (row["disbursement_status"], row["payout_state"]) == ("processing", "unclear")
    (attempt,) = [each for each in reads.attempts(desk.rt.reader, 1) if each["direction"] == "payout"]
    assert attempt["next_check_at"] is not None


def test_a_completed_transaction_completes_the_payout_with_its_own_receipt(desk: Desk) -> None:
    desk.sent()
    desk.later(minutes=5)
    desk.arrives(PAYOUT, desk.asked_status(), status_answer())
    row = desk.payment()
    assert (row["disbursement_status"], row["transaction_id"], row["mpesa_charge_cents"]) == (
        "completed",
        "SKC5D4E3F2",
        4_800,
    )


@pytest.mark.parametrize("word", ["Failed", "Cancelled", "Declined", "Expired"])
def test_a_failed_transaction_releases_the_payout(desk: Desk, word: str) -> None:
    desk.sent()
    desk.later(minutes=5)
    desk.arrives(PAYOUT, desk.asked_status(), status_answer(word, None))
    assert desk.payment()["disbursement_status"] == "failed"
    assert len(plan_retry(desk.rt).sends) == 1


@pytest.mark.parametrize("word", ["Initiated", "Authorized", "Pending", "Something new", ""])
def test_any_other_word_keeps_waiting(desk: Desk, word: str) -> None:
    desk.sent()
    desk.later(minutes=5)
    desk.arrives(PAYOUT, desk.asked_status(), status_answer(word, None))
    assert desk.payment()["disbursement_status"] == "processing"


@pytest.mark.parametrize("code", [2001, 8006, 21, 25, "TP40153"])
def test_a_query_that_fails_says_nothing_about_the_payment(desk: Desk, code: Any) -> None:
    desk.sent()
    for _ in range(4):
        desk.later(hours=1)
        desk.arrives(PAYOUT, desk.asked_status(), {"Result": {"ResultCode": code, "ResultDesc": "no"}})
    assert desk.payment()["disbursement_status"] == "processing"


def test_no_record_releases_money_only_at_the_second_answer_minutes_later(desk: Desk) -> None:
    desk.sent()
    desk.later(minutes=5)
    desk.arrives(PAYOUT, desk.asked_status(), no_record())
    assert desk.payment()["disbursement_status"] == "processing"
    desk.later(minutes=5)
    desk.arrives(PAYOUT, desk.asked_status(), no_record())
    assert desk.payment()["disbursement_status"] == "failed"
    desk.answers.clear()
    disburse(desk.rt, 1)


def test_the_second_question_comes_soon_however_long_the_first_had_to_wait(desk: Desk) -> None:
    desk.sent()
    desk.later(hours=20)
    desk.arrives(PAYOUT, desk.asked_status(), no_record())
    desk.later(minutes=5)
    desk.arrives(PAYOUT, desk.asked_status(), no_record())
    assert desk.payment()["disbursement_status"] == "failed"


def test_the_same_answer_twice_counts_once(desk: Desk) -> None:
    desk.sent()
    desk.later(minutes=5)
    token = desk.asked_status()
    desk.arrives(PAYOUT, token, no_record())
    desk.later(minutes=20)
    assert desk.arrives(PAYOUT, token, no_record()).outcome == "status query was answered before"
    assert desk.payment()["disbursement_status"] == "processing"


def test_two_answers_too_close_together_count_once(desk: Desk) -> None:
    desk.sent()
    desk.later(minutes=5)
    desk.arrives(PAYOUT, desk.asked_status(), no_record())
    desk.later(minutes=1)
    desk.chase(by_hand=True)
    desk.arrives(PAYOUT, token_of(desk.mpesa.sent[-1][1]), no_record())
    assert desk.payment()["disbursement_status"] == "processing"


def test_no_record_of_an_old_payout_is_no_proof(desk: Desk) -> None:
    desk.sent()
    desk.later(hours=49)
    for _ in range(3):
        desk.arrives(PAYOUT, desk.asked_status(), no_record())
        desk.later(days=1)
    assert desk.payment()["disbursement_status"] == "processing"


def test_an_answer_about_another_conversation_is_held(desk: Desk) -> None:
    desk.sent()
    desk.later(minutes=5)
    assert desk.arrives(PAYOUT, desk.asked_status(), status_answer(original="o-999")).state == "held"
    assert desk.payment()["disbursement_status"] == "processing"


def test_a_query_lost_in_mpesas_queue_is_asked_again(desk: Desk) -> None:
    desk.sent()
    desk.later(minutes=5)
    token = desk.asked_status()
    desk.arrives("timeout", token, {"anything": 1})
    desk.later(minutes=10)
    desk.arrives(PAYOUT, desk.asked_status(), status_answer())
    assert desk.payment()["disbursement_status"] == "completed"


def test_a_process_that_died_on_the_wire_becomes_unclear_once_it_cannot_be_alive(desk: Desk) -> None:
    desk.paid()
    desk.answers["b2b"] = Killed()
    with pytest.raises(Killed):
        disburse(desk.rt, 1)
    desk.later(minutes=5)
    desk.chase()
    assert desk.payment()["payout_state"] == "unclear"
    resolve.resolve(desk.rt, resolve.read_ruling(1, None, True, "not on the statement"))
    desk.answers.clear()
    disburse(desk.rt, 1)


def test_the_real_parts_end_a_lost_result(world: World) -> None:
    world.let()
    payment_id = world.paid_rent()
    world.fault("b2b:no-callback")
    disburse(world.rt, payment_id)
    now = world.rt.now()
    world.rt.now = lambda: now + 6 * MINUTE
    (chased,) = chase(world.rt, limit=5)
    assert (chased.payment_id, chased.direction) == (payment_id, Direction.PAYOUT)
    world.read_until(lambda: world.payment(payment_id)["disbursement_status"] == "completed")
    assert world.payment(payment_id)["transaction_id"] == world.transfers("b2b")[0]["receipt"]


def test_the_real_parts_find_rent_that_was_paid_without_a_callback(world: World) -> None:
    world.let()
    asked = collect.initiate(world.rt, property_reference="1", phone="0722000104")
    now = world.rt.now()
    world.rt.now = lambda: now + 2 * MINUTE
    import time

    time.sleep(0.2)  # the tenant types the PIN
    chase(world.rt, limit=5)
    assert world.payment(asked.payment_id)["status"] == "success"
    assert world.payment(asked.payment_id)["receipt"] is None


# --- rulings ---------------------------------------------------------------------------------------------------------


def unclear_payout(desk: Desk) -> str:
    desk.paid()
    desk.answers["b2b"] = Unanswered("read timeout")
    assert isinstance(disburse(desk.rt, 1), Unclear)
    return token_of(desk.mpesa.sent[-1][1])


def rule(desk: Desk, receipt: str | None = None) -> State:
    return resolve.resolve(desk.rt, resolve.read_ruling(1, receipt, receipt is None, "statement of the day"))


def test_a_ruling_paid_completes_the_payout(desk: Desk) -> None:
    unclear_payout(desk)
    assert rule(desk, "SKD1E2F3G4") is State.MOVED
    assert (desk.payment()["disbursement_status"], desk.payment()["transaction_id"]) == ("completed", "SKD1E2F3G4")
    events = [row["event"] for row in desk.rt.reader.rows("SELECT event, actor FROM journal WHERE actor = 'tester'")]
    assert "ruled paid" in events


def test_a_ruling_not_paid_lets_the_share_be_sent_again(desk: Desk) -> None:
    unclear_payout(desk)
    assert rule(desk) is State.NOT_MOVED
    assert desk.payment()["disbursement_status"] == "failed"
    desk.answers.clear()
    disburse(desk.rt, 1)


def test_a_payout_that_the_database_forgot_is_ruled_paid_and_never_sent(desk: Desk) -> None:
    desk.paid()
    stop_payouts(desk.rt, "went back", kind=StopKind.RESTORE)
    asked = resolve.question(desk.rt, resolve.read_ruling(1, "SKD1E2F3G4", False, None))
    assert (asked.never_sent, asked.direction, asked.amount_cents) == (True, Direction.PAYOUT, 950_000)
    before = len(desk.mpesa.sent)
    assert rule(desk, "SKD1E2F3G4") is State.MOVED
    row = desk.payment()
    assert (row["disbursement_status"], row["transaction_id"]) == ("completed", "SKD1E2F3G4")
    assert [each for each in reads.attempts(desk.rt.reader, 1) if each["direction"] == "payout"] == []
    (transfer,) = desk.rt.reader.rows("SELECT * FROM disbursement")
    assert (transfer["way"], transfer["status"], transfer["amount_cents"]) == ("portal", "completed", 950_000)
    (ruled,) = desk.rt.reader.rows("SELECT * FROM journal WHERE event = 'ruled paid'")
    assert (ruled["attempt_id"], json.loads(ruled["detail"])["never_sent"]) == (None, True)
    assert not list(desk.rt.reader.rows("SELECT id FROM journal WHERE event = 'payout intended'"))
    resume_payouts(desk.rt)
    assert refusal(disburse(desk.rt, 1)) == "already_completed"
    assert due(desk.rt, 10) == []
    assert len(desk.mpesa.sent) == before


def test_a_ruling_on_a_forgotten_payout_that_fails_leaves_nothing_behind(desk: Desk) -> None:
    desk.paid()
    with pytest.raises(RuleRefused, match="already belongs to another payment"):
        rule(desk, "SKA1B2C3D4")  # the tenant's own receipt
    assert desk.payment()["disbursement_status"] == "pending"
    assert [each["direction"] for each in reads.attempts(desk.rt.reader, 1)] == ["collection"]
    disburse(desk.rt, 1)


def test_a_forgotten_payout_that_is_held_can_be_ruled_paid_too(desk: Desk) -> None:
    desk.paid()
    with desk.rt.database.transaction() as session:
        holds.place(session, HoldKind.LIMIT, "it is over the limit", "tester", desk.now, payable_id=1)
    assert rule(desk, "SKD1E2F3G4") is State.MOVED
    assert desk.payment()["disbursement_status"] == "completed"


def test_what_was_never_sent_cannot_be_ruled_not_paid(desk: Desk) -> None:
    desk.paid()
    with pytest.raises(RuleRefused) as caught:
        rule(desk)
    assert caught.value.code == "nothing_to_rule"
    assert desk.payment()["disbursement_status"] == "pending"


def test_a_payout_that_leaves_while_a_person_decides_is_not_ruled_on(desk: Desk) -> None:
    desk.paid()
    ruling = resolve.read_ruling(1, "SKD1E2F3G4", False, None)
    assert resolve.question(desk.rt, ruling).never_sent
    disburse(desk.rt, 1)
    with pytest.raises(RuleRefused) as caught:
        resolve.resolve(desk.rt, ruling)
    assert caught.value.code == "too_early"
    assert desk.payment()["payout_state"] == "waiting"


def test_a_ruling_and_a_payout_at_once_give_one_winner(desk: Desk) -> None:
    desk.paid()
    ruling = resolve.read_ruling(1, "SKD1E2F3G4", False, None)
    gate = threading.Barrier(2)

    def at_once(deed: Callable[[], Any]) -> bool:
        gate.wait()
        try:
            return not isinstance(deed(), NotSent)
        except RuleRefused:
            return False

    with ThreadPoolExecutor(2) as pool:
        deeds = [lambda: resolve.resolve(desk.rt, ruling), lambda: disburse(desk.rt, 1)]
        won = list(pool.map(at_once, deeds))
    assert sorted(won) == [False, True]
    sent = [kind for kind, _ in desk.mpesa.sent if kind == "b2b"]
    assert (won[0], len(sent)) in ((True, 0), (False, 1))


def asked_in_vain(desk: Desk) -> str:
    """A rent that was asked for, and M-Pesa gave no answer; the token of the callback's address."""
    desk.answers["stk"] = Unanswered("read timeout")
    return desk.ask()


@pytest.mark.parametrize("in_doubt", [asked_in_vain, unclear_payout])
def test_a_ruling_waits_for_news_that_is_being_read(desk: Desk, in_doubt: Callable[[Desk], str]) -> None:
    digest = attempts.token_sha256(in_doubt(desk))
    ruling = resolve.read_ruling(1, "SKD1E2F3G4", False, None)
    asked = resolve.question(desk.rt, ruling)
    with ThreadPoolExecutor(1) as pool:
        with desk.rt.database.transaction() as session:
            attempt = attempts.by_tokens(session, [digest])[digest]
            ruled = pool.submit(resolve.resolve, desk.rt, ruling, asked)
            time.sleep(0.1)  # so that it comes to where it waits for us
            news = Moved("SKB9Z8Y7X6", None)
            learn_about(session, attempt, news, source=Source.CALLBACK, actor="listener", at=desk.now)
        assert isinstance(ruled.exception(), RuleRefused)
    assert [row["receipt"] for row in reads.attempts(desk.rt.reader, 1)][-1] == "SKB9Z8Y7X6"


def test_whoever_tells_of_an_attempt_waits_for_its_news_before_all_writers_wait_for_him(desk: Desk) -> None:
    digest = attempts.token_sha256(desk.sent())

    def tell() -> None:
        with desk.rt.database.transaction() as session:
            journal.write(session, desk.now, "tester", "asked M-Pesa", payment_id=1, attempt_id=2)

    with ThreadPoolExecutor(1) as pool:
        with desk.rt.database.transaction() as session:
            attempt = attempts.by_tokens(session, [digest])[digest]
            news = Moved("SKB9Z8Y7X6", None)
            learn_about(session, attempt, news, source=Source.CALLBACK, actor="listener", at=desk.now)
            told = pool.submit(tell)
            time.sleep(0.1)  # so that it comes to where it waits for us
        told.result()
    assert desk.payment()["disbursement_status"] == "completed"


def test_a_ruling_waits_for_the_share_that_is_being_sent_again(desk: Desk) -> None:
    desk.arrives(PAYOUT, desk.sent(), result(code=1))
    ruling = resolve.read_ruling(1, "SKD1E2F3G4", False, None)
    asked = resolve.question(desk.rt, ruling)
    new_token, ruled = desk.rt.new_token, Future[State]()
    with ThreadPoolExecutor(1) as pool:

        def rule_meanwhile() -> str:
            nonlocal ruled
            desk.rt.new_token = new_token
            ruled = pool.submit(resolve.resolve, desk.rt, ruling, asked)
            time.sleep(0.1)  # so that it comes to where it waits for us
            return new_token()

        desk.rt.new_token = rule_meanwhile
        assert isinstance(disburse(desk.rt, 1), Sent)
    assert isinstance(ruled.exception(), RuleRefused)
    assert [each["state"] for each in reads.attempts(desk.rt.reader, 1)][1:] == ["not_moved", "waiting"]


def test_what_is_not_sent_and_when_the_books_end_is_known_while_payouts_are_stopped(desk: Desk) -> None:
    desk.paid()
    assert desk.rt.reader is not None
    written = desk.now
    desk.later(hours=2)
    stop_payouts(desk.rt, "Restored, says somebody")
    stop_payouts(desk.rt, "went back", kind=StopKind.RESTORE)
    stop = health_reads.stop_in_force(desk.rt.reader)
    assert stop is not None
    assert stop["written_until"] == to_milliseconds(written)
    assert (stop["kind"], stop["reason"]) == ("restore", "went back")
    assert dict(health_reads.unsent(desk.rt.reader)) == {"payouts": 1, "cents": 950_000}
    rule(desk, "SKD1E2F3G4")
    assert dict(health_reads.unsent(desk.rt.reader)) == {"payouts": 0, "cents": 0}


def test_later_evidence_against_a_ruling_is_a_finding_and_moves_nothing(desk: Desk) -> None:
    token = unclear_payout(desk)
    rule(desk)
    assert desk.arrives(PAYOUT, token, result()).state == "held"
    assert desk.payment()["disbursement_status"] == "failed"
    assert len(desk.findings()) == 1


def test_a_late_callback_that_agrees_with_a_ruling_changes_nothing(desk: Desk) -> None:
    token = unclear_payout(desk)
    rule(desk, "SKB9Z8Y7X6")
    assert desk.arrives(PAYOUT, token, result()).state == "read"
    assert desk.findings() == []


def test_a_receipt_that_is_known_already_cannot_be_ruled_again(desk: Desk) -> None:
    unclear_payout(desk)
    with pytest.raises(RuleRefused, match="already belongs to another payment"):
        rule(desk, "SKA1B2C3D4")
    assert desk.payment()["payout_state"] == "unclear"


def test_rent_that_was_taken_for_failed_can_be_ruled_paid(desk: Desk) -> None:
    token = desk.ask()
    desk.arrives(COLLECTION, token, not_paid())
    desk.arrives(COLLECTION, token, paid())
    assert len(desk.findings()) == 1
    rule(desk, "SKA1B2C3D4")
    assert (desk.payment()["status"], desk.payment()["disbursement_status"]) == ("success", "pending")
    assert desk.findings() == []


def test_a_failure_that_left_doubt_is_released_by_a_ruling(desk: Desk) -> None:
    token = desk.sent()
    desk.arrives(PAYOUT, token, result(code=17))
    assert plan_retry(desk.rt).sends == ()
    rule(desk)
    assert len(plan_retry(desk.rt).sends) == 1


def test_there_is_nothing_to_rule_on_while_mpesa_may_still_answer(desk: Desk) -> None:
    desk.sent()
    with pytest.raises(RuleRefused) as caught:
        rule(desk)
    assert caught.value.code == "too_early"


def test_what_is_certain_cannot_be_ruled_otherwise(desk: Desk) -> None:
    token = desk.sent()
    desk.arrives(PAYOUT, token, result())
    for receipt in (None, "SKE1F2G3H4"):
        with pytest.raises(RuleRefused) as caught:
            rule(desk, receipt)
        assert caught.value.code == "nothing_to_rule"


@pytest.mark.parametrize(
    ("receipt", "not_paid_too", "reason"),
    [
        (None, False, "x"),
        ("SKE1F2G3H4", True, "both"),
        (None, True, ""),
        ("AG_2026", False, ""),
        ("0000000000", False, ""),
    ],
)
def test_a_ruling_that_says_nothing_clear_is_refused(receipt: str | None, not_paid_too: bool, reason: str) -> None:
    with pytest.raises(WrongUse):
        resolve.read_ruling(1, receipt, not_paid_too, reason)


# --- the stop and the float ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [2001, 8006, 18, 21])
def test_a_credential_failure_stops_all_payouts_until_a_person_lifts_the_stop(desk: Desk, code: int) -> None:
    token = desk.sent()
    desk.arrives(PAYOUT, token, result(code=code))
    before = len(desk.mpesa.sent)
    assert refusal(disburse(desk.rt, 1)) == "payouts_stopped"
    assert len(desk.mpesa.sent) == before
    resume_payouts(desk.rt)
    disburse(desk.rt, 1)


def test_a_failure_of_another_kind_stops_nothing(desk: Desk) -> None:
    token = desk.sent()
    desk.arrives(PAYOUT, token, result(code=1))
    disburse(desk.rt, 1)


def test_payouts_can_be_stopped_by_hand(desk: Desk) -> None:
    desk.paid()
    stop_payouts(desk.rt, "maintenance")
    assert isinstance(disburse(desk.rt, 1), NotSent | Held)
    with pytest.raises(RuleRefused):
        stop_payouts(desk.rt, "again")
    assert resume_payouts(desk.rt) == "maintenance"
    with pytest.raises(RuleRefused):
        resume_payouts(desk.rt)


def test_a_bulk_run_ends_when_a_credential_failure_stops_payouts(world: World) -> None:
    world.let(rent="100")
    for n in range(10, 16):
        world.paid_rent(f"07220004{n:02}")
    world.rt.mpesa.close()
    answers = iter([NotMovedNow() for _ in range(6)])
    mpesa = script(world.rt, lambda *_: next(answers).reply)
    run = pay_due(world.rt, at_once=1)
    assert (len(run.failed), len(run.skipped)) == (1, 5)
    assert {failure.code for failure in run.skipped} == {"payouts_stopped"}
    assert len(mpesa.sent) == 1


class NotMovedNow:
    """A reply that refuses the initiator at once."""

    def __init__(self) -> None:
        from rentpay_cli.core.evidence import Refused

        self.reply = Refused("2001", "The initiator information is invalid.")


def test_a_bulk_run_ends_at_the_first_lack_of_float(world: World) -> None:
    world.let(rent="100")
    for n in range(10, 16):
        world.paid_rent(f"07220005{n:02}")
    from rentpay_cli.core.evidence import Refused

    mpesa = script(world.rt, lambda *_: Refused("1", "Insufficient funds"))
    run = pay_due(world.rt, at_once=1)
    assert (len(run.failed), len(run.skipped)) == (1, 5)
    assert {failure.code for failure in run.skipped} == {"float_ran_out"}
    assert len(mpesa.sent) == 1


def test_stops_of_several_kinds_are_in_force_at_once_and_lifted_together(desk: Desk) -> None:
    stop_payouts(desk.rt, "maintenance")
    with desk.rt.database.transaction() as session:
        stop_by_itself(session, StopKind.CREDENTIAL, "M-Pesa answered 2001", desk.now)
        stop_by_itself(session, StopKind.CREDENTIAL, "M-Pesa answered 8006", desk.now)
    stop_payouts(desk.rt, "went back", kind=StopKind.RESTORE)
    kinds = [stop["kind"] for stop in health_reads.stops_in_force(desk.rt.reader)]
    assert kinds == ["restore", "person", "credential"]
    assert resume_payouts(desk.rt) == "maintenance; M-Pesa answered 2001; went back"
    assert health_reads.stops_in_force(desk.rt.reader) == []
    events = [row["event"] for row in desk.rt.reader.rows("SELECT event FROM journal ORDER BY id DESC LIMIT 3")]
    assert events == ["payouts resumed"] * 3


def test_words_of_a_person_make_no_stop_one_after_a_restore(desk: Desk) -> None:
    stop_payouts(desk.rt, "restored from the backup of yesterday")
    stop = health_reads.stop_in_force(desk.rt.reader)
    assert stop is not None
    assert stop["kind"] == StopKind.PERSON


@pytest.mark.forges
@pytest.mark.parametrize("kind", FindingKind)
def test_a_finding_about_a_failed_payout_keeps_its_share_if_the_table_calls_the_kind_contrary(
    desk: Desk, kind: FindingKind
) -> None:
    token = desk.sent()
    desk.arrives(PAYOUT, token, result(code=1))
    with desk.rt.database.transaction() as session:
        journal.raise_finding(session, desk.now, kind, "Odd.", payment_id=1, attempt_id=2)
    assert [each["kind"] for each in reads.open_findings(desk.rt.reader, 1)] == [kind.value]
    outcome = disburse(desk.rt, 1)
    if TABLE[kind].is_contrary:
        assert refusal(outcome) == "contrary_evidence"
    else:
        assert isinstance(outcome, Sent)
