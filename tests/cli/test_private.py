"""What people and scripts are not shown: whole phone numbers unless they ask, and anything at all when we crash."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from rentpay_cli.cli import app, output
from rentpay_cli.cli.common import Invocation, invoked
from tests.cli.conftest import Books, Cli

PHONE = "254722000111"


def test_the_checkout_id_is_whole_where_rent_is_asked_and_masked_where_it_is_looked_at(
    live: Cli, reader: None, let: int
) -> None:
    asked = live.json("initiate", "--property", "1", "--phone", "0722000111", "--wait")
    whole = asked["checkoutRequestId"]
    assert whole.endswith(PHONE[3:])
    masked = whole[:-6] + "***" + whole[-3:]
    assert asked["payment"]["checkoutRequestId"] == masked
    found = live.json("status", whole)["payment"]
    assert (found["id"], found["checkoutRequestId"]) == ("1", masked)
    assert live.json("status", "1", "--reveal")["payment"]["checkoutRequestId"] == whole
    assert live.json("payments")["payments"][0]["checkoutRequestId"] == masked
    assert whole not in live("payments", "--format", "csv").out
    assert whole in live("payments", "--format", "csv", "--reveal").out
    ran = live("status", masked, "--json")
    assert ran.refusal == (3, "not_found")
    assert "--reveal" in ran.json["error"]["hint"]
    assert live.json("disburse", "1", "--wait")["checkoutRequestId"] == masked


def test_a_tenant_is_forgotten_after_asking_and_the_answer_says_what_stays(cli: Cli, books: Books) -> None:
    cli.json("tenant", "add", "--name", "Otieno Ouma", "--phone", "0722000111", "--property", "1")
    books.completed()
    assert cli("tenant", "forget", "1", "--json").refusal == (2, "wrong_use")
    assert cli.json("tenant", "show", "1")["tenant"]["name"] == "Otieno Ouma"
    revenue = cli("report", "revenue").out
    done = cli.json("tenant", "forget", "otieno ouma", "--yes")
    assert (done["message"], done["tenantId"], done["payments"]) == ("Tenant forgotten", 1, 1)
    assert any("backups" in what for what in done["notRemoved"])
    assert cli.json("status", "1", "--reveal")["payment"]["phone"] is None
    assert cli.json("tenant", "show", "1", "--reveal")["tenant"]["name"] == "forgotten tenant 1"
    assert cli("report", "revenue").out == revenue
    assert cli.json("journal", "verify")["message"] == "Everything fits"
    assert "What could not be removed" in cli("tenant", "forget", "1", "--yes").out
    assert cli("tenant", "forget", "9", "--yes", "--json").refusal == (3, "not_found")
    with pytest.raises(json.JSONDecodeError):
        json.loads(cli("tenant", "list").out)
    assert "Otieno" not in cli("tenant", "list").out


SECRET = "Sup3rSecretValueOfNobody"


@pytest.fixture
def crashing(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """A command that falls over with a secret in hand."""
    cli.configure(MPESA_PASSKEY=SECRET)

    def crash(*_: Any) -> None:
        password = SECRET
        raise LookupError(f"the {password} of 0722000111")

    monkeypatch.setattr("rentpay_cli.flows.look.payment_number", crash)
    monkeypatch.setattr(output, "guard", lambda: None)
    return cli


def ended(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[Any, str, str]:
    with pytest.raises(SystemExit) as exit_:
        app.main(arguments)
    return exit_.value.code, *capsys.readouterr()


def test_a_mistake_of_ours_is_one_sentence_with_nothing_of_the_data_in_it(
    crashing: Cli, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, err = ended(capsys, "status", "1")
    assert (status, out) == (1, "")
    assert f"LookupError in {Path(__file__).name}" in err
    assert "nothing was sent" in err
    assert "RENTPAY_DEBUG=1" in err
    assert SECRET not in err
    assert "0722" not in err
    assert "Traceback" not in err


def test_a_mistake_of_ours_is_one_document_for_scripts(crashing: Cli, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = ended(capsys, "status", "1", "--json")
    assert (status, err) == (1, "")
    assert json.loads(out)["error"]["code"] == "internal"
    assert SECRET not in out


def test_a_traceback_is_shown_only_when_it_is_asked_for_and_without_secrets(
    crashing: Cli, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RENTPAY_DEBUG", "1")
    status, out, err = ended(capsys, "status", "1", "--json")
    assert status == 1
    assert json.loads(out)["error"]["code"] == "internal"
    assert "Traceback" in err
    assert "the [removed] of 0722***111" in err
    assert SECRET not in err


def test_a_mistake_after_money_was_sent_ends_with_5(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyError) as crash:
        raise KeyError(SECRET)
    with invoked(Invocation(json=True, sent=[7])):
        assert app._crashed(crash.value) == 5
    told = json.loads(capsys.readouterr().out)["error"]
    assert told["code"] == "internal"
    assert "payment 7 has left" in told["message"]
    assert "Do not send again" in told["hint"]


def test_what_goes_to_standard_error_leaves_without_secrets(
    crashing: Cli, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    crashing("status", "1", "--reveal", "--no-such")  # reads no settings
    from rentpay_cli.config import load_settings

    load_settings()
    talk = output._Talk(sys.stderr, output._Answers(sys.stdout))
    talk.write(f"a thread died of {SECRET}\n")
    assert capsys.readouterr().err == "a thread died of [removed]\n"
