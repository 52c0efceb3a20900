"""Held payouts and callbacks that came too often, as a person sees them."""

from __future__ import annotations

import pytest

from rentpay_cli.flows.read_inbox import read_inbox
from rentpay_cli.store import inbox
from tests.cli.conftest import Books, Cli
from tests.support.scripted import ScriptedMpesa


@pytest.fixture
def held(cli: Cli, books: Books, scripted: ScriptedMpesa) -> int:
    """A payment whose share is over the limit of one transfer."""
    cli.configure(RENTPAY_LIMIT_TRANSFER="9000")
    payment_id = books.paid()
    ran = cli("disburse", str(payment_id), "--json")
    assert ran.refusal == (1, "held")
    return payment_id


def test_a_held_payout_is_shown_with_its_reason_and_the_way_out(cli: Cli, held: int) -> None:
    shown = cli("status", str(held))
    assert "pending, held: KES 9,500 is over the limit of one transfer, KES 9,000" in " ".join(shown.out.split())
    assert f"rentpay payouts release {held} --reason TEXT" in " ".join(shown.err.split())
    assert cli.json("status", str(held))["disbursement"]["heldReason"].startswith("KES 9,500 is over")
    found = {finding["kind"]: finding for finding in cli("health", "--json").json["findings"]}
    assert found["held_payouts"]["command"] == f"rentpay status {held}"


def test_a_released_payout_leaves(cli: Cli, held: int, scripted: ScriptedMpesa) -> None:
    assert cli("payouts", "release", str(held), "--json").refusal == (2, "wrong_use")
    ran = cli.json("payouts", "release", str(held), "--reason", "compared with the lease")
    assert (ran["paymentId"], ran["disbursementAmount"]) == (str(held), 9500)
    assert cli("disburse", str(held)).status == 0
    assert [kind for kind, _ in scripted.sent] == ["b2b"]
    assert cli("payouts", "release", str(held), "--reason", "again", "--json").refusal == (1, "not_held")
    assert cli("payouts", "release", "99", "--reason", "none", "--json").refusal == (3, "not_found")


def test_retry_failed_leaves_a_held_share_alone(cli: Cli, held: int) -> None:
    assert cli.json("retry-failed", "--yes")["results"]["total"] == 0


def test_the_same_forged_callback_is_shown_once_with_its_number(cli: Cli, books: Books) -> None:
    forged = [("collection", None, "10.0.0.1", b"{}")]
    inbox.append(books.rt.database, [*forged] * 3, books.rt.now())
    read_inbox(books.rt)
    (row,) = cli.json("callbacks", "list")["callbacks"]
    assert (row["state"], row["copies"]) == ("held", 3)
    assert "came 3 times" in " ".join(cli("callbacks", "list").out.split())
    assert "2 times, last" in cli("callbacks", "show", "1").out


def test_health_says_that_strangers_have_used_up_their_room(
    cli: Cli, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "STRANGERS_BUDGET_BYTES", 0)
    inbox.append(books.rt.database, [("collection", None, None, b"{}"), ("payout", None, None, b"[]")], books.rt.now())
    ran = cli("health", "--json")
    assert "callbacks_refused" in {finding["kind"] for finding in ran.json["findings"]}
    assert ran.json["counts"]["refusedCallbacks"] == 2


def test_why_payouts_may_leave_again_is_kept(cli: Cli, books: Books) -> None:
    cli("payouts", "stop", "--reason", "the password is being changed")
    cli("payouts", "resume", "--reason", "tried  on the portal", "--yes")
    (row,) = books.rt.reader.rows("SELECT lifted_reason FROM payout_stop")
    assert row["lifted_reason"] == "tried on the portal"
