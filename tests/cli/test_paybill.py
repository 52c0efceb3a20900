"""Where rent goes, as a person at a terminal and a script meet it: held changes, names, the stop of one owner."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Books, Cli
from tests.cli.test_production import Terminal
from tests.cli.test_register import OWNER, PROPERTY
from tests.support.scripted import ScriptedMpesa

EDIT = ("property", "edit", "1", "--paybill", "600009", "--account", "NEW")


@pytest.fixture
def held(cli: Cli, scripted: ScriptedMpesa) -> Cli:
    """A property whose new destination waits."""
    scripted.names = {"247247": "247247 - EQUITY BANK", "600009": "Kamau Holdings"}
    cli.json(*OWNER)
    cli.json(*PROPERTY, "--yes")
    cli.json(*EDIT)
    return cli


def typing(monkeypatch: pytest.MonkeyPatch, answers: str) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(answers))


def place(cli: Cli) -> dict[str, object]:
    found = cli.json("property", "show", "1")["property"]
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize(
    ("answer", "status", "name", "added"),
    [("y\n", 0, "EQUITY BANK", True), ("n\n", 1, None, False)],
)
def test_at_a_terminal_a_new_property_is_added_once_its_name_is_said_to_be_right(
    cli: Cli,
    scripted: ScriptedMpesa,
    monkeypatch: pytest.MonkeyPatch,
    answer: str,
    status: int,
    name: str | None,
    added: bool,
) -> None:
    scripted.names = {"247247": "EQUITY BANK"}
    cli.json(*OWNER)
    typing(monkeypatch, answer)
    ran = cli(*PROPERTY)
    assert ran.status == status
    assert "paybill 247247 belongs to EQUITY BANK" in ran.err
    assert [entry["paybillName"] for entry in cli.json("property", "list")["properties"]] == [name] * added


def test_without_a_terminal_a_new_property_s_name_is_shown_and_not_confirmed(cli: Cli, scripted: ScriptedMpesa) -> None:
    cli.json(*OWNER)
    ran = cli(*PROPERTY)
    assert ran.status == 0
    assert "belongs to Organisation 247247" in ran.err
    assert place(cli)["paybillName"] is None


def test_a_property_is_added_where_m_pesa_cannot_be_asked(cli: Cli) -> None:
    cli.json(*OWNER)
    ran = cli(*PROPERTY, "--yes")
    assert ran.status == 0
    assert "Whose paybill 247247 is could not be looked up: M-Pesa cannot be reached" in " ".join(ran.err.split())
    assert place(cli)["paybillName"] is None
    assert cli.json(*EDIT)["property"]["heldChange"]["organisationName"] is None


def test_an_edit_shows_what_is_held_and_how_to_confirm_it(held: Cli) -> None:
    assert place(held)["paybill"] == "247247"
    change = place(held)["heldChange"]
    assert isinstance(change, dict)
    assert (change["paybill"], change["accountNumber"], change["organisationName"]) == (
        *("600009", "NEW"),
        "Kamau Holdings",
    )
    assert set(change) == {"paybill", "accountNumber", "organisationName", "askedBy", "askedAt"}
    shown = " ".join(held("property", "show", "1").out.split())
    assert "EQUITY BANK" in shown
    assert "to paybill 600009, Kamau Holdings, account NEW; asked for by" in shown
    held.json("property", "cancel-change", "1")
    ran = held(*EDIT)
    assert "rentpay property confirm 1" in ran.err
    assert "Kamau Holdings" in ran.out
    assert held(*EDIT, "--json").refusal == (1, "change_held")


def test_a_held_change_is_a_finding_of_health(held: Cli) -> None:
    ran = held("health", "--json")
    assert ran.status == 6
    (finding,) = [each for each in ran.json["findings"] if each["kind"] == "paybill_change"]
    assert finding["command"] == "rentpay property confirm 1"
    assert ran.json["counts"]["heldPaybillChanges"] == 1


@pytest.mark.parametrize(
    ("answers", "status", "paybill"),
    [("y\ny\n", 0, "600009"), ("y\nn\n", 1, "247247"), ("n\n", 1, "247247")],
)
def test_who_asked_for_a_change_is_asked_twice_before_it_is_in_force(
    held: Cli, monkeypatch: pytest.MonkeyPatch, answers: str, status: int, paybill: str
) -> None:
    typing(monkeypatch, answers)
    ran = held("property", "confirm", "1")
    assert ran.status == status
    shown = " ".join(ran.out.split())
    assert "Until now EQUITY BANK, paybill 247247, account PROP001" in shown
    assert "From now on Kamau Holdings, paybill 600009, account NEW" in shown
    assert "Asked by" in shown
    assert ("You asked for this change yourself" in ran.err) == (answers[0] == "y")
    assert place(held)["paybill"] == paybill


def test_a_script_confirms_with_yes_alone(held: Cli) -> None:
    ran = held("property", "confirm", "1", "--json")
    assert ran.refusal == (2, "wrong_use")
    assert "Kamau Holdings, paybill 600009, account NEW" in ran.json["error"]["message"]
    assert place(held)["paybill"] == "247247"
    content = held.json("property", "confirm", "1", "--yes")
    assert set(content) == {"success", "property"}
    assert (content["property"]["paybill"], content["property"]["paybillName"]) == ("600009", "Kamau Holdings")
    assert content["property"]["heldChange"] is None
    assert held("property", "confirm", "1", "--yes", "--json").refusal == (1, "nothing_held")


def test_a_change_is_dropped(held: Cli) -> None:
    content = held.json("property", "cancel-change", "Sunset Apartments")
    assert (content["property"]["paybill"], content["property"]["heldChange"]) == ("247247", None)
    assert held("property", "cancel-change", "1", "--json").refusal == (1, "nothing_held")


@pytest.mark.parametrize("command", ["confirm", "cancel-change"])
def test_a_property_that_is_not_there_is_said_with_status_3(held: Cli, command: str) -> None:
    assert held("property", command, "Nowhere", "--yes", "--json").refusal == (3, "not_found")


def test_with_two_admins_who_asked_cannot_confirm(held: Cli) -> None:
    tokens = {}
    for name in ("amina", "brian"):
        tokens[name] = held.json("access", "add", name, "--role", "admin")["token"]
        held.configure(RENTPAY_TOKEN=tokens["amina"])
    held.json("property", "cancel-change", "1")
    held.json(*EDIT)
    assert held("property", "confirm", "1", "--yes", "--json").refusal == (7, "second_admin")
    held.configure(RENTPAY_TOKEN=tokens["brian"], SSH_CONNECTION="192.0.2.7 1 192.0.2.1 22")
    assert held.json("property", "confirm", "1", "--yes")["property"]["paybill"] == "600009"


def test_who_asked_is_the_same_from_another_address(held: Cli) -> None:
    token = held.json("access", "add", "amina", "--role", "admin")["token"]
    held.configure(RENTPAY_TOKEN=token)
    held.json("access", "add", "brian", "--role", "admin")
    held.json("property", "cancel-change", "1")
    held.json(*EDIT)
    held.configure(SSH_CONNECTION="192.0.2.7 1 192.0.2.1 22")
    assert held("property", "confirm", "1", "--yes", "--json").refusal == (7, "second_admin")


# --- the stop of one owner --------------------------------------------------------------------------------------------


def test_payouts_to_one_owner_are_stopped_shown_and_resumed(books: Books, cli: Cli) -> None:
    number = str(books.paid())
    content = cli.json("payouts", "stop", "--owner", "Wanjiru Kamau", "--reason", "a quarrel")
    assert content == {
        **{"success": True, "message": "Payouts stopped", "stopped": False},
        **{"owner": "Wanjiru Kamau", "reason": "a quarrel"},
    }
    found = cli.json("payouts", "show")
    assert (found["stopped"], found["reason"]) == (False, None)
    ((owner),) = found["owners"]
    assert (owner["ownerId"], owner["ownerName"], owner["reason"]) == (1, "Wanjiru Kamau", "a quarrel")
    assert owner["stoppedAt"].endswith("Z")
    ran = cli("payouts", "show")
    assert "Payouts to Wanjiru Kamau are stopped" in ran.out
    assert "rentpay payouts resume --owner 1" in ran.err
    ran = cli("status", number)
    assert "It is not sent to the owner: payouts to Wanjiru Kamau are stopped (a quarrel)." in ran.out
    assert "rentpay payouts resume --owner 1" in ran.err
    refused = cli("disburse", number, "--json")
    assert refused.refusal == (1, "payouts_stopped")
    assert "payouts to Wanjiru Kamau are stopped (a quarrel)" in refused.json["error"]["message"]
    ran = cli("health", "--json")
    assert "owner_stopped" in [finding["kind"] for finding in ran.json["findings"]]
    content = cli.json("payouts", "resume", "--owner", "1")
    assert (content["stopped"], content["reason"]) == (False, "a quarrel")
    assert cli.json("payouts", "show")["owners"] == []
    assert cli("payouts", "resume", "--owner", "1", "--json").refusal == (1, "not_stopped")


def test_a_stop_of_one_owner_and_one_of_all_are_told_apart(books: Books, cli: Cli) -> None:
    assert cli("payouts", "stop", "--owner", "1", "--reason", "x").out == "Payouts to Wanjiru Kamau are stopped.\n"
    cli.json("payouts", "stop", "--reason", "the password is changed")
    shown = cli("payouts", "show").out
    assert "Payouts to Wanjiru Kamau are stopped" in shown
    assert "All payouts are stopped" in shown
    assert cli.json("payouts", "resume")["stopped"] is False
    assert len(cli.json("payouts", "show")["owners"]) == 1
    assert cli("payouts", "stop", "--owner", "Nobody", "--reason", "x", "--json").refusal == (3, "not_found")
    assert cli("retry-failed", "--owner", "1", "--json").refusal == (1, "payouts_stopped")


def test_after_a_restore_by_other_means_payouts_are_stopped_as_after_ours(books: Books, cli: Cli) -> None:
    books.paid()
    cli.json("payouts", "stop", "--reason", "maintenance")
    content = cli.json("payouts", "stop", "--restored")
    assert content["reason"].startswith("Restored from a backup")
    shown = cli.json("payouts", "show")
    assert (shown["stopped"], shown["kind"]) == (True, "restore")
    assert [stop["kind"] for stop in shown["stops"]] == ["restore", "person"]
    ran = cli("payouts", "show")
    assert ran.out.count("All payouts are stopped") == 2
    assert "rentpay resolve ID --paid RECEIPT" in ran.err
    assert cli("payouts", "stop", "--restored", "--json").refusal == (1, "already_stopped")
    assert cli("payouts", "stop", "--restored", "--reason", "x", "--json").refusal == (2, "wrong_use")
    assert cli("payouts", "stop", "--json").refusal == (2, "wrong_use")
    assert cli.json("payouts", "resume", "--yes")["reason"] == f"maintenance; {content['reason']}"
