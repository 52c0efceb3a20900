"""What the shell offers: ids and names from the database, and not a letter when something is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rentpay_cli.flows import register
from rentpay_cli.flows.read_inbox import read_inbox
from rentpay_cli.store import inbox, reads
from tests.cli.conftest import OFFLINE, Books, Cli, Completed
from tests.cli.test_every_command import every_command


@pytest.fixture
def filled(cli: Cli, books: Books) -> Cli:
    register.add_owner(books.rt, name="Wambui")
    register.add_tenant(books.rt, name="Juma Otieno", phone="0722000111", property_reference="1")
    books.paid()
    books.asked()
    return cli


def test_bash_is_offered_names_as_they_must_be_typed(filled: Cli, completed: Completed) -> None:
    assert completed("rentpay payments --owner ") == ["Wambui", "Wanjiru\\ Kamau"]
    assert completed("rentpay payments --owner wan") == ["Wanjiru\\ Kamau"]
    assert completed("rentpay initiate --property h") == ["Hill\\ View"]
    assert completed("rentpay initiate --tenant J") == ["Juma\\ Otieno"]
    assert completed("rentpay history ") == ["Wambui", "Wanjiru\\ Kamau"]
    assert completed("rentpay retry-failed --owner Wam") == ["Wambui"]
    assert completed("rentpay payments --owner nobody") == []


def test_a_name_can_be_completed_after_its_blank(filled: Cli, completed: Completed) -> None:
    assert completed("rentpay history Wanjiru\\ K", words=3) == ["Wanjiru\\ Kamau"]
    assert completed("rentpay history 'Wanj", words=3) == ["Wanjiru\\ Kamau"]


def test_numbers_are_offered_once_a_digit_is_typed(filled: Cli, completed: Completed) -> None:
    assert completed("rentpay property add --owner 1") == ["1"]
    assert completed("rentpay tenant add --property 2") == ["2"]


@pytest.mark.parametrize("verb", ["show", "edit"])
def test_the_register_s_own_commands_complete_names_and_numbers(filled: Cli, completed: Completed, verb: str) -> None:
    assert completed(f"rentpay owner {verb} ") == ["Wambui", "Wanjiru\\ Kamau"]
    assert completed(f"rentpay owner {verb} 2") == ["2"]
    assert completed(f"rentpay property {verb} s") == ["Sunset\\ Apartments"]
    assert completed(f"rentpay tenant {verb} ") == ["Juma\\ Otieno"]


def test_nothing_that_names_an_owner_property_tenant_or_payment_is_without_completion() -> None:
    lacking = [
        f"{' '.join(path)}: {parameter.name}"
        for path, command in every_command()
        for parameter in command.params
        if (parameter.name in ("owner", "property", "tenant", "payment", "reference") or parameter.metavar == "ID")
        and parameter.name != "before"
        and parameter._custom_shell_complete is None
    ]
    assert lacking == []


@pytest.mark.parametrize("command", ["status", "disburse", "resolve", "journal --payment", "journal list --payment"])
def test_payments_are_offered_by_number_and_by_receipt(filled: Cli, completed: Completed, command: str) -> None:
    assert completed(f"rentpay {command} ") == ["2", "1"]
    assert completed(f"rentpay {command} 2") == ["2"]
    assert completed(f"rentpay {command} skn") == ["SKN0000001"]


def test_callbacks_are_offered_by_number_and_for_replay_only_those_that_are_held(
    filled: Cli, books: Books, completed: Completed
) -> None:
    forged: list[Any] = [("collection", None, "10.0.0.1", b"{}")]
    inbox.append(books.rt.database, forged, books.rt.now())
    read_inbox(books.rt)
    inbox.append(books.rt.database, [("collection", None, "10.0.0.1", b"[]")], books.rt.now())
    assert completed("rentpay callbacks show ") == ["2", "1"]
    assert completed("rentpay callbacks show 1") == ["1"]
    assert completed("rentpay callbacks replay ") == ["1"]
    for shell in ("zsh", "fish"):
        assert any("1" in line and "held" in line for line in completed("rentpay callbacks replay ", shell))
        assert any("2" in line and "new" in line for line in completed("rentpay callbacks show ", shell))


def test_the_settings_file_named_before_the_cursor_is_the_one_that_counts(
    cli: Cli, books: Books, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, completed: Completed
) -> None:
    cli.forget(*OFFLINE, "RENTPAY_DATABASE_URL")
    settings = {**OFFLINE, "RENTPAY_DATABASE_URL": database_url}
    (tmp_path / "other.env").write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert completed("rentpay owner show ") == []
    for named in ("other.env", str(tmp_path / "other.env"), "~/other.env"):
        for line in (
            f"rentpay owner show --env-file {named} W",
            f"rentpay owner show --env-file={named} W",
            f"rentpay payments --env-file {named} --owner W",
            f"rentpay payments --json --env-file {named} --owner W",
        ):
            for shell in ("bash", "zsh", "fish"):
                assert any("Kamau" in offered for offered in completed(line, shell)), (line, shell)
    assert completed("rentpay owner show --env-file nothing.env W") == []


def test_the_other_shells_see_a_word_about_each(filled: Cli, completed: Completed) -> None:
    assert any("Wanjiru Kamau" in line and "owner 1" in line for line in completed("rentpay history Wan", "zsh"))
    assert any("Wanjiru Kamau" in line and "owner 1" in line for line in completed("rentpay history Wan", "fish"))


def test_options_and_commands_are_offered_too(filled: Cli, completed: Completed) -> None:
    assert "retry-failed" in completed("rentpay retry")
    assert "--owner" in completed("rentpay payments --o")


def test_without_settings_or_database_nothing_is_offered_said_or_made(
    cli: Cli, tmp_path: Path, completed: Completed
) -> None:
    missing = tmp_path / "missing.db"
    cli.configure(RENTPAY_DATABASE_URL=f"sqlite:///{missing}")
    assert completed("rentpay history W") == []
    assert not missing.exists()
    (tmp_path / "notes.db").write_text("no database at all " * 100)
    cli.configure(RENTPAY_DATABASE_URL=f"sqlite:///{tmp_path / 'notes.db'}")
    assert completed("rentpay history W") == []
    cli.forget(*OFFLINE)
    assert completed("rentpay history W") == []


def test_a_wildcard_is_a_letter_like_any_other(books: Books) -> None:
    register.add_owner(books.rt, name="100% Homes")
    found = reads.names_beginning(books.rt.reader, "owner", "%", 9)
    assert found == []
