"""`rentpay journal`: who did what, newest first, by payment, event and day."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.cli.conftest import Books, Cli


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
