"""What an operator reads in trouble: each hint leads on, and none in a circle."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rentpay_cli.core.callbacks import CallbackState, EnquiryKind
from rentpay_cli.core.evidence import Moved, NotMoved, Overdue, Refused, Unanswered
from rentpay_cli.core.float_reading import ReadingSource
from rentpay_cli.flows.disburse import disburse
from rentpay_cli.flows.payouts import stop_payouts
from rentpay_cli.flows.send import Unclear
from rentpay_cli.store import engine, enquiries, inbox
from tests.cli.conftest import Books, Cli, answered_by
from tests.support.scripted import ScriptedMpesa, script

NOON = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


# --- after a restore -------------------------------------------------------------------------------------------------


@pytest.fixture
def restored(cli: Cli, books: Books) -> int:
    """A payment whose owner was paid after the copy to which the database went back."""
    books.at(NOON)
    number = books.paid()
    cli("backup", "copy.db")
    disburse(books.rt, number)
    books.learn(number, Moved("SKP0000001", None), "payout")
    books.rt.close()
    assert cli("restore", "copy.db", "--yes").status == 0
    return number


def test_what_was_paid_since_the_copy_is_ruled_paid_before_payouts_go_on(cli: Cli, restored: int) -> None:
    shown = cli("status", str(restored))
    assert "rentpay disburse" not in shown.out + shown.err
    assert f"rentpay resolve {restored} --paid RECEIPT" in shown.err
    assert "It may have been paid after" in " ".join(shown.err.split())
    assert cli("resolve", str(restored), "--paid", "SKP0000001", "--json").refusal == (2, "wrong_use")
    content = cli.json("resolve", str(restored), "--paid", "SKP0000001", "--yes")
    assert (content["about"], content["state"]) == ("payout", "moved")
    assert cli.json("status", str(restored))["disbursement"]["transactionId"] == "SKP0000001"
    assert cli.json("payouts", "resume")["unsent"] == 0
    assert cli("disburse", str(restored), "--json").refusal == (1, "already_completed")


def test_payouts_go_on_after_a_restore_only_with_a_yes_to_how_many_wait(cli: Cli, restored: int) -> None:
    assert cli("payouts", "resume", "--json").refusal == (2, "wrong_use")
    assert "rentpay resolve ID --paid RECEIPT" in cli("payouts", "show").err
    ran = cli("payouts", "resume", "--yes")
    said = " ".join(ran.err.split())
    assert "1 payout, KES 9,500, is pending or failed here; it may have been paid after" in said
    assert "rentpay payments --disbursement-status pending" in said
    assert cli.json("payouts", "show")["stopped"] is False


def test_a_stop_in_the_copy_does_not_hide_the_restore(cli: Cli, books: Books) -> None:
    books.paid()
    stop_payouts(books.rt, "maintenance")
    cli("backup", "copy.db")
    books.rt.close()
    cli("restore", "copy.db", "--yes")
    assert cli.json("payouts", "show")["reason"].startswith("Restored from a backup")


def test_payouts_that_were_stopped_for_another_reason_go_on_without_that_question(cli: Cli, books: Books) -> None:
    books.paid()
    stop_payouts(books.rt, "maintenance")
    assert cli.json("payouts", "resume")["unsentAmount"] == 9500


# --- what is unclear -------------------------------------------------------------------------------------------------


@pytest.fixture
def lost(books: Books) -> int:
    """A payout whose answer was lost just now, so that M-Pesa gave it no id."""

    number = books.paid()
    script(books.rt, lambda *_: Unanswered("read timeout"))
    assert isinstance(disburse(books.rt, number), Unclear)
    return number


def test_health_status_and_chase_lead_to_the_ruling_on_what_cannot_be_asked_about(cli: Cli, lost: int) -> None:
    unclear = next(each for each in cli("health", "--json").json["findings"] if each["kind"] == "unclear")
    assert unclear["command"] == f"rentpay status {lost}"
    shown = cli("status", str(lost)).err
    assert "rentpay chase" not in shown
    assert f"rentpay resolve {lost} --paid RECEIPT" in shown
    content = cli.json("chase")
    assert (content["unclear"], content["results"]) == (1, [])
    (left,) = content["notAsked"]
    assert left["paymentId"] == str(lost)
    assert "never gave it an id" in left["outcome"]
    chased = cli("chase")
    assert "Nothing has gone quiet" not in chased.out
    assert f"rentpay resolve {lost} --paid RECEIPT" in " ".join(chased.err.split())


def test_what_can_be_asked_about_is_asked_about(cli: Cli, books: Books) -> None:
    number = books.sent()
    books.learn(number, Overdue("quiet"), "payout")
    unclear = next(each for each in cli("health", "--json").json["findings"] if each["kind"] == "unclear")
    assert unclear["command"] == "rentpay chase --wait"
    assert "rentpay chase" in cli("status", str(number)).err
    (left,) = cli.json("chase")["notAsked"]
    assert "too early" in left["outcome"]


# --- money in and out ------------------------------------------------------------------------------------------------


def test_rent_whose_receipt_is_still_to_come_is_not_offered_for_sending(
    books: Books, capsys: pytest.CaptureFixture[str]
) -> None:
    from rentpay_cli.cli import waiting
    from rentpay_cli.cli.common import Invocation, invoked

    number = books.asked()
    books.learn(number, Moved(None, None))
    with invoked(Invocation()):
        waiting.wait_for_payment(books.rt, number, 1)
    said = capsys.readouterr().err
    assert "rentpay disburse" not in said
    assert f"rentpay resolve {number} --paid RECEIPT" in said


@pytest.mark.parametrize("command", ["disburse 1", "initiate --property 1 --phone 0722000222"])
def test_where_mpesa_cannot_be_reached_nobody_refused_anything(
    cli: Cli, books: Books, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    books.paid()
    down = "No connection to M-Pesa could be made (ConnectError): nothing was sent."
    answered_by(monkeypatch, ScriptedMpesa(lambda *_: Refused("not_sent", down)))
    ran = cli(*command.split(), "--json")
    assert ran.refusal == (1, "mpesa_unreachable")
    error = ran.json["error"]
    assert "refused" not in error["message"]
    assert "not_sent" not in error["message"] + error["hint"]
    assert error["message"].count("nothing was sent") == 1
    assert "rentpay doctor" in error["hint"]
    assert f"rentpay {command.split()[0]}" in error["hint"]


# --- the listener ----------------------------------------------------------------------------------------------------


def test_the_listener_does_not_start_on_a_database_that_it_cannot_write(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sqlalchemy import event

    opened = engine._open_sqlite

    def read_only(url: str) -> Any:
        made = opened(url)
        event.listen(made, "connect", lambda connection, _: connection.execute("PRAGMA query_only=ON"))
        return made

    monkeypatch.setattr(engine, "_open_sqlite", read_only)
    monkeypatch.setattr("rentpay_cli.cli.serve.run", lambda *_: pytest.fail("it serves"))
    assert cli("serve-callbacks", "--port", "0", "--json").refusal == (4, "database")


def test_an_address_of_another_machine_is_said_to_be_one(cli: Cli) -> None:
    ran = cli("serve-callbacks", "--host", "203.0.113.7", "--port", "0", "--json")
    assert ran.refusal == (1, "cannot_listen")
    assert "another listener" not in ran.json["error"]["hint"]
    assert "--host" in ran.json["error"]["hint"]


# --- words -----------------------------------------------------------------------------------------------------------


def test_a_dry_run_says_that_payouts_are_stopped_and_what_to_do_next(cli: Cli, books: Books) -> None:
    number = books.sent()
    books.learn(number, NotMoved("1", "The balance is insufficient."), "payout")
    assert "the same command without --dry-run" in cli("retry-failed", "--dry-run").err
    assert cli.json("retry-failed", "--dry-run")["payoutsStopped"] is None
    stop_payouts(books.rt, "maintenance")
    assert cli.json("retry-failed", "--dry-run")["payoutsStopped"] == "maintenance"
    ran = cli("retry-failed", "--dry-run")
    assert "all payouts are stopped (maintenance)" in ran.out
    assert "rentpay payouts show" in ran.err
    assert "without --dry-run" not in ran.err


def test_a_float_that_was_read_before_rent_came_in_is_no_alarm_on_any_screen(cli: Cli, books: Books) -> None:
    books.at(NOON)
    books.learn(books.sent(), NotMoved("1", "The balance is insufficient."), "payout")
    with books.rt.database.transaction() as session:
        enquiries.note_balances(session, [("Working Account", 0, 50_000)], ReadingSource.QUERY, NOON)
    ran = cli("retry-failed", "--dry-run")
    assert "The float does not cover it: the working account held KES 500 at" in " ".join(ran.out.split())
    told = cli.json("retry-failed", "--dry-run")
    assert (told["floatCovers"], told["floatKnown"]) == (False, True)
    seen = cli("health", "--json").json
    assert (seen["float"], seen["floatKnown"]) == (500, True)
    assert "low_float" in [found["kind"] for found in seen["findings"]]

    books.at(NOON + timedelta(seconds=1))
    books.paid()
    ran = cli("retry-failed", "--dry-run")
    assert "Whether the float covers it is not known: the working account held KES 500 at" in " ".join(ran.out.split())
    assert "rentpay balance --wait" in ran.err
    told = cli.json("retry-failed", "--dry-run")
    assert (told["floatCovers"], told["floatKnown"]) == (True, False)
    seen = cli("health", "--json").json
    assert (seen["float"], seen["floatKnown"]) == (500, False)
    assert "low_float" not in [found["kind"] for found in seen["findings"]]
    words = " ".join(cli("health").out.split())
    assert "the float held KES 500 when last read, and money has come in since." in words


def test_health_counts_what_is_unclear_and_says_what_its_sum_is_of(cli: Cli, lost: int) -> None:
    told = " ".join(cli("health").out.split())
    assert "0 pending, 0 processing, 1 unclear" in told
    assert "To be sent to owners (pending, or failed and safe to send again): KES 0" in told


def test_an_explanation_names_the_command_and_says_it_in_words(cli: Cli) -> None:
    short = " ".join(cli("explain", "1").out.split())
    assert "Again? yes" in short
    assert "rentpay retry-failed" in short
    assert "rentpay payouts resume" in " ".join(cli("explain", "2001").out.split())
    failure = " ".join(cli("explain", "17").out.split())
    assert "not before a person has made sure that no money moved" in failure
    assert "not moved, says M-Pesa, which is not certain" in failure
    assert cli.json("explain", "1")["meanings"][1]["retry"] == "send again"


def test_the_journal_speaks_of_shillings_and_in_the_words_of_the_screen(cli: Cli, books: Books) -> None:
    number = books.sent()
    books.learn(number, NotMoved("1", "The balance is insufficient."), "payout")
    told = " ".join(cli("journal", "list", "--payment", str(number)).out.split())
    for words in ("not_moved", "cents", "direction:", "reason: ;"):
        assert words not in told
    for words in ("amount: KES 9,500", "payout: nothing moved (was: accepted, outcome open)", "M-Pesa's callback"):
        assert words in told
    assert cli.json("journal", "list", "--event", "payout intended")["entries"][0]["detail"]["amount_cents"] == 950_000


def test_a_ruling_without_a_reason_leaves_no_empty_one(cli: Cli, lost: int) -> None:
    cli("resolve", str(lost), "--paid", "SKD1E2F3G4", "--yes")
    told = " ".join(cli("journal", "list", "--event", "ruled paid").out.split())
    assert "receipt: SKD1E2F3G4" in told
    assert "reason" not in told


def test_callbacks_are_listed_in_the_words_of_the_screen(cli: Cli, books: Books) -> None:
    inbox.append(books.rt.database, [("payout", "a", None, b"1"), ("payout", "b", None, b"2")], NOON)
    with books.rt.database.transaction() as session:
        enquiries.ask(session, EnquiryKind.BALANCE, "b", NOON)
        outcomes = ("not_moved, as was known", "noted")
        numbers = [item.id for item in inbox.claim_unread(session, 5)]
        inbox.mark(
            session,
            [inbox.Reading(n, CallbackState.READ, words) for n, words in zip(numbers, outcomes, strict=True)],
            NOON,
        )
    told = " ".join(cli("callbacks", "list").out.split())
    assert "nothing moved, as was known" in told
    assert "EAT" in told
    assert told.count("payout") == 1
    assert cli.json("callbacks", "list")["callbacks"][1]["outcome"] == "not_moved, as was known"
