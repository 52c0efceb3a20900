"""Why a share may not be sent, and what to do next: the same on every screen, from one table."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from rentpay_cli.cli import why
from rentpay_cli.core.evidence import Moved, NotMoved, Overdue, Unanswered
from rentpay_cli.core.payout import WORDS, HoldKind, Refusal
from rentpay_cli.flows import access, payouts, register
from rentpay_cli.flows.disburse import disburse
from rentpay_cli.store import inbox
from rentpay_cli.store.write import holds
from tests.cli.conftest import OFFLINE, Books, Cli
from tests.cli.test_every_command import COMMANDS
from tests.support.scripted import script
from tests.support.together import owe, send_together
from tests.test_house import HEAVY, imported_by

OPTIONS = {" ".join(path): {option for each in command.params for option in each.opts} for path, command in COMMANDS}
A_COMMAND = re.compile(r"rentpay [a-z-]+(?: [a-z-]+)?")


@pytest.mark.parametrize("refusal", Refusal)
def test_every_refusal_has_words_and_a_next_command_that_there_is(refusal: Refusal) -> None:
    assert WORDS[refusal]
    names = A_COMMAND.findall(why.NEXT[refusal])
    assert names, "nobody is left without a way on"
    for name in names:
        _, first, *second = name.split()
        command = f"{first} {second[0]}" if second and f"{first} {second[0]}" in OPTIONS else first
        assert command in OPTIONS, f"there is no {name}"
        told = why.NEXT[refusal].split(f"rentpay {command}", 1)[1].split("rentpay ")[0]
        assert set(re.findall(r"--[a-z-]+", told)) <= OPTIONS[command]


def test_the_table_names_no_reason_that_there_is_not() -> None:
    assert set(why.NEXT) == set(Refusal) == set(WORDS)


# --- status says what disburse says ----------------------------------------------------------------------------------


def held(books: Books, number: int) -> None:
    with books.rt.database.transaction() as session:
        holds.place(session, HoldKind.LIMIT, "it is a lot", "amina", books.rt.now(), payable_id=number)


def later(books: Books, number: int) -> None:
    with books.rt.database.transaction() as session:
        session.execute(text("UPDATE payable SET payable_from = payable_from + 86400000"))


def contradicted(books: Books, number: int) -> None:
    books.learn(number, NotMoved("1", "The balance is insufficient"), "payout")
    books.learn(number, Moved("SKP0000009", None), "payout")


def unread(books: Books, number: int) -> None:
    (claimed,) = send_together(books.rt, [number])
    books.learn(number, NotMoved("1", "The balance is insufficient"), "payout")
    inbox.append(books.rt.database, [("payout", claimed.token, None, b"{}")], books.rt.now())


def moved_away(books: Books, number: int) -> None:
    with books.rt.database.transaction() as session:
        session.execute(text("UPDATE payable SET paybill = '174379'"))


def changed(books: Books, number: int) -> None:
    register.edit_property(books.rt, "1", paybill="600009")


def cents(books: Books, number: int) -> None:
    owe(books.rt, 1, 949_950)


PAID: dict[Refusal, Callable[[Books, int], Any]] = {
    Refusal.STOPPED: lambda books, _: payouts.stop_payouts(books.rt, "the password is changed"),
    Refusal.HELD: held,
    Refusal.NOT_YET: later,
    Refusal.CONTRARY: unread,
    Refusal.OWN_PAYBILL: moved_away,
    Refusal.DESTINATION_WAITING: changed,
    Refusal.TOO_LITTLE: cents,
}
"""Of a share that was not sent."""
SENT: dict[Refusal, Callable[[Books, int], Any]] = {
    Refusal.UNDER_WAY: lambda books, number: None,
    Refusal.UNCLEAR: lambda books, number: books.learn(number, Overdue("M-Pesa's queue timed out"), "payout"),
    Refusal.ASK: lambda books, number: books.learn(number, NotMoved("26", "Traffic blocking"), "payout"),
    Refusal.CONTRARY: contradicted,
}
"""Of a share that was sent."""
ASKED: dict[Refusal, Callable[[Books, int], Any]] = {
    Refusal.NOT_PAID: lambda books, number: None,
    Refusal.PAYMENT_FAILED: lambda books, number: books.learn(number, NotMoved("1032", "Cancelled")),
    Refusal.NO_RECEIPT: lambda books, number: books.learn(number, Moved(None, None)),
}
"""Of a payment that was asked for."""


@pytest.mark.parametrize(
    ("begin_with", "refusal", "happens"),
    [
        (kind, refusal, happens)
        for kind, cases in (("asked", ASKED), ("paid", PAID), ("sent", SENT))
        for refusal, happens in cases.items()
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_status_says_what_disburse_says(
    cli: Cli, books: Books, begin_with: str, refusal: Refusal, happens: Callable[[Books, int], Any]
) -> None:
    number = getattr(books, begin_with)()
    happens(books, number)
    refused = cli("disburse", str(number), "--json")
    assert refused.refusal == (1, refusal.value)
    told = cli.json("status", str(number))["disbursement"]["whyNotSent"]
    assert told["code"] == refusal.value
    assert refused.json["error"]["message"] == f"Payment {number} was not disbursed: {told['message']}."
    assert WORDS[refusal] in told["message"]
    shown = cli("status", str(number))
    assert refused.json["error"]["hint"] in " ".join(shown.err.removeprefix("→ ").split())


def test_nothing_keeps_a_share_from_being_sent_that_may_leave_or_has_arrived(cli: Cli, books: Books) -> None:
    free, arrived, failed = books.paid(), books.completed(), books.sent()
    books.learn(failed, NotMoved("1", "The balance is insufficient"), "payout")
    for number in (free, arrived, failed):
        assert cli.json("status", str(number))["disbursement"]["whyNotSent"] is None
    assert "rentpay disburse" in cli("status", str(free)).err
    assert cli("status", str(arrived)).err == ""
    assert "rentpay retry-failed" in cli("status", str(failed)).err


def test_who_names_a_payment_vouches_for_what_must_be_mended_first(cli: Cli, books: Books, scripted: object) -> None:
    number = books.sent()
    books.learn(number, NotMoved("2007", "The account is not active"), "payout")
    assert cli.json("status", str(number))["disbursement"]["whyNotSent"]["code"] == "mend_first"
    assert f"Mend the cause first, then: rentpay disburse {number}" in cli("status", str(number)).err
    assert cli("disburse", str(number), "--json").status == 0


def test_the_reason_of_a_hold_and_of_a_stop_is_told(cli: Cli, books: Books) -> None:
    number = books.paid()
    held(books, 1)
    assert "(it is a lot)" in cli("disburse", str(number), "--json").json["error"]["message"]
    payouts.stop_payouts(books.rt, "a quarrel", "1")
    told = cli.json("status", str(number))["disbursement"]["whyNotSent"]
    assert told == {"code": "payouts_stopped", "message": "payouts to Wanjiru Kamau are stopped (a quarrel)"}


def test_after_a_restore_both_say_that_it_may_have_been_paid(cli: Cli, books: Books) -> None:
    number = books.paid()
    cli.json("payouts", "stop", "--restored")
    hint = cli("disburse", str(number), "--json").json["error"]["hint"]
    assert f"rentpay resolve {number} --paid RECEIPT" in hint
    assert hint in " ".join(cli("status", str(number)).err.split())


def test_what_m_pesa_cannot_be_asked_about_is_looked_up(cli: Cli, books: Books) -> None:
    number = books.paid()
    script(books.rt, lambda *_: Unanswered("no answer"))
    disburse(books.rt, number)
    assert "M-Pesa cannot be asked about it." in cli("disburse", str(number), "--json").json["error"]["hint"]
    assert "M-Pesa cannot be asked about it." in cli("status", str(number)).err


# --- for whom it is --------------------------------------------------------------------------------------------------


def test_an_owner_is_told_why_and_a_tenant_is_not(cli: Cli, books: Books, hashed_once: None) -> None:
    register.add_tenant(books.rt, name="Juma", phone="0722000111", property_reference="1")
    tokens = [
        access.give(books.rt, name="asha", role="admin").token,
        access.give(books.rt, name="wanjiru", role="owner", owner="1").token,
        access.give(books.rt, name="juma", role="tenant", tenant="Juma").token,
    ]
    number = books.paid(tenant_reference="Juma")
    held(books, 1)
    told = []
    for token in tokens:
        cli.configure(RENTPAY_TOKEN=token)
        told.append(cli.json("status", str(number))["disbursement"]["whyNotSent"])
        ran = cli("status", str(number))
        assert ran.status == 0
        assert ("payouts release" in ran.err) == (token == tokens[0])
    assert told[0] == told[1] == {"code": "held", "message": "it is held for a person to look at (it is a lot)"}
    assert told[2] is None


def test_to_say_why_takes_none_of_the_heavy_packages(books: Books, database_url: str) -> None:
    number = books.paid()
    held(books, 1)
    books.rt.close()
    found = imported_by("status", str(number), **OFFLINE, RENTPAY_DATABASE_URL=database_url)
    assert "rentpay_cli.flows.why" in found
    assert found & (HEAVY | {"rich.console", "rich.table"}) == set()


def test_to_look_writes_nothing_and_waits_for_nobody(cli: Cli, books: Books) -> None:
    number = books.paid()
    held(books, 1)
    with books.rt.database.transaction() as session:
        session.execute(text("UPDATE setting SET value = value"))  # somebody writes, and is not done
        assert cli.json("status", str(number))["disbursement"]["whyNotSent"]["code"] == "held"


def test_a_share_is_held_until_a_day_and_then_is_not(cli: Cli, books: Books) -> None:
    number = books.paid()
    with books.rt.database.transaction() as session:
        now = books.rt.now()
        over = now - timedelta(seconds=1)
        holds.place(session, HoldKind.PERSON, "until noon", "amina", over, property_id=1, until=now)
    books.rt.now = lambda: now + timedelta(hours=1)
    assert cli.json("status", str(number))["disbursement"]["whyNotSent"] is None
