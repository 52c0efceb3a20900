"""`rentpay health`: exit status, words, JSON and metrics."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rentpay_cli.store import schema
from tests.cli.conftest import Books, Cli


def test_all_is_well_ends_with_0(cli: Cli, books: Books) -> None:
    books.paid()
    ran = cli("health")
    assert (ran.status, ran.err) == (0, "")
    assert "All is well" in ran.out
    content = cli.json("health")
    assert (content["healthy"], content["findings"], content["counts"]["pending"]) == (True, [], 1)
    assert (content["due"], content["float"], content["workerAliveAt"]) == (9500, None, None)


def test_what_needs_a_person_is_told_with_its_command_and_status_6(cli: Cli, books: Books) -> None:
    books.at(datetime.now(UTC) - timedelta(hours=2))
    books.paid()
    ran = cli("health", "--json")
    assert ran.status == 6
    assert (ran.json["success"], ran.json["healthy"]) == (True, False)
    [finding] = ran.json["findings"]
    assert (finding["kind"], finding["count"]) == ("pending", 1)
    assert finding["command"] == "rentpay payments --disbursement-status pending"
    ran = cli("health")
    assert (ran.status, ran.err) == (6, "")
    assert "pending for over 60 min (KES 9,500)" in ran.out
    assert finding["command"] in ran.out
    assert cli("health", "--pending-minutes", "180").status == 0


def test_a_monitor_reads_it_as_metrics(cli: Cli, books: Books) -> None:
    books.at(datetime.now(UTC) - timedelta(hours=2))
    books.paid()
    ran = cli("health", "--format", "prometheus")
    assert (ran.status, ran.err) == (6, "")
    assert 'rentpay_attention{kind="pending"} 1\n' in ran.out
    assert ran.out.startswith("# HELP rentpay_")


def test_a_format_or_a_float_that_has_no_meaning_is_refused(cli: Cli) -> None:
    assert cli("health", "--format", "xml", "--json").refusal == (2, "wrong_use")
    assert cli("health", "--format", "prometheus", "--json").refusal == (2, "wrong_use")
    assert cli("health", "--low-float", "much", "--json").refusal == (2, "wrong_use")


@pytest.mark.parametrize("command", [("health",), ("payments",), ("status", "1"), ("disburse", "1"), ("owner", "list")])
def test_a_command_that_looks_makes_no_database_and_names_those_that_there_are(
    cli: Cli, tmp_path: Path, command: tuple[str, ...]
) -> None:
    ours, missing = tmp_path / "live.db", tmp_path / "sandbox.db"
    schema.create_or_upgrade(f"sqlite:///{ours}", "simulator")
    (tmp_path / "notes.db").write_text("these are my notes")
    cli.configure(RENTPAY_DATABASE_URL=f"sqlite:///{missing}")
    ran = cli(*command, "--json")
    assert ran.refusal == (4, "database")
    error = ran.json["error"]
    assert str(missing) in error["message"]
    assert "rentpay init" in error["hint"]
    assert str(ours) in error["hint"]
    assert "notes.db" not in error["hint"]
    assert not missing.exists()


def test_what_writes_the_first_owner_still_makes_the_database(cli: Cli, tmp_path: Path) -> None:
    cli.configure(RENTPAY_DATABASE_URL=f"sqlite:///{tmp_path / 'new.db'}")
    ran = cli("owner", "add", "--name", "Wanjiru Kamau")
    assert ran.status == 0
    assert "Made a new database" in ran.err
    assert cli("health").status in (0, 6)
