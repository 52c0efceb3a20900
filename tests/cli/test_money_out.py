"""`disburse` and `retry-failed`: exit statuses, JSON, and what a person reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from rentpay_cli.core.evidence import Acknowledged, NotMoved, Refused, Unanswered
from tests.cli.conftest import Books, Cli, answered_by, reading
from tests.support.scripted import ScriptedMpesa
from tests.support.world import World

Answers = Callable[[Callable[[str, dict[str, Any]], Any]], ScriptedMpesa]


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Answers:
    """Let M-Pesa answer the commands so."""

    def set_up(answer: Callable[[str, dict[str, Any]], Any]) -> ScriptedMpesa:
        mpesa = ScriptedMpesa(answer)
        answered_by(monkeypatch, mpesa)
        return mpesa

    return set_up


def failed(books: Books, code: str = "1", **rest: Any) -> int:
    """A share that M-Pesa did not pay."""
    payment_id = books.sent(**rest)
    books.learn(payment_id, NotMoved(code, "The balance is insufficient."), "payout")
    return payment_id


def test_a_payout_is_told_in_the_shape_that_scripts_know(live: Cli, let: int, world: World) -> None:
    payment_id = world.paid_rent()
    content = live.json("disburse", str(payment_id))
    assert content == {
        "success": True,
        "message": "Disbursement initiated successfully",
        "paymentId": str(payment_id),
        "payments": [str(payment_id)],
        "disbursementConversationId": world.payment(payment_id)["conversation_id"],
        "disbursementAmount": 9500,
        "platformFee": 500,
    }
    assert content["disbursementConversationId"].startswith("AG_")


@pytest.mark.usefixtures("reader")
def test_waiting_for_a_payout_that_is_paid_ends_with_0_and_the_receipt(live: Cli, let: int, world: World) -> None:
    payment_id = world.paid_rent()
    content = live.json("disburse", str(payment_id), "--wait")
    (paid,) = world.transfers("b2b")
    assert content["payment"]["disbursementStatus"] == "completed"
    assert content["payment"]["disbursementTransactionId"] == paid["receipt"]
    assert {"message", "paymentId", "disbursementConversationId"} < set(content)


@pytest.mark.usefixtures("reader")
def test_waiting_for_a_payout_that_fails_ends_with_1_and_its_code(live: Cli, let: int, world: World) -> None:
    payment_id = world.paid_rent()
    world.set_float(10)
    ran = live("disburse", str(payment_id), "--wait", "--json")
    assert ran.refusal == (1, "disbursement_failed")
    assert "(1)" in ran.json["error"]["message"]
    assert "rentpay explain 1" in ran.json["error"]["hint"]


def test_waiting_in_vain_for_a_payout_ends_with_5(live: Cli, let: int, world: World) -> None:
    payment_id = world.paid_rent()
    world.fault("b2b:no-callback")
    ran = live("disburse", str(payment_id), "--wait", "--timeout", "1")
    assert (ran.status, ran.out) == (5, "")
    assert "Unclear: After 1 seconds" in ran.err
    assert "will not be sent again" in ran.err


def test_a_lost_answer_ends_with_5_and_is_never_called_failed(live: Cli, let: int, world: World) -> None:
    payment_id = world.paid_rent()
    world.fault("b2b:lost")
    ran = live("disburse", str(payment_id), "--json")
    assert ran.refusal == (5, "outcome_unknown")
    assert "fail" not in ran.out
    with reading(world):
        world.read_until(lambda: world.payment(payment_id)["disbursement_status"] == "completed")
    assert len(world.transfers("b2b")) == 1


def test_each_reason_not_to_send_has_its_code_and_sends_nothing(
    cli: Cli, books: Books, scripted: ScriptedMpesa
) -> None:
    asked = books.asked()
    not_paid = books.asked(phone="0722000112")
    books.learn(not_paid, NotMoved("1032", "Cancelled."))
    under_way, completed = books.sent(), books.completed()
    unclear = books.sent()
    from rentpay_cli.core.evidence import Overdue

    books.learn(unclear, Overdue("too long without news"), "payout")
    uncertain = failed(books, "17")
    cash = cli.json("record-payment", "--property", "1", "--amount", "500")["paymentId"]
    expected = {
        asked: "not_paid",
        not_paid: "payment_failed",
        under_way: "under_way",
        completed: "already_completed",
        unclear: "outcome_unclear",
        uncertain: "not_certain",
        int(cash): "not_required",
    }
    for payment_id, code in expected.items():
        for more in ((), ("--dry-run",)):
            ran = cli("disburse", str(payment_id), *more, "--json")
            assert ran.refusal == (1, code)
            assert ran.json["error"]["hint"]
            assert f"Payment {payment_id} was not disbursed" in ran.json["error"]["message"]
    assert scripted.sent == []


def test_what_does_not_exist_is_not_disbursed(cli: Cli, books: Books, scripted: ScriptedMpesa) -> None:
    assert cli("disburse", "77", "--json").refusal == (3, "not_found")
    assert cli("disburse", "--json").refusal == (2, "wrong_use")
    assert cli("retry-failed", "--owner", "Nobody", "--json").refusal == (3, "not_found")
    assert cli("retry-failed", "--limit", "0", "--json").refusal == (2, "wrong_use")
    assert scripted.sent == []


def test_a_dry_run_shows_what_would_go_where_and_sends_nothing(cli: Cli, books: Books, scripted: ScriptedMpesa) -> None:
    payment_id = books.paid()
    assert cli.json("disburse", str(payment_id), "--dry-run") == {
        **{"success": True, "message": "Nothing was sent", "dryRun": True, "paymentId": str(payment_id)},
        **{"payments": [str(payment_id)]},
        **{"disbursementAmount": 9500, "platformFee": 500, "ownerPaybill": "600001", "ownerAccountNumber": "PROP001"},
    }
    ran = cli("disburse", str(payment_id), "--dry-run")
    assert "Would send KES 9,500 to paybill 600001, account PROP001" in ran.out
    assert scripted.sent == []
    assert cli.json("status", str(payment_id))["disbursement"]["attempts"] == []


def test_a_payment_is_disbursed_by_its_receipt(cli: Cli, books: Books, scripted: ScriptedMpesa) -> None:
    books.paid()
    content = cli.json("disburse", "skn0000001")
    assert content["paymentId"] == "1"
    assert len(scripted.sent) == 1


def test_what_mpesa_refuses_moved_nothing_and_ends_with_1(cli: Cli, books: Books, answers: Answers) -> None:
    answers(lambda *_: Refused("400.002.02", "Bad Request - Invalid Amount"))
    payment_id = books.paid()
    ran = cli("disburse", str(payment_id), "--json")
    assert ran.refusal == (1, "mpesa_refused")
    assert "Nothing moved" in ran.json["error"]["message"]


# --- retry-failed ----------------------------------------------------------------------------------------------------


def test_every_failed_share_that_may_be_sent_is_sent_again(cli: Cli, books: Books, scripted: ScriptedMpesa) -> None:
    books.completed()  # lately, so that no trial goes first
    for _ in range(12):
        failed(books)
    left_alone = failed(books, "17")
    content = cli.json("retry-failed")
    expected = {
        "success": True,
        "message": "Retried 12 failed disbursements",
        "results": {"total": 12, "successful": 12, "failed": 0, "skipped": 0, "unclear": 0, "errors": []},
        "leftAlone": 1,
    }
    assert {key: content[key] for key in expected} == expected
    assert len(scripted.sent) == 12
    assert cli.json("status", str(left_alone))["disbursement"]["status"] == "failed"


def test_a_retry_that_fails_in_part_ends_with_6_and_names_each(cli: Cli, books: Books, answers: Answers) -> None:
    books.completed()
    first, second = failed(books), failed(books, place="2")
    answers(
        lambda _, request: (
            Acknowledged(conversation_id="AG_x", originator_conversation_id="o-x")
            if request["account_number"] == "PROP001"
            else Refused("not_sent", "No connection")
        )
    )
    ran = cli("retry-failed", "--json")
    assert ran.status == 6
    assert ran.json["results"] == {
        **{"total": 2, "successful": 1, "failed": 1, "skipped": 0, "unclear": 0},
        "errors": [{"paymentId": str(second), "error": "No connection", "code": "not_sent"}],
    }
    spoken = cli("retry-failed")
    assert spoken.status == 6
    assert "No connection" in spoken.out
    assert "Attention: 1 of 1 were refused" in spoken.err
    assert cli.json("status", str(first))["disbursement"]["status"] == "processing"


def test_a_retry_that_ends_early_says_why_once_and_how_many_were_not_sent(
    cli: Cli, books: Books, answers: Answers
) -> None:
    books.completed()
    for _ in range(5):
        failed(books)
    mpesa = answers(lambda *_: Unanswered("M-Pesa answered HTTP 500: System is busy.", slow_down=True))
    ran = cli("retry-failed", "--json")
    assert (ran.status, ran.json["endedEarly"]) == (5, "M-Pesa asked for fewer requests")
    assert ran.json["results"] | {"errors": []} == {
        **{"total": 5, "successful": 0, "failed": 0, "skipped": 4, "unclear": 1, "errors": []},
    }
    assert {error["code"] for error in ran.json["results"]["errors"]} == {"outcome_unknown", "slow_down"}
    spoken = cli("retry-failed")
    assert "The run ended early, and 3 were not sent: M-Pesa asked for fewer requests." in spoken.out
    assert spoken.out.count("asked for fewer requests") == 1
    assert len(mpesa.sent) == 2
    shown = cli.json("payouts", "show")
    assert (shown["stopped"], shown["pausedBecause"]) == (False, "M-Pesa asked for fewer requests")
    assert "No payout leaves by itself before" in cli("payouts", "show").out


def test_a_retry_without_an_answer_ends_with_5_and_is_not_sent_again(cli: Cli, books: Books, answers: Answers) -> None:
    payment_id = failed(books)
    mpesa = answers(lambda *_: Unanswered("no answer came"))
    ran = cli("retry-failed", "--json")
    assert ran.status == 5
    assert (ran.json["results"]["unclear"], ran.json["results"]["failed"]) == (1, 0)
    assert cli.json("retry-failed")["results"]["total"] == 0
    assert len(mpesa.sent) == 1
    assert cli.json("status", str(payment_id))["disbursement"]["unclear"] is True


def test_a_dry_run_of_the_retry_sends_nothing(cli: Cli, books: Books, scripted: ScriptedMpesa) -> None:
    failed(books)
    content = cli.json("retry-failed", "--dry-run")
    assert (content["dryRun"], content["results"]["total"], content["message"]) == (True, 1, "Nothing was sent")
    ran = cli("retry-failed", "--dry-run")
    assert (ran.status, "1 failed disbursement, KES 9,500" in ran.out) == (0, True)
    assert scripted.sent == []


def test_a_limit_and_an_owner_are_kept_to(cli: Cli, books: Books, scripted: ScriptedMpesa) -> None:
    cli.json("owner", "add", "--name", "Njeri")
    add = ("property", "add", "--owner", "2", "--paybill", "522522", "--account", "9", "--rent", "5000")
    place = cli.json(*add, "--name", "Other")["property"]["id"]
    books.completed()
    for _ in range(3):
        failed(books)
    other = failed(books, place=str(place))
    assert cli.json("retry-failed", "--owner", "njeri")["results"]["total"] == 1
    assert [request["account_number"] for _, request in scripted.sent] == ["9"]
    assert cli.json("status", str(other))["disbursement"]["status"] == "processing"
    assert cli.json("retry-failed", "--limit", "2")["results"]["total"] == 2
    assert len(scripted.sent) == 3


def test_nothing_to_retry_is_a_success(cli: Cli, books: Books) -> None:
    assert cli.json("retry-failed")["results"]["total"] == 0
    ran = cli("retry-failed")
    assert (ran.status, "no failed disbursement that may be sent again" in ran.out) == (0, True)


def test_a_retry_that_cannot_reach_mpesa_sends_nothing(cli: Cli, books: Books) -> None:
    payment_id = failed(books)
    assert cli("retry-failed", "--json").refusal == (1, "mpesa_unreachable")
    assert cli.json("status", str(payment_id))["disbursement"]["status"] == "failed"
