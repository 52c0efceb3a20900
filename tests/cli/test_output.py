"""What cannot be told, and what is broken off: the exit status still says what is known about the money."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from rentpay_cli.errors import BadDatabase
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import inbox, readonly, reads
from tests.cli.conftest import OFFLINE, Books, Cli, two_properties
from tests.support.beginnings import Begin
from tests.support.world import World

RENTPAY = f"{sys.executable} -m rentpay_cli"


@pytest.fixture
def environment(world: World) -> dict[str, str]:
    settings = world.rt.settings
    return {
        **os.environ,
        **OFFLINE,
        **world.simulator.environment,
        "MPESA_CALLBACK_URL": settings.callback_url,
        "MPESA_B2B_CALLBACK_URL": settings.b2b_callback_url,
        "MPESA_TIMEOUT_URL": settings.timeout_url,
        "RENTPAY_DATABASE_URL": settings.database_url,
    }


def shell(environment: dict[str, str], command: str, **settings: str) -> tuple[int, str]:
    """The exit status of a line in a shell, and what it says on standard error."""
    done = subprocess.run(
        ["sh", "-c", f"{RENTPAY} {command}"],
        env={**environment, **settings},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("where", "buffering"),
    [(">/dev/full", {"PYTHONUNBUFFERED": ""}), (">/dev/full", {"PYTHONUNBUFFERED": "1"}), (">&-", {})],
    ids=["full", "full at once", "closed"],
)
@pytest.mark.parametrize("command", ["disburse 1 --json", "disburse 1", "disburse 1 --wait --timeout 1"])
def test_what_was_sent_never_ends_with_1_because_the_answer_cannot_be_written(
    world: World, environment: dict[str, str], command: str, where: str, buffering: dict[str, str]
) -> None:
    world.let()
    world.paid_rent()
    status, err = shell(environment, f"{command} {where}", **buffering)
    assert len(world.attempts(1)) == 1
    assert status == 5
    assert "rentpay status 1" in err
    assert "--wait" in command or "The answer could not be written" in err


def test_rent_that_was_asked_never_ends_with_1_because_the_answer_cannot_be_written(
    world: World, environment: dict[str, str]
) -> None:
    world.let()
    status, err = shell(environment, "initiate --property 1 --phone 0722000111 --json >&-")
    assert (status, world.payment(1)["collection_state"]) == (5, "waiting")
    assert "payment 1" in err
    assert shell(environment, "initiate --property 1 --phone 0722000111 --force --json >/dev/full")[0] == 5


@pytest.mark.parametrize("where", [">/dev/full", ">&-"])
@pytest.mark.parametrize("command", ["payments", "payments --json", "--help", "explain 1"])
def test_a_reading_command_says_that_its_answer_cannot_be_written(
    environment: dict[str, str], command: str, where: str
) -> None:
    status, err = shell(environment, f"{command} {where}")
    assert status == 1
    assert err.startswith("Error: The answer could not be written (")
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("where", [">/dev/full", ">&-", ">/dev/full 2>&1", ">&- 2>&-"])
def test_a_failure_keeps_its_exit_status_although_it_cannot_be_told(environment: dict[str, str], where: str) -> None:
    assert shell(environment, f"status 77 --json {where}")[0] == 3


def test_without_standard_error_all_goes_its_way(world: World, environment: dict[str, str]) -> None:
    world.let()
    world.paid_rent()
    assert shell(environment, "disburse 1 2>&-")[0] == 0
    assert shell(environment, "status 77 2>&-")[0] == 3
    assert len(world.transfers("b2b")) == 1


def test_a_yes_that_nobody_can_give_is_asked_of_nobody(world: World, environment: dict[str, str]) -> None:
    world.let()
    world.paid_rent()
    status, err = shell(environment, "resolve 1 --paid SKD1E2F3G4 <&-")
    assert status == 2
    assert "--yes" in err


def test_a_mistake_of_ours_after_sending_does_not_end_as_if_nothing_was_sent(
    world: World, environment: dict[str, str]
) -> None:
    world.let()
    world.paid_rent()
    broken = (
        "from rentpay_cli.cli import disburse; disburse.wait_for_disbursement = lambda *_: 1 / 0;"
        "from rentpay_cli.cli.app import main; main(['disburse', '1', '--wait'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", broken], env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 5
    assert "ZeroDivisionError" in done.stderr


def test_a_database_that_fails_after_sending_leaves_it_unknown(world: World, environment: dict[str, str]) -> None:
    world.let()
    world.paid_rent()
    broken = (
        "from rentpay_cli.errors import BadDatabase; from rentpay_cli.flows import send\n"
        "def fail(*_, **__): raise BadDatabase('The disk is full.')\n"
        "send.learn, send.LEARN_AGAIN_SECONDS = fail, (0.01, 0.01)\n"
        "from rentpay_cli.cli.app import main; main(['disburse', '1', '--json'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", broken], env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 5
    content = json.loads(done.stdout)
    assert content["error"]["code"] == "outcome_unknown"
    assert "rentpay status 1" in content["error"]["hint"]


# --- a list that is printed as it is read --------------------------------------------------------------------------


LISTS = [
    (("payments",), "payments"),
    (("history", "1"), "disbursements"),
    (("journal", "list"), "entries"),
    (("callbacks", "list"), "callbacks"),
]


def three_of_each(rt: Runtime) -> None:
    """Three rows at least of everything that is listed."""
    two_properties(rt)
    books = Books(rt)
    for number in range(3):
        books.completed()
        inbox.append(books.rt.database, [("collection", None, "127.0.0.1", b"%d" % number)], books.rt.now())


@pytest.fixture
def listed(begin: Begin) -> None:
    begin(three_of_each)


@pytest.mark.parametrize(("command", "name"), LISTS)
def test_a_list_is_laid_out_as_every_other_document(
    cli: Cli, listed: None, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], name: str
) -> None:
    whole = cli(*command, "--json").out
    content = json.loads(whole)
    assert whole == json.dumps(content, ensure_ascii=False, indent=2) + "\n"
    assert content["success"] is True
    assert len(content[name]) >= 3
    monkeypatch.setattr(reads, "PAGE_ROWS", 1)
    assert cli(*command, "--json").out == whole
    assert cli.json(*command, "--limit", "2")[name] == content[name][:2]
    assert cli.json(*command, "--before", "1")[name] == []


@pytest.mark.parametrize(("command", "name"), LISTS)
@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (BadDatabase("The disk is broken."), (4, "database")),
        (KeyboardInterrupt(), (130, "interrupted")),
    ],
)
@pytest.mark.parametrize("whole_pages", [0, 1, 2])
def test_a_list_that_cannot_be_read_to_its_end_is_one_document_that_says_so(
    cli: Cli,
    listed: None,
    monkeypatch: pytest.MonkeyPatch,
    command: tuple[str, ...],
    name: str,
    failure: BaseException,
    expected: tuple[int, str],
    whole_pages: int,
) -> None:
    readable = readonly.Reader.rows
    pages = iter(range(whole_pages))

    def breaking(reader: readonly.Reader, sql: str, **values: Any) -> Iterator[readonly.Row]:
        if "size" in values and next(pages, None) is None:
            raise failure
        return readable(reader, sql, **values)

    monkeypatch.setattr(reads, "PAGE_ROWS", 1)
    monkeypatch.setattr(readonly.Reader, "rows", breaking)
    ran = cli(*command, "--json")
    assert (ran.status, ran.json["error"]["code"]) == expected
    assert ran.json["success"] is False
    if whole_pages:
        assert [len(ran.json[name]), list(ran.json)[-2:]] == [whole_pages, ["success", "error"]]
        assert ran.out == json.dumps(ran.json, ensure_ascii=False, indent=2) + "\n"
    else:
        assert ran.refusal == expected


# --- Ctrl-C ----------------------------------------------------------------------------------------------------------


def interrupted(environment: dict[str, str], ready: object, *arguments: str) -> tuple[int, str, str]:
    """Status, output and talk of a command that is broken off once `ready` is true."""
    process = subprocess.Popen(
        [sys.executable, "-m", "rentpay_cli", *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert callable(ready)
    ends = time.monotonic() + 20
    while not ready():
        assert time.monotonic() < ends
        time.sleep(0.05)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    return process.returncode, out, err


def test_ctrl_c_names_the_payment_that_is_on_its_way(world: World, environment: dict[str, str]) -> None:
    world.let()
    payment_id = world.paid_rent()
    world.fault("b2b:no-callback")
    status, out, err = interrupted(
        environment,
        lambda: world.payment(payment_id)["payout_state"] == "waiting",
        *("disburse", str(payment_id), "--wait", "--json"),
    )
    assert (status, err) == (130, "")
    error = json.loads(out)["error"]
    assert f"payment {payment_id}" in error["message"]
    assert f"rentpay status {payment_id}" in error["hint"]


def test_initiate_tells_its_number_before_it_waits(world: World, environment: dict[str, str]) -> None:
    world.let()
    status, _, err = interrupted(
        environment,
        lambda: any(world.attempts(1, "collection")) and world.payment(1)["collection_state"] == "waiting",
        *("initiate", "--property", "1", "--phone", "0722000111", "--wait"),
    )
    assert status == 130
    assert "Payment 1: asked 254722***111" in err
    assert "rentpay status 1" in err.partition("Interrupted")[2]


def test_what_sends_nothing_speaks_of_no_money_when_it_is_broken_off(environment: dict[str, str], books: Books) -> None:
    books.asked()
    books.rt.close()
    began = time.monotonic()
    status, _, err = interrupted(environment, lambda: time.monotonic() - began > 2, "status", "1", "--watch")
    assert (status, err.strip()) == (130, "Error: Interrupted.")
