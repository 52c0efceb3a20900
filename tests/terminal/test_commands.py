"""Every command on a real terminal, in colour, at three widths: what it says first, and nothing beside its margin."""

from __future__ import annotations

import re
import shlex
from contextlib import nullcontext
from dataclasses import dataclass

import pytest

from tests.cli.test_every_command import PATHS, every_group
from tests.support.terminal import CONTROL_C, STYLE, Script, faults_of, flat
from tests.terminal.conftest import ASKED, HELD, PAID, UNCLEAR, Platform, Typist

WIDTHS = (60, 80, 140)


@dataclass(frozen=True, kw_only=True)
class Case:
    """What is typed after the name of a command, and what comes of it."""

    says: str
    """The words that the screen begins with, wherever its lines break."""
    arguments: str = ""
    status: int = 0
    script: Script = ()
    is_plain: bool = False
    """There is nothing in it that has a style."""
    copied: str = ""
    """A pattern of lines that are copied whole, and may be wider than the terminal."""
    before: str = ""
    """A command that is typed first."""
    is_new: bool = False
    """There are no settings and no database yet."""
    waits: bool = False
    """M-Pesa's results are read meanwhile, as `serve-callbacks` does."""


SIMULATOR = "Environment: simulator "
HASH = "[0-9a-f]{64}:[0-9]+"
CASES: dict[str, Case] = {
    "access add": Case(arguments="otieno --role admin", says="rp_"),
    "access list": Case(says="No. "),
    "access revoke": Case(arguments="wanjiru", says="wanjiru has no access any more.", is_plain=True),
    "backup": Case(arguments="copy.db", says="Backup made: copy.db Size "),
    "balance": Case(arguments="--wait", says=f"{SIMULATOR}⠋ Waiting for M-Pesa…", waits=True),
    "callbacks list": Case(says="No. "),
    "callbacks replay": Case(arguments="1 --reason R", says=f"{SIMULATOR}Error: Callback 1 is still held: ", status=1),
    "callbacks show": Case(arguments="1", says="Callback 1 About rent "),
    "chase": Case(arguments="--wait --timeout 1", says=f"{SIMULATOR}⠋ Waiting for M-Pesa…", waits=True),
    "credential check": Case(says="MPESA_SECURITY_CREDENTIAL has the right shape: ", is_plain=True),
    "credential encrypt": Case(
        script=[("Password of the API operator:", "secret\n")],
        says="Password of the API operator: Key: RSA, 2048 bits, ",
        copied="[A-Za-z0-9+/=]{344}",
    ),
    "database upgrade": Case(says="The database is current", is_plain=True),
    "demo": Case(arguments="--help", says="Usage: rentpay demo"),  # it is played whole, see test_demo.py
    "disburse": Case(arguments=f"{PAID} --wait", says=f"{SIMULATOR}⠋ Waiting for M-Pesa…", waits=True),
    "doctor": Case(status=6, says="Check Result What was found "),  # the listener of the tests is none of ours
    "explain": Case(arguments="1", says="1, when a tenant is asked Meaning "),
    "health": Case(status=6, says="Needs attention Deal with it "),
    "help": Case(says="Topic What it tells "),  # its pages are tried in test_pages.py
    "history": Case(arguments="1", says="Wanjiru Kamau (owner 1) Paid to the owner KES 9,500 "),
    "init": Case(
        is_new=True,
        script=[("sandbox or production [simulator]:", "\n")],
        says="Environment: simulator (to practise), sandbox or production [simulator]: Made a new database: ",
    ),
    "initiate": Case(
        arguments="--property 1 --phone 0722000444 --wait",
        says=f"{SIMULATOR}Payment 9: asked 254722***444; waiting for the outcome. ⠋ Waiting for the tenant…",
        waits=True,
    ),
    "journal head": Case(says="", is_plain=True, copied=HASH),
    "journal list": Case(says="No. At (EAT) Who What Payment "),
    "journal verify": Case(says="Everything fits Entries ", copied=HASH),
    "notify list": Case(says="No. Made (EAT) To About State "),
    # A template is shown as it stands in its file.
    "notify templates": Case(says="owner-email.txt $amount for $property was paid to you ", copied=r".*\$amount.*"),
    "notify test": Case(status=4, says="Error: RENTPAY_NOTIFY_OPERATOR is not set, "),
    "owner add": Case(arguments="--name Njeri", says="Added owner 3: Njeri Properties 0 → Next: rentpay property add "),
    "owner edit": Case(arguments="1 --phone 0733000111", says="Changed owner 1: Wanjiru Kamau Phone 254733***111 "),
    "owner list": Case(says="No. Name Phone E-mail Properties "),
    "owner show": Case(arguments="1", says="Owner 1: Wanjiru Kamau Phone 254712***678 "),
    "payments": Case(says="No. "),
    "payouts release": Case(
        arguments=f"{HELD} --reason R", says=f"{SIMULATOR}The share of payment {HELD}, KES 9,500, may leave. "
    ),
    "payouts resume": Case(before="payouts stop --reason R", says=f"{SIMULATOR}Payouts may leave again. "),
    "payouts show": Case(before="payouts stop --reason R", says="All payouts are stopped "),
    "payouts stop": Case(arguments="--reason R", says=f"{SIMULATOR}All payouts are stopped. → Let them go on: "),
    "property add": Case(
        arguments="--name Mara --owner 1 --paybill 600002 --account M1 --rent 9000",
        script=[("Is that right? [y/N]:", "y\n")],
        says="M-Pesa says that paybill 600002 belongs to Organisation 600002. Is that right? [y/N]: y Added property 3",
    ),
    "requests confirm": Case(
        arguments="1", script=[("[y/N]:", "y\n")], says="Request 1, property 2, Hill View: from paybill 600001,"
    ),
    "requests list": Case(says="No. Asked (EAT) By About "),
    "requests show": Case(arguments="1", says="Request 1: destination About property 2, "),
    "requests withdraw": Case(arguments="1", says="Request 1: destination About property 2, "),
    "property cancel-change": Case(arguments="2", says="Unchanged property 2: Hill View Owner "),
    "property confirm": Case(
        arguments="2",
        script=[("account 1234567? [y/N]:", "y\n")],
        says="Property 2: Hill View Until now ",
    ),
    "property edit": Case(arguments="1 --rent 12000", says="Changed property 1: Sunset Apartments Owner "),
    "property list": Case(says="No. Name Owner Paybill Account Rent Fee "),
    "property show": Case(arguments="2", says="Property 2: Hill View Owner Wanjiru Kamau "),
    "record-payment": Case(
        arguments="--property 1 --amount 10000", says="Payment 9: KES 10,000 (cash) for Sunset ", is_plain=True
    ),
    "report disbursements": Case(says="Status Disbursements Payments Amount "),
    "report ledger": Case(says="Account Debit Credit Balance "),
    "report revenue": Case(says="Month "),
    "resolve": Case(
        arguments=f"{UNCLEAR} --paid SKP0000042",
        script=[("with receipt SKP0000042? [y/N]:", "y\n")],
        says=f"{SIMULATOR}Rule that the payout to the owner of KES 9,500 (payment {UNCLEAR}) was paid, ",
    ),
    "restore": Case(
        before="backup copy.db",
        arguments="copy.db",
        script=[("Restore it? [y/N]:", "y\n")],
        says=f"{SIMULATOR}copy.db goes back to ",
    ),
    "retry-failed": Case(says=f"{SIMULATOR}Payment Share "),
    "serve-callbacks": Case(
        arguments="--port 0",
        script=[("its answer comes by callback", CONTROL_C)],  # the worker's first round, when all of it runs
        says=f"{SIMULATOR.strip()}. Listening on http://127.0.0.1:",
        copied=r"[0-9T:.-]+Z .*",  # the log has one line an event
    ),
    "simulator": Case(
        arguments="--port 0",
        script=[("Ctrl-C stops it.", CONTROL_C)],
        says="# A local M-Pesa, started by `rentpay simulator`.",
        is_plain=True,
        copied="#.*|[A-Z0-9_]+=.*",  # the lines of a .env file
    ),
    "status": Case(arguments=f"{ASKED} --watch", script=[("still open", CONTROL_C)], says="⠋ Payment 4 is still open."),
    "tenant add": Case(arguments="--name Mwangi --phone 0722000555", says="Added tenant 2: Mwangi Phone 254722***555 "),
    "tenant edit": Case(arguments="1 --phone 0722000666", says="Changed tenant 1: Otieno Ouma Phone 254722***666 "),
    "tenant forget": Case(
        arguments="1",
        script=[("[y/N]:", "y\n")],
        says="Forget tenant 1? Payments of the tenant's, which stay without a name: ",
    ),
    "tenant list": Case(says="No. Name Phone Property "),
    "tenant show": Case(arguments="1", says="Tenant 1: Otieno Ouma Phone 254722***111 "),
    "watch": Case(script=[("Ctrl-C ends it.", CONTROL_C)], says="rentpay, simulator, "),
}


def test_every_command_there_is_is_typed_here() -> None:
    assert sorted(CASES) == sorted(" ".join(path) for path in PATHS)


@pytest.mark.parametrize("columns", WIDTHS)
@pytest.mark.parametrize("command", CASES)
def test_a_command_keeps_to_its_terminal(typist: Typist, platform: Platform, command: str, columns: int) -> None:
    case = CASES[command]
    if not case.is_new:
        typist.settle(platform)
    if case.before:
        assert typist(*shlex.split(case.before))[0] == 0
    with platform.listened_to(typist) if case.waits else nullcontext():
        status, seen = typist(*command.split(), *shlex.split(case.arguments), script=case.script, columns=columns)
    assert status == case.status, seen
    assert flat(seen).startswith(case.says)
    assert bool(STYLE.search(seen)) is not case.is_plain
    kept = re.compile(case.copied) if case.copied else None
    assert faults_of(seen, columns, copied=kept) == []


def test_every_help_keeps_to_the_narrowest_terminal(typist: Typist) -> None:
    """Where there is more room, there is only more room: the panels of the help are as wide as the terminal."""
    for path in [*PATHS, *every_group()]:
        status, seen = typist(*path, "--help", columns=WIDTHS[0])
        assert status == 0, seen
        assert flat(seen).startswith(f"Usage: {' '.join(('rentpay', *path))} ")
        assert STYLE.search(seen)
        assert faults_of(seen, WIDTHS[0], copied=re.compile(rf"{HASH} \\")) == [], path


@pytest.mark.parametrize("columns", WIDTHS)
@pytest.mark.parametrize(
    ("command", "status", "says"),
    [
        ("status 77", 3, "Error: There is no payment '77'."),
        ("statuss 1", 2, "Error: No such command 'statuss'. Did you mean 'status'"),
        ("payments --limit ten", 2, "Error: Invalid value for '--limit': 'ten' is not a whole number."),
        (f"disburse {UNCLEAR}", 1, f"{SIMULATOR}Error: Payment {UNCLEAR} was not disbursed: "),
        ("payments --env-file nothing.env", 4, "Error: "),
    ],
)
def test_a_failure_keeps_to_its_terminal(
    typist: Typist, platform: Platform, command: str, status: int, says: str, columns: int
) -> None:
    typist.settle(platform)
    ended, seen = typist(*command.split(), columns=columns)
    assert ended == status
    assert flat(seen).startswith(says)
    assert "\x1b[1;31mError: \x1b[0m" in seen
    assert faults_of(seen, columns) == []
