"""`rentpay callbacks`: every callback as it came, masked, harmless, and read again by the same rules."""

from __future__ import annotations

import json

import pytest

from rentpay_cli.core.callbacks import CallbackState
from rentpay_cli.flows.read_inbox import read_inbox
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import inbox
from tests.cli.conftest import Cli

BODY = b'{"Body": {"Items": [{"Value": 254712345678}, {"Value": 22000.00}], "Empty": {}, "Local": "0712345678"}}'


@pytest.fixture
def three(cli: Cli, rt: Runtime) -> None:
    """Two held callbacks and one that nobody has read."""
    inbox.append(rt.database, [("collection", None, "10.0.0.1", BODY), ("timeout", "t", None, b"")], rt.now())
    read_inbox(rt)
    inbox.append(rt.database, [("payout", None, None, b"not \x1b[31mjson\xc2\x9b1m\n\xff\xe2\x80\xaeline")], rt.now())


def test_callbacks_are_listed_newest_first_and_by_state(cli: Cli, three: None) -> None:
    assert [item["id"] for item in cli.json("callbacks", "list")["callbacks"]] == [3, 2, 1]
    assert [item["id"] for item in cli.json("callbacks", "list", "--state", "held")["callbacks"]] == [2, 1]
    assert [item["id"] for item in cli.json("callbacks", "list", "--state", "new")["callbacks"]] == [3]
    assert cli.json("callbacks", "list", "--state", "read")["callbacks"] == []
    first = cli.json("callbacks", "list", "--before", "2")["callbacks"][0]
    assert (first["id"], first["address"], first["sourceIp"], first["state"]) == (1, "collection", "10.0.0.1", "held")
    assert "no token" in first["outcome"]
    assert first["receivedAt"].endswith("Z")
    ran = cli("callbacks", "list", "--limit", "1")
    assert "payout" in ran.out
    assert "--before 3" in ran.err
    assert cli("callbacks", "list", "--state", "odd", "--json").refusal == (2, "wrong_use")


def test_a_body_is_laid_out_with_every_value_as_it_came_and_phones_masked(cli: Cli, three: None) -> None:
    out = cli("callbacks", "show", "1").out
    assert '\n      {\n        "Value": 254712***678\n      },\n' in out
    assert '"Value": 22000.00' in out
    assert '"Local": "0712***678"' in out
    assert "345678" not in out
    out = cli("callbacks", "show", "1", "--reveal").out
    assert '"Value": 254712345678' in out
    assert '"Local": "0712345678"' in out


def test_a_body_is_told_to_scripts_as_text(cli: Cli, three: None) -> None:
    assert "345678" not in json.dumps(cli.json("callbacks", "show", "1"))
    assert json.loads(cli.json("callbacks", "show", "1", "--reveal")["callback"]["body"]) == json.loads(BODY)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("form", [(), ("--json",), ("--reveal",), ("--reveal", "--json")])
def test_no_secret_in_a_body_is_shown_although_it_is_kept(
    cli: Cli, rt: Runtime, form: tuple[str, ...], encoding: str
) -> None:
    cli.configure(MPESA_PASSKEY="ThePasskeyOfThisPaybill")
    echoed = {
        "SecurityCredential": "TheCredential",
        "Password": "ThePassword",
        "ResultURL": "https://rent.example.co.ke/api/payments/b2b-callback/TheToken",
        "Remarks": "it was ThePasskeyOfThisPaybill, Bearer TheBearer",
        "Amount": 9500,
    }
    text = json.dumps(echoed, indent=1)
    for number, came in enumerate((text, text.replace(": ", ":\n").removesuffix("}")), 1):  # as JSON, and cut off
        inbox.append(rt.database, [("timeout", None, None, came.encode(encoding))], rt.now())
        *_, row = rt.reader.rows("SELECT body FROM inbox ORDER BY id")
        assert bytes(row["body"]) == came.replace("TheCredential", "*" * len("TheCredential")).encode(encoding)
        out = cli("callbacks", "show", str(number), *form).out
        assert [word for word in ("The", "*") if word in out] == []
        assert "9500" in out


@pytest.mark.parametrize("form", [(), ("--json",), ("--reveal",)])
def test_a_hostile_body_cannot_speak_to_the_terminal(cli: Cli, three: None, form: tuple[str, ...]) -> None:
    out = cli("callbacks", "show", "3", *form).out
    assert "not [31mjson" in out
    assert not set(out) & {"\x1b", "\x9b", "\u202e"}


def test_an_empty_body_is_said_to_be_empty(cli: Cli, three: None) -> None:
    assert "(no body)" in cli("callbacks", "show", "2").out


def test_a_body_nested_without_end_is_shown_as_it_is(cli: Cli, rt: Runtime) -> None:
    inbox.append(rt.database, [("payout", None, None, b"[" * 60_000)], rt.now())
    assert cli("callbacks", "show", "1").status == 0


def test_a_callback_that_is_not_there_is_not_found(cli: Cli) -> None:
    assert cli("callbacks", "show", "9", "--json").refusal == (3, "not_found")
    assert cli("callbacks", "replay", "9", "--reason", "x", "--json").refusal == (3, "not_found")


def test_a_number_beyond_all_numbers_is_refused(cli: Cli) -> None:
    for arguments in (("callbacks", "show", "9" * 30), ("callbacks", "list", "--before", "9" * 30)):
        assert cli(*arguments, "--json").refusal == (2, "wrong_use")
    assert cli("journal", "list", "--before", "9" * 30, "--json").refusal == (2, "wrong_use")


def test_a_replay_that_changes_nothing_says_why_with_status_1(cli: Cli, three: None) -> None:
    assert cli("callbacks", "replay", "1", "--reason", "it is ours", "--json").refusal == (1, "still_held")
    ran = cli("callbacks", "replay", "1", "--reason", "it is ours")
    assert (ran.status, ran.out) == (1, "")
    assert "no token" in ran.err


def test_a_replay_that_passes_says_what_it_said(cli: Cli, three: None, monkeypatch: pytest.MonkeyPatch) -> None:
    from rentpay_cli.flows import read_inbox as flow

    passed = inbox.Reading(1, CallbackState.READ, "moved", 7)
    monkeypatch.setattr(flow, "_understand", lambda *_: inbox.Reading(1, CallbackState.READ, "moved"))
    assert cli.json("callbacks", "replay", "1", "--reason", "mended")["outcome"] == "moved"
    monkeypatch.setattr(flow, "read_again", lambda *_: passed)
    ran = cli("callbacks", "replay", "1", "--reason", "mended")
    assert "was read: moved" in ran.out
    assert "rentpay status 7" in ran.err
