"""`rentpay doctor`: words, JSON and exit status."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from tests.cli.conftest import Cli
from tests.support.terminal import in_a_terminal


@pytest.fixture
def well(cli: Cli, database_url: str) -> Cli:
    Path(database_url.removeprefix("sqlite:///")).chmod(0o600)
    cli.configure(MPESA_SECURITY_CREDENTIAL=base64.b64encode(b"x" * 256).decode())
    return cli


def test_nothing_wrong_ends_with_0(well: Cli) -> None:
    ran = well("doctor", "--offline")
    assert ran.status == 0
    assert "Nothing is wrong." in ran.out
    assert "rentpay health" in ran.err
    content = well.json("doctor", "--offline")
    assert content["healthy"] is True
    assert {check["result"] for check in content["checks"]} == {"ok", "note", "skipped"}


def test_what_is_wrong_says_how_to_mend_it_and_ends_with_6(well: Cli) -> None:
    well.configure(MPESA_SECURITY_CREDENTIAL="Y3JlZGVudGlhbA==")
    ran = well("doctor", "--offline")
    assert (ran.status, ran.err) == (6, "")
    assert "→ Make one with: rentpay credential encrypt" in ran.out
    assert "1 thing is wrong." in ran.out
    ran = well("doctor", "--offline", "--json")
    assert (ran.status, ran.json["healthy"]) == (6, False)
    [check] = [check for check in ran.json["checks"] if check["result"] == "wrong"]
    assert (check["name"], set(check)) == ("credential", {"name", "result", "message", "mend"})


def test_settings_that_cannot_be_read_are_a_finding_and_not_a_crash(well: Cli) -> None:
    well.configure(MPESA_ENVIRONMENT="live")
    ran = well("doctor", "--json")
    assert ran.status == 6
    assert [check["result"] for check in ran.json["checks"]] == ["wrong", "skipped"]
    assert "MPESA_ENVIRONMENT" in ran.json["checks"][0]["message"]


def test_the_settings_file_is_looked_at_too(well: Cli, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("AUTO_DISBURSEMENT=false\n")
    (tmp_path / ".env").chmod(0o644)
    assert well("doctor", "--offline").status == 6
    (tmp_path / ".env").chmod(0o600)
    assert well("doctor", "--offline").status == 0


def test_a_database_that_takes_long_to_read_shows_a_bar_in_a_terminal(well: Cli) -> None:
    slowly = (  # the bar comes after a second of waiting, so that the check takes longer than that
        "import time; from rentpay_cli.store import readonly; check = readonly.damage;"
        " readonly.damage = lambda reader: (time.sleep(1.5), check(reader))[1];"
        " from rentpay_cli.cli.app import main; main(['doctor', '--offline'])"
    )
    status, screen = in_a_terminal([], [], python=["-c", slowly])
    assert status == 0, screen
    assert "Checking" in screen


def test_looking_makes_no_database(well: Cli, tmp_path: Path) -> None:
    well.configure(RENTPAY_DATABASE_URL=f"sqlite:///{tmp_path / 'new' / 'rentpay.db'}")
    assert well("doctor", "--offline").status == 0
    assert not (tmp_path / "new").exists()
