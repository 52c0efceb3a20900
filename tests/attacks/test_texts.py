"""Names, notes and M-Pesa's texts that try to steer the terminal, the spreadsheet or the database."""

# ruff: noqa: F811 - fixtures of another folder are imported by name

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from sqlalchemy import text

from rentpay_cli.core.evidence import NotMoved
from rentpay_cli.core.redact import harmless, printable
from rentpay_cli.errors import WrongUse
from rentpay_cli.flows import register
from rentpay_cli.flows.read_inbox import read_inbox
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import inbox
from tests.cli.conftest import Books, Cli, books, cli, database_url, quick  # noqa: F401

HOSTILE = (
    "\x1b[2J\x1b[31mred",
    "\x1b]8;;http://evil.example\x07click\x1b]8;;\x07",
    "\x9b31mred",
    "\x00nul",
    "\rover",
    "\u202egnirts",
    "\u2066isolated\u2069",
    "\u200bhidden",
    "\U000e0041tag",
    "\x07bell\x08\x7f",
)
STEERING = [chr(point) for point in range(0x20) if point not in (0x0A, 0x0D)] + [
    chr(point) for point in range(0x7F, 0xA0)
]
STEERING += ["\u202e", "\u2066", "\u2069", "\u200b", "\U000e0041"]
READING = (
    ("payments",),
    ("status", "1"),
    ("status", "2"),
    ("history", "1"),
    ("owner", "list"),
    ("owner", "show", "1"),
    ("property", "list"),
    ("property", "show", "1"),
    ("tenant", "list"),
    ("tenant", "show", "1"),
    ("callbacks", "list"),
    ("callbacks", "show", "1"),
    ("journal",),
    ("health",),
    ("report", "revenue", "--by", "owner"),
    ("report", "revenue", "--by", "property"),
    ("report", "disbursements"),
)


@pytest.fixture
def poisoned(books: Books) -> Books:
    """Everything that may come from outside is hostile, also what is refused at the door today."""
    rt, odd = books.rt, " ".join(HOSTILE)
    register.add_tenant(rt, name="Achieng Otieno", phone="0722000333", property_reference="1")
    books.completed()
    failed = books.sent("2")
    books.learn(failed, NotMoved("SFC\x1b[2J", odd), "payout")
    inbox.append(rt.database, [("payout", odd, odd, odd.encode())], rt.now())
    read_inbox(rt)
    with rt.database.transaction() as session:
        for statement in (
            "UPDATE owner SET name = :odd, email = :odd",
            "UPDATE property SET name = name || :odd",
            "UPDATE tenant SET name = :odd",
            "UPDATE payment SET note = :odd",
            "UPDATE disbursement SET failure_reason = :odd WHERE status = 'failed'",
        ):
            session.execute(text(statement), {"odd": odd})
    return books


@pytest.mark.parametrize("command", READING, ids=" ".join)
@pytest.mark.parametrize("form", [(), ("--json",)], ids=["text", "json"])
def test_no_text_from_outside_steers_the_terminal(
    poisoned: Books,
    cli: Cli,
    command: tuple[str, ...],
    form: tuple[str, ...],
) -> None:
    ran = cli(*command, *form)
    assert ran.status in (0, 6), ran
    found = {sign for sign in STEERING if sign in ran.out + ran.err}
    assert found == set()
    assert "\r" not in ran.out.replace("\r\n", "")
    if form:
        json.loads(ran.out)


def test_json_still_carries_a_text_as_it_is(poisoned: Books, cli: Cli) -> None:
    assert cli.json("owner", "show", "1")["owner"]["name"] == " ".join(HOSTILE)


@pytest.mark.parametrize("command", [("payments",), ("history", "1")], ids=" ".join)
def test_a_spreadsheet_gets_no_steering_signs(poisoned: Books, cli: Cli, command: tuple[str, ...]) -> None:
    ran = cli(*command, "--format", "csv")
    assert ran.status == 0
    assert {sign for sign in STEERING if sign in ran.out} == set()
    assert len({len(row) for row in csv.reader(io.StringIO(ran.out, newline=""))}) == 1


@pytest.mark.parametrize("start", ["=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "\u200b=1", "\uff1d1"])
def test_a_cell_that_begins_like_a_formula_is_defused(books: Books, cli: Cli, start: str) -> None:
    books.completed()
    with books.rt.database.transaction() as session:
        session.execute(text("UPDATE property SET name = :name || name"), {"name": start})
    (_, *rows) = csv.reader(io.StringIO(cli("payments", "--format", "csv").out, newline=""))
    names = [cell for row in rows for cell in row if "Sunset" in cell]
    assert names
    assert all(name.startswith("'") for name in names)


def test_numbers_in_a_spreadsheet_stay_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    from rentpay_cli.cli import sheet

    values: list[Any] = [-5, -5.5, "-5", "-5.50", "10000", 0, None, True]
    sheet.write(["x"], [{"x": value} for value in values])
    lines = capsys.readouterr().out.split("\r\n")[1:-1]
    assert lines == ["-5", "-5.5", "-5", "-5.50", "10000", "0", '""', "true"]


@pytest.mark.parametrize("odd", [odd for odd in HOSTILE if "\r" not in odd])  # that is a blank like others
def test_a_name_that_steers_a_terminal_is_refused(rt: Runtime, odd: str) -> None:
    with pytest.raises(WrongUse) as refusal:
        register.add_owner(rt, name=f"Wanjiru {odd} Kamau")
    assert refusal.value.message


@pytest.mark.parametrize("odd", ["Robert'); DROP TABLE payment;--", "' OR '1'='1", '"; --', "%_%", "\\'", "Ann, Ltd"])
def test_a_name_that_looks_like_sql_is_only_a_name(books: Books, cli: Cli, odd: str) -> None:
    number = register.add_owner(books.rt, name=odd)
    assert cli.json("owner", "show", str(number))["owner"]["name"] == odd
    assert cli.json("owner", "show", odd)["owner"]["id"] == number
    assert cli("history", odd).status == 0
    assert cli("payments", "--owner", odd).status == 0
    assert cli("payments").status == 0


@pytest.mark.parametrize("odd", ["' OR 1=1 --", "1; DROP TABLE payment", "\x1b[2J", "%", "1 UNION SELECT 1", "\udcff"])
def test_an_argument_that_looks_like_sql_finds_nothing(books: Books, cli: Cli, odd: str) -> None:
    books.completed()
    for command in (("status",), ("owner", "show"), ("history",), ("callbacks", "show"), ("disburse",)):
        ran = cli(*command, odd)
        assert ran.status in (2, 3), (command, ran)
        assert "\x1b" not in ran.err
    assert cli("status", "1").status == 0


def test_every_sign_that_steers_is_taken_out_also_alone() -> None:
    assert [sign for sign in STEERING if harmless(f"Sunset{sign}").strip() != "Sunset"] == []
    assert [sign for sign in STEERING if harmless(sign).strip()] == []


def test_what_is_printable_is_harmless_and_one_line() -> None:
    for odd in HOSTILE:
        assert not set(STEERING) & set(printable(f"a{odd}\nb"))
        assert "\n" not in printable(f"a{odd}\nb")
        assert not set(STEERING) & set(harmless(odd))
    assert harmless("Wanjirũ wa Kamaũ\nAkinyi") == "Wanjirũ wa Kamaũ\nAkinyi"
