"""With real money, every command that moves some asks first; where nobody can answer, it needs --yes."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import pytest

from rentpay_cli.config import load_settings
from rentpay_cli.core.evidence import NotMoved
from rentpay_cli.flows import register
from rentpay_cli.runtime import Runtime
from tests.cli.conftest import OFFLINE, Books, Cli
from tests.support.scripted import ScriptedMpesa


@pytest.fixture
def real(cli: Cli, tmp_path: Path, scripted: ScriptedMpesa) -> Cli:
    """A production database with a paid rent (1) and a failed payout (2), both of the first of two properties."""
    cli.forget(*OFFLINE, "RENTPAY_DATABASE_URL")
    cli.configure(
        MPESA_ENVIRONMENT="production",
        MPESA_CONSUMER_KEY="key",
        MPESA_CONSUMER_SECRET="secret",
        MPESA_BUSINESS_SHORT_CODE="600100",
        MPESA_PASSKEY="passkey",
        MPESA_CALLBACK_URL="https://rent.example.co.ke/api/payments/callback",
        MPESA_INITIATOR_NAME="api",
        MPESA_SECURITY_CREDENTIAL=base64.b64encode(b"x" * 256).decode(),
        MPESA_B2B_CALLBACK_URL="https://rent.example.co.ke/api/payments/b2b-callback",
        RENTPAY_DATABASE_URL=f"sqlite:///{tmp_path / 'production.db'}",
    )
    rt = Runtime(load_settings(), actor="tester")
    owner = str(register.add_owner(rt, name="Wanjiru Kamau"))
    place = {"owner_reference": owner, "paybill": "600001", "account_number": "PROP001", "rent": "10000"}
    register.add_property(rt, name="Sunset Apartments", **place)
    register.add_property(rt, name="Hill View", **place)
    books = Books(rt)
    books.paid()
    books.learn(books.sent(), NotMoved("1", "The balance is insufficient"), "payout")
    rt.close()
    return cli


MOVES_MONEY = [
    ("initiate", "--property", "2", "--phone", "0733000222"),
    ("disburse", "1"),
    ("retry-failed",),
]


@pytest.mark.parametrize("command", MOVES_MONEY)
@pytest.mark.parametrize("more", [(), ("--json",)])
def test_without_a_terminal_and_without_yes_nothing_is_sent(
    real: Cli, scripted: ScriptedMpesa, command: tuple[str, ...], more: tuple[str, ...]
) -> None:
    ran = real(*command, *more)
    assert ran.status == 2
    assert scripted.sent == []
    if more:
        assert ran.refusal == (2, "wrong_use")
        assert "--yes" in ran.json["error"]["hint"]
    else:
        assert "Add --yes" in ran.err


@pytest.mark.parametrize("command", MOVES_MONEY)
@pytest.mark.parametrize("yes", [("--yes",), ("-y", "--json")])
def test_with_yes_it_goes(real: Cli, scripted: ScriptedMpesa, command: tuple[str, ...], yes: tuple[str, ...]) -> None:
    ran = real(*command, *yes)
    assert ran.status == 0, ran
    assert len(scripted.sent) == 1
    assert ("Environment: production" in ran.err) == ("--json" not in yes)


class Terminal(io.StringIO):
    """Somebody at a terminal, and what they type."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("command", MOVES_MONEY)
@pytest.mark.parametrize(("answer", "status", "sent"), [("y\n", 0, 1), ("n\n", 1, 0), ("\n", 1, 0), ("", 130, 0)])
def test_at_a_terminal_it_asks_and_a_no_sends_nothing(
    real: Cli,
    scripted: ScriptedMpesa,
    monkeypatch: pytest.MonkeyPatch,
    command: tuple[str, ...],
    answer: str,
    status: int,
    sent: int,
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(answer))
    ran = real(*command)
    assert (ran.status, len(scripted.sent)) == (status, sent)
    assert "[y/N]" in ran.err
    assert "[y/N]" not in ran.out
    assert "254733000222" not in ran.err
    assert "0733000222" not in ran.err


def test_the_question_names_the_amount_and_the_destination(real: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", Terminal("n\n"))
    assert "Send KES 9,500 to paybill 600001, account PROP001?" in real("disburse", "1").err
    monkeypatch.setattr("sys.stdin", Terminal("n\n"))
    assert "Send 1 failed disbursement, KES 9,500?" in real("retry-failed").err
    monkeypatch.setattr("sys.stdin", Terminal("n\n"))
    asked = real(*MOVES_MONEY[0], "--amount", "500").err
    assert "Ask 073300***222 for KES 500, rent of Hill View?" in asked


@pytest.mark.parametrize(
    "command", [("disburse", "1", "--dry-run"), ("retry-failed", "--dry-run"), ("status", "1"), ("balance",)]
)
def test_what_moves_no_money_asks_nothing(real: Cli, command: tuple[str, ...]) -> None:
    ran = real(*command, "--json")
    assert ran.status == 0


def test_what_may_not_be_sent_is_refused_before_anybody_is_asked(real: Cli, scripted: ScriptedMpesa) -> None:
    ran = real("disburse", "2")
    assert (ran.status, "There" in ran.err) != (0, True)
    assert scripted.sent == []


def test_a_database_of_another_environment_is_refused(real: Cli) -> None:
    real.configure(MPESA_ENVIRONMENT="sandbox")
    ran = real("payments", "--json")
    assert ran.refusal == (4, "database")
    assert "made for the production environment" in ran.json["error"]["message"]
