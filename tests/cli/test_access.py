"""Who may do what, command by command, as each of them types it."""

from __future__ import annotations

import re
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rentpay_cli.core.access import RULES, WITHOUT_DATABASE, Role, reach
from rentpay_cli.flows import access, register
from rentpay_cli.runtime import Runtime
from tests.cli.conftest import Books, Cli, Completed, Ran, two_properties
from tests.cli.test_every_command import COMMANDS, PATHS, RULING, complete
from tests.support.beginnings import Begin
from tests.support.scripted import ScriptedMpesa

ROOT = Path(__file__).parents[2]
DONE, NO_SUCH, NOT_ALLOWED = 0, 3, 7
TYPED = [(path, command) for path, command in COMMANDS if " ".join(path) in RULES and path != ("watch",)]


def two_owners_and_a_tenant(rt: Runtime) -> tuple[int, int, dict[str, str]]:
    """A payment of the first owner's, one of the other's, and the tokens of an admin, an owner and a tenant."""
    two_properties(rt)
    register.add_owner(rt, name="Otieno")
    register.add_property(rt, name="Lake Side", owner_reference="2", paybill="600002", account_number="L1", rent="7000")
    register.add_tenant(rt, name="Juma", phone="0722000111", property_reference="1")
    books = Books(rt)
    tokens = {
        "asha": access.give(rt, name="asha", role="admin").token,
        "wanjiru": access.give(rt, name="wanjiru", role="owner", owner="1").token,
        "juma": access.give(rt, name="juma", role="tenant", tenant="Juma").token,
    }
    return books.paid("1", tenant_reference="Juma"), books.paid("3", phone="0733000222"), tokens


class Everybody:
    """An admin, and two owners and a tenant with a payment each."""

    def __init__(self, cli: Cli, own: int, others: int, tokens: dict[str, str]) -> None:
        self.cli = cli
        self.own = own
        self.others = others
        self.tokens = tokens
        cli.configure(RENTPAY_TOKEN=tokens["asha"])

    def __call__(self, name: str, *arguments: str) -> Ran:
        self.cli.configure(RENTPAY_TOKEN=self.tokens[name])
        return self.cli(*arguments, "--json")


@pytest.fixture
def everybody(cli: Cli, begin: Begin, scripted: ScriptedMpesa, hashed_once: None) -> Everybody:
    return Everybody(cli, *begin(two_owners_and_a_tenant))


def typed(path: tuple[str, ...], command: Any, port: int) -> list[str]:
    more = {("resolve",): RULING, ("serve-callbacks",): ["--port", str(port)], ("doctor",): ["--offline"]}
    more[("init",)] = ["--environment", "simulator", "--env-file", "new.env"]
    return [*path, *complete(command), *more.get(path, [])]


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port at which nobody can listen any more, so that a listener ends at once."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        yield int(taken.getsockname()[1])


def test_every_command_is_in_the_table_or_opens_no_database() -> None:
    assert {" ".join(path) for path in PATHS} == set(RULES) | WITHOUT_DATABASE


@pytest.mark.parametrize(("path", "command"), TYPED, ids=[" ".join(path) for path, _ in TYPED])
def test_a_command_is_refused_to_each_role_that_the_table_does_not_name(
    everybody: Everybody, path: tuple[str, ...], command: Any, taken_port: int
) -> None:
    line = typed(path, command, taken_port)
    for name, role in (("juma", Role.TENANT), ("wanjiru", Role.OWNER), ("asha", Role.ADMIN)):
        ran = everybody(name, *line)
        assert (ran.status == NOT_ALLOWED) == (reach(role, " ".join(path)) is None), (name, ran)
        assert everybody.tokens[name] not in ran.out + ran.err
        Path("new.env").unlink(missing_ok=True)  # which `init` makes
    everybody.cli.forget("RENTPAY_TOKEN")
    assert everybody.cli(*line, "--json").refusal == (NOT_ALLOWED, "not_allowed")


@pytest.mark.parametrize("path", sorted(WITHOUT_DATABASE - {"demo", "simulator"}))
def test_what_opens_no_database_needs_no_token(everybody: Everybody, path: str) -> None:
    everybody.cli.forget("RENTPAY_TOKEN")
    words = tuple(path.split())
    assert everybody.cli(*words, *complete(dict(COMMANDS)[words]), "--json").status != NOT_ALLOWED


OWN_AND_OTHER = [
    ("wanjiru", "status {payment}"),
    ("wanjiru", "disburse {payment} --dry-run"),
    ("wanjiru", "history {owner}"),
    ("wanjiru", "payments --owner {owner}"),
    ("wanjiru", "payments --property {property}"),
    ("wanjiru", "owner show {owner}"),
    ("wanjiru", "property show {property}"),
    ("juma", "status {payment}"),
    ("juma", "status {receipt}"),
    ("juma", "payments --property {property}"),
]


@pytest.mark.parametrize(("name", "line"), OWN_AND_OTHER)
def test_ones_own_is_shown_and_what_is_anothers_is_answered_like_nothing(
    everybody: Everybody, name: str, line: str
) -> None:
    own = {"payment": everybody.own, "receipt": f"SKN{everybody.own:07d}", "owner": 1, "property": 1}
    others = {"payment": everybody.others, "receipt": f"SKN{everybody.others:07d}", "owner": 2, "property": 3}
    nothing = {"payment": 987, "receipt": "SKN0000987", "owner": 987, "property": 987}
    assert everybody(name, *line.format(**own).split()).status == DONE
    answers = []
    for values in (others, nothing):
        ran = everybody(name, *line.format(**values).split())
        assert ran.status == NO_SUCH, ran
        answers.append(re.sub("|".join(str(value) for value in values.values()), "N", ran.out))
    assert answers[0] == answers[1]


def test_lists_reports_and_exports_hold_only_ones_own(everybody: Everybody) -> None:
    for name in ("wanjiru", "juma"):
        ran = everybody(name, "payments")
        assert [row["id"] for row in ran.json["payments"]] == [str(everybody.own)]
    ran = everybody("wanjiru", "report", "disbursements")
    assert sum(item["disbursements"] for item in ran.json["statuses"]) == 1
    assert [row["name"] for row in everybody("wanjiru", "owner", "list").json["owners"]] == ["Wanjiru Kamau"]
    assert len(everybody("wanjiru", "property", "list").json["properties"]) == 2
    for line in (("payments",), ("report", "revenue"), ("report", "disbursements"), ("history", "1")):
        everybody.cli.configure(RENTPAY_TOKEN=everybody.tokens["wanjiru"])
        ran = everybody.cli(*line, "--format", "csv")
        assert ran.status == DONE
        assert "Lake Side" not in ran.out


def test_an_owner_disburses_what_is_the_owners_and_the_journal_names_who(
    everybody: Everybody, scripted: ScriptedMpesa
) -> None:
    assert everybody("wanjiru", "disburse", str(everybody.others)).status == NO_SUCH
    assert scripted.sent == []
    assert everybody("wanjiru", "disburse", str(everybody.own)).status == DONE
    assert [kind for kind, _ in scripted.sent] == ["b2b"]
    entries = everybody("asha", "journal", "list", "--event", "payout intended").json["entries"]
    assert entries[0]["actor"].startswith("wanjiru, ")
    assert "@" in entries[0]["actor"]


def test_a_tenant_sees_how_far_the_share_is_but_not_where_it_goes(everybody: Everybody) -> None:
    ran = everybody("juma", "status", str(everybody.own))
    assert ran.json["disbursement"]["status"] == "pending"
    everybody.cli.configure(RENTPAY_TOKEN=everybody.tokens["juma"])
    spoken = everybody.cli("status", str(everybody.own))
    listed = everybody.cli("payments")
    assert (spoken.status, listed.status) == (DONE, DONE)
    for text in (ran.out, spoken.out + spoken.err, listed.out):
        assert "600001" not in text
        assert "PROP001" not in text
        assert "9,500" not in text
    assert (ran.json["payment"]["ownerPaybill"], ran.json["payment"]["platformFee"]) == (None, None)


def test_the_shell_is_offered_only_ones_own(everybody: Everybody, completed: Completed) -> None:
    everybody.cli.configure(RENTPAY_TOKEN=everybody.tokens["wanjiru"])
    assert completed("rentpay history ") == ["Wanjiru\\ Kamau"]
    assert completed("rentpay status ") == [str(everybody.own)]
    everybody.cli.configure(RENTPAY_TOKEN=everybody.tokens["asha"])
    assert len(completed("rentpay history ")) == 2
    for token in ("", "rp_1_" + "0" * 32):
        everybody.cli.configure(RENTPAY_TOKEN=token)
        assert completed("rentpay history ") == []


def test_a_token_is_shown_once_and_listed_never(everybody: Everybody) -> None:
    seen = ""
    for line in (("access", "list"), ("journal", "list"), ("access", "revoke", "juma"), ("access", "list")):
        ran = everybody("asha", *line)
        assert ran.status == DONE
        seen += ran.out + ran.err
    for token in everybody.tokens.values():
        assert token.rpartition("_")[2] not in seen
    assert everybody("juma", "payments").refusal == (NOT_ALLOWED, "not_allowed")
    people = {row["name"]: row for row in everybody("asha", "access", "list").json["access"]}
    assert (people["juma"]["revokedAt"] is None, people["asha"]["revokedAt"] is None) == (False, True)
    assert people["wanjiru"]["ownerName"] == "Wanjiru Kamau"


def test_a_new_token_stands_alone_on_standard_output(everybody: Everybody) -> None:
    ran = everybody.cli("access", "add", "baraka", "--role", "admin")
    assert re.fullmatch(r"rp_[0-9]+_[0-9a-f]{32}\n", ran.out)
    assert "not shown again" in ran.err


def test_a_token_file_must_be_its_owners_alone(everybody: Everybody, tmp_path: Path) -> None:
    cli = everybody.cli
    cli.forget("RENTPAY_TOKEN")
    named, usual = tmp_path / "my.token", tmp_path / "config" / "rentpay" / "token"
    usual.parent.mkdir(parents=True)
    for path, settings in ((named, {"RENTPAY_TOKEN_FILE": str(named)}), (usual, {"RENTPAY_TOKEN_FILE": ""})):
        cli.configure(**settings)
        path.write_text(everybody.tokens["asha"] + "\n")
        for mode in (0o644, 0o640, 0o604, 0o620):
            path.chmod(mode)
            ran = cli("payments", "--json")
            assert ran.refusal == (4, "configuration")
            assert f"mode {mode:04o}" in ran.json["error"]["message"]
            assert str(path) in ran.json["error"]["message"]
        path.chmod(0o600)
        assert cli("payments", "--json").status == DONE
        path.unlink()
    cli.configure(RENTPAY_TOKEN_FILE=str(named))
    assert cli("payments", "--json").refusal == (4, "configuration")


def test_a_token_in_a_settings_file_lets_nobody_in(everybody: Everybody, tmp_path: Path) -> None:
    everybody.cli.forget("RENTPAY_TOKEN")
    (tmp_path / ".env").write_text(f"RENTPAY_TOKEN={everybody.tokens['asha']}\n")
    assert everybody.cli("payments", "--json").refusal == (NOT_ALLOWED, "not_allowed")


def test_settings_of_a_database_are_not_written_over_by_who_may_not(everybody: Everybody, tmp_path: Path) -> None:
    import os

    names = [name for name in os.environ if name.startswith(("MPESA_", "RENTPAY_DATABASE"))]
    (tmp_path / "live.env").write_text("".join(f"{name}='{os.environ[name]}'\n" for name in names))
    everybody.cli.configure(RENTPAY_DATABASE_URL=f"sqlite:///{tmp_path / 'another.db'}")
    line = ("init", "--environment", "simulator", "--env-file", str(tmp_path / "live.env"), "--yes")
    before = (tmp_path / "live.env").read_text()
    assert everybody("wanjiru", *line).refusal == (NOT_ALLOWED, "not_allowed")
    assert (tmp_path / "live.env").read_text() == before


def test_until_the_first_admin_what_changes_something_says_that_all_are_admins(cli: Cli) -> None:
    words = "whoever can open this database is admin"
    assert words in cli("owner", "add", "--name", "Wanjiru").err
    assert words not in cli("owner", "list").err
    assert cli("owner", "add", "--name", "Otieno", "--json").err == ""
    assert words not in cli("access", "add", "asha", "--role", "admin").err


def test_the_first_access_must_be_an_admins(cli: Cli) -> None:
    cli("owner", "add", "--name", "Wanjiru")
    ran = cli("access", "add", "w", "--role", "owner", "--owner", "1", "--json")
    assert ran.refusal == (1, "admin_first")
    assert "--role admin" in ran.json["error"]["hint"]


def test_the_forced_command_of_the_page_lets_no_shell_read_what_was_asked(tmp_path: Path) -> None:
    text = (ROOT / "rentpay_cli" / "help" / "access.md").read_text()
    (line,) = re.findall(r'^restrict,command="((?:[^"\\]|\\.)*)" ', text, re.MULTILINE)
    heard, marker = tmp_path / "rentpay", tmp_path / "marker"
    heard.write_text(f"#!{sys.executable}\nimport os, sys\nprint([os.environ['RENTPAY_TOKEN_FILE'], *sys.argv[1:]])\n")
    heard.chmod(0o700)
    command = line.replace('\\"', '"').replace("/opt/rentpay/bin/python", sys.executable)
    command = command.replace("/opt/rentpay/bin/rentpay", str(heard)).replace("/var/lib/rentpay", str(tmp_path))
    for asked in (f"rentpay status 'a b' ; touch {marker}", f"rentpay status $(touch {marker})"):
        done = subprocess.run(
            ["/bin/sh", "-c", command],
            env={"SSH_ORIGINAL_COMMAND": asked},
            capture_output=True,
            text=True,
            check=True,
        )
        said = done.stdout.strip()
        assert said == str([f"{tmp_path}/tokens/asha", *shlex.split(asked)[1:]])
        assert not marker.exists()
    done = subprocess.run(["/bin/sh", "-c", command], env={}, capture_output=True, text=True, check=True)
    assert "--help" in done.stdout
