"""`rentpay requests`: what waits for a second person, in one list."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Books, Cli
from tests.support.scripted import ScriptedMpesa


@pytest.fixture
def asked(cli: Cli, books: Books, scripted: ScriptedMpesa) -> Cli:
    """A change of where the rent of property 1 goes was asked for."""
    assert cli("property", "edit", "1", "--paybill", "600009", "--account", "NEW1", "--yes").status == 0
    return cli


def test_what_waits_is_listed_with_what_was_shown(asked: Cli) -> None:
    (request,) = asked.json("requests", "list")["requests"]
    assert (request["id"], request["kind"], request["state"], request["mine"]) == (1, "destination", "waiting", True)
    assert request["about"] == "property 1, Sunset Apartments"
    assert "from paybill 600001, account PROP001, to Organisation 600009, paybill 600009" in request["shown"]
    assert "600009" in asked("requests", "list").out
    assert asked("requests", "list", "--format", "csv").out.splitlines()[1].startswith("1,destination,waiting,")


def test_a_request_is_confirmed_like_the_property(asked: Cli) -> None:
    request = asked.json("requests", "confirm", "1", "--yes")["request"]
    assert (request["state"], request["decidedAt"] is not None) == ("confirmed", True)
    assert asked.json("property", "show", "1")["property"]["paybill"] == "600009"
    assert asked("requests", "confirm", "1", "--yes", "--json").refusal == (1, "not_waiting")


def test_property_confirm_decides_the_same_request(asked: Cli) -> None:
    assert asked("property", "confirm", "1", "--yes").status == 0
    assert asked.json("requests", "show", "1")["request"]["state"] == "confirmed"


def test_a_request_that_is_withdrawn_changes_nothing(asked: Cli) -> None:
    assert asked.json("requests", "withdraw", "1")["request"]["state"] == "withdrawn"
    assert asked.json("property", "show", "1")["property"]["paybill"] == "600001"
    assert asked.json("requests", "list")["requests"] == []
    assert [each["id"] for each in asked.json("requests", "list", "--all")["requests"]] == [1]
    assert "(withdrawn)" in asked("requests", "list", "--all").out


def test_a_request_that_is_not_there_is_said_so(cli: Cli, books: Books) -> None:
    assert cli("requests", "show", "7", "--json").refusal == (3, "not_found")
    assert "Nothing waits" in cli("requests", "list").out
