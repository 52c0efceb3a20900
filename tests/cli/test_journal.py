"""`rentpay journal`: who did what, newest first, by payment, event and day."""

from __future__ import annotations

import socket
from datetime import UTC, datetime

import pytest

from rentpay_cli.runtime import who
from tests.cli.conftest import Books, Cli
from tests.support.forger import forge
from tests.support.terminal import in_a_terminal


@pytest.fixture
def written(books: Books) -> Books:
    """Entries of two East African days: the register's today, then payments on 22 and 23 November 2026."""
    books.at(datetime(2026, 11, 22, 20, 59, 59, tzinfo=UTC))
    books.paid()
    books.at(datetime(2026, 11, 22, 21, 0, tzinfo=UTC))
    books.paid()
    return books


def test_the_newest_is_first_and_a_list_goes_on_by_number(cli: Cli, written: Books) -> None:
    entries = cli.json("journal", "list")["entries"]
    numbers = [entry["id"] for entry in entries]
    assert numbers == sorted(numbers, reverse=True)
    assert (entries[-1]["event"], entries[-1]["actor"], entries[-1]["paymentId"]) == ("owner added", "tester", None)
    assert entries[-1]["detail"]["phone"] == "254712***678"
    assert cli.json("journal", "list", "--before", "3", "--limit", "1")["entries"][0]["id"] == 2


def test_it_is_filtered_by_payment_event_and_day(cli: Cli, written: Books) -> None:
    def found(*arguments: str) -> set[tuple[str, str | None]]:
        return {(entry["event"], entry["paymentId"]) for entry in cli.json("journal", "list", *arguments)["entries"]}

    assert found("--payment", "1") == {("rent asked", "1"), ("learned", "1")}
    assert found("--payment", "SKN0000002") == {("rent asked", "2"), ("learned", "2")}
    assert found("--event", "Rent asked") == {("rent asked", "1"), ("rent asked", "2")}
    assert found("--event", "rent asked", "--from", "2026-11-23", "--to", "2026-11-23") == {("rent asked", "2")}
    assert found("--event", "rent asked", "--to", "2026-11-22") == {("rent asked", "1")}


def test_alone_it_lists(cli: Cli, written: Books) -> None:
    assert cli.json("journal") == cli.json("journal", "list")
    assert cli.json("journal", "--payment", "1") == cli.json("journal", "list", "--payment", "1")
    assert "owner added" in cli("journal").out
    assert "Commands" in cli("journal", "--help").out


def test_people_see_what_changed_in_words(cli: Cli, written: Books) -> None:
    cli("payouts", "stop", "--reason", "the password is being changed")
    out = cli("journal", "--event", "payouts stopped").out
    assert "reason: the password is being changed" in out
    assert "No entry" in cli("journal", "--event", "nothing such").out
    assert "--before" in cli("journal", "--limit", "2").err


def test_what_has_no_meaning_is_refused(cli: Cli) -> None:
    assert cli("journal", "--from", "yesterday", "--json").refusal == (2, "wrong_use")
    assert cli("journal", "--from", "2026-11-23", "--to", "2026-11-22", "--json").refusal == (2, "wrong_use")
    assert cli("journal", "--payment", "99", "--json").refusal == (3, "not_found")
    assert cli("journal", "odd", "--json").refusal == (2, "wrong_use")


# --- nothing was rewritten -------------------------------------------------------------------------------------------


def test_a_journal_that_fits_is_told_with_its_head(cli: Cli, written: Books) -> None:
    document = cli.json("journal", "verify")
    kept = cli.json("journal", "head")
    assert document["entries"] == kept["number"] == len(cli.json("journal", "list")["entries"])
    assert document["head"] == kept["head"] == f"{kept['hash']}:{kept['number']}"
    assert {"table": "payment", "rows": 2} in document["checked"]
    assert cli("journal", "head").out == f"{kept['head']}\n"
    out = cli("journal", "verify", "--head", kept["head"]).out
    assert "Everything fits" in out
    assert kept["hash"] in out
    assert "rentpay journal verify --head" in cli("journal", "verify").err


@pytest.mark.parametrize("columns", ["80", "40"])
def test_the_head_stands_whole_on_a_line_in_every_window(cli: Cli, written: Books, columns: str) -> None:
    kept = cli.json("journal", "head")["head"]
    cli.configure(COLUMNS=columns)
    for command in ("head", "verify"):
        assert kept in cli("journal", command).out.splitlines()


def test_at_eighty_columns_what_changed_has_room(cli: Cli, written: Books) -> None:
    cli("payouts", "stop", "--reason", "the password is being changed")
    cli.configure(COLUMNS="80")
    lines = cli("journal").out.splitlines()
    assert max(map(len, lines)) <= 80
    assert "reason: the password is being changed" in [line.strip() for line in lines]


def test_one_changed_byte_ends_with_6_and_is_named(cli: Cli, written: Books, database_url: str) -> None:
    forge(database_url, "UPDATE money_in SET receipt = 'SKN0000009' WHERE id = 2")
    ran = cli("journal", "verify", "--json")
    assert ran.refusal == (6, "does_not_fit")
    assert ran.json["error"]["message"] == (
        "Money in 2 does not fit: the journal says that its receipt is SKN0000002, but the table says SKN0000009."
    )
    ran = cli("journal", "verify")
    assert (ran.status, ran.out) == (6, "")
    assert "Attention: Money in 2 does not fit" in ran.err


def test_a_head_that_was_kept_shows_what_was_cut_off(cli: Cli, written: Books, database_url: str) -> None:
    cli("payouts", "stop", "--reason", "the password is being changed")
    kept = cli.json("journal", "head")
    forge(database_url, f"DELETE FROM journal WHERE id = {kept['number']}", "DELETE FROM payout_stop")
    assert cli("journal", "verify").status == 0
    assert cli("journal", "verify", "--head", kept["head"], "--json").refusal == (6, "does_not_fit")
    assert cli("journal", "verify", "--head", "4711", "--json").refusal == (2, "wrong_use")


def test_a_verification_that_takes_long_shows_a_bar_in_a_terminal(cli: Cli, written: Books) -> None:
    written.rt.close()
    slowly = (
        "import time; from rentpay_cli.cli import progress; from rentpay_cli.flows import verify;"
        " verify.TELL_EVERY = 1; check = verify.why_not_next;"
        " verify.why_not_next = lambda *all: (time.sleep(0.2), check(*all))[1];"
        " from rentpay_cli.cli.app import main; main(['journal', 'verify'])"
    )
    status, screen = in_a_terminal([], [], python=["-c", slowly])
    assert status == 0
    assert "Checking" in screen


def test_after_a_restore_the_copy_fits_and_tells_of_the_restore(cli: Cli, written: Books) -> None:
    kept = cli.json("journal", "head")["head"]
    written.rt.close()
    cli.json("backup", "copy.db")
    cli.json("restore", "copy.db", "--yes")
    assert cli.json("journal", "list")["entries"][0]["event"] == "restored"
    cli.json("journal", "verify", "--head", kept)


def test_where_a_person_came_from_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for value, ending in (("10.0.0.7 50122 10.0.0.1 22", " from 10.0.0.7"), ("\x1b[2J 1 2 3", ""), ("", "")):
        monkeypatch.setenv("SSH_CONNECTION", value)
        name, _, machine = who().partition("@")
        assert machine == f"{socket.gethostname()}{ending}"
        assert name
