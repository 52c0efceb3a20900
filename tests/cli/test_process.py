"""The command line as its own process: exit statuses that really arrive, pipes, colours, Ctrl-C."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import OFFLINE, Books
from tests.support.processes import Processes
from tests.support.world import World

RENTPAY = (sys.executable, "-m", "rentpay_cli")

Rentpay = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def environment(database_url: str) -> dict[str, str]:
    return {**os.environ, **OFFLINE, "RENTPAY_DATABASE_URL": database_url}


@pytest.fixture
def rentpay(environment: dict[str, str]) -> Rentpay:
    """Runs a command in a process of its own."""

    def run(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*RENTPAY, *arguments],
            env={**environment, **settings},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    return run


@pytest.fixture
def quickly(environment: dict[str, str], processes: Processes) -> Rentpay:
    """As `rentpay`, where the interpreter's own start does not matter."""

    def run(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        done = processes.run(*arguments, environment={**environment, **settings})
        return subprocess.CompletedProcess(arguments, done.returncode, done.stdout.decode(), done.stderr.decode())

    return run


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("--version",), 0),
        (("--help",), 0),
        (("owner", "list"), 0),
        (("explain", "1"), 0),
        (("initiate", "--property", "1", "--phone", "0722000111"), 3),
        (("balance",), 1),
        (("no-such-command",), 2),
        (("status",), 2),
        (("owner", "add", "--name", ""), 2),
        (("status", "77"), 3),
        (("explain", "424242"), 3),
    ],
)
def test_the_exit_status_reaches_the_shell(
    rentpay: Rentpay, quickly: Rentpay, arguments: tuple[str, ...], status: int
) -> None:
    assert rentpay(*arguments).returncode == status
    if not arguments[0].startswith("--"):
        done = quickly(*arguments, "--json")
        assert done.returncode == status
        assert json.loads(done.stdout)["success"] is (status == 0)
        assert done.stderr == ""


def test_a_missing_setting_ends_with_4(rentpay: Rentpay) -> None:
    assert rentpay("payments", MPESA_ENVIRONMENT="").returncode == 4


def test_a_lost_answer_ends_with_5_and_a_partly_failed_retry_with_6(world: World, quickly: Rentpay) -> None:
    world.let()
    settings = world.rt.settings
    here = {
        **world.simulator.environment,
        "MPESA_CALLBACK_URL": settings.callback_url,
        "MPESA_B2B_CALLBACK_URL": settings.b2b_callback_url,
        "MPESA_TIMEOUT_URL": settings.timeout_url,
    }
    lost, refused = world.paid_rent(), world.paid_rent()
    world.fault("b2b:lost")
    assert quickly("disburse", str(lost), **here).returncode == 5
    world.set_float(10)
    assert quickly("disburse", str(refused), **here).returncode == 0
    world.read_until(lambda: world.payment(refused)["disbursement_status"] == "failed")
    world.fault("b2b:lost")
    assert quickly("retry-failed", "--json", **here).returncode == 5


def test_nothing_of_rich_s_colours_goes_into_a_pipe(quickly: Rentpay, books: Books) -> None:
    books.completed()
    for arguments in (("payments",), ("status", "1"), ("history", "1"), ("--help",), ("status", "77")):
        for settings in ({}, {"TERM": "xterm-256color"}, {"NO_COLOR": "1"}):
            done = quickly(*arguments, **settings)
            assert "\x1b" not in done.stdout + done.stderr


def at_a_terminal(environment: dict[str, str], *arguments: str, **settings: str) -> tuple[int, str]:
    """What a command writes on a terminal."""
    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        [*RENTPAY, *arguments],
        env={**environment, "TERM": "xterm-256color", **settings},
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
    )
    os.close(terminal)
    seen = b""
    try:
        while more := os.read(controller, 4000):
            seen += more
    except OSError:  # the other end is closed
        pass
    os.close(controller)
    return process.wait(timeout=30), seen.decode()


def test_a_terminal_gets_colours_unless_it_asks_for_none(environment: dict[str, str], books: Books) -> None:
    books.completed()
    environment.pop("COLUMNS")
    _, coloured = at_a_terminal(environment, "status", "1")
    assert re.search(r"\x1b\[[0-9;]*3[0-9]", coloured)
    for settings in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        status, plain = at_a_terminal(environment, "status", "1", **settings)
        assert status == 0
        assert not re.search(r"\x1b\[[0-9;]*3[0-9]", plain)
        assert "completed: the owner was paid" in " ".join(plain.split())
    _, plain = at_a_terminal(environment, "status", "1", TERM="dumb")
    assert "\x1b" not in plain


@pytest.mark.parametrize("width", ["40", "80", "140"])
def test_no_line_is_wider_than_the_window(quickly: Rentpay, books: Books, width: str) -> None:
    books.completed()
    books.asked()
    for arguments in (("payments",), ("status", "1"), ("history", "1"), ("report", "revenue"), ("owner", "list")):
        done = quickly(*arguments, COLUMNS=width)
        assert max(len(line) for line in done.stdout.splitlines()) <= int(width), arguments


@pytest.mark.parametrize("unbuffered", [{}, {"PYTHONUNBUFFERED": "1"}])
def test_a_reader_that_goes_away_ends_it_quietly(
    environment: dict[str, str], books: Books, unbuffered: dict[str, str]
) -> None:
    for _ in range(30):
        books.completed()
    environment = {name: value for name, value in environment.items() if name not in ("PYTHONUNBUFFERED", *unbuffered)}
    environment |= unbuffered
    for arguments in (("payments", "--json"), ("payments",), ("--help",), ("explain", "1")):
        process = subprocess.Popen(
            [*RENTPAY, *arguments], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        words = process.stderr.read()
        process.stderr.close()
        assert (process.wait(timeout=30), words) == (0, ""), arguments


def test_control_c_ends_with_130_and_says_that_the_payout_stays_under_way(
    world: World, environment: dict[str, str]
) -> None:
    world.let()
    payment_id = world.paid_rent()
    world.fault("b2b:no-callback")
    settings = world.rt.settings
    process = subprocess.Popen(
        [*RENTPAY, "disburse", str(payment_id), "--wait"],
        env={
            **environment,
            **world.simulator.environment,
            "MPESA_CALLBACK_URL": settings.callback_url,
            "MPESA_B2B_CALLBACK_URL": settings.b2b_callback_url,
            "MPESA_TIMEOUT_URL": settings.timeout_url,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    ends = time.monotonic() + 20
    while world.payment(payment_id)["payout_state"] != "waiting":
        assert time.monotonic() < ends
        time.sleep(0.05)
    time.sleep(0.3)  # it writes that it waits, and then waits
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert "Interrupted" in err
    assert out == ""


def test_an_unwritable_folder_is_said_in_a_sentence(rentpay: Rentpay, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    url = f"sqlite:///{tmp_path}/file/rentpay.db"
    done = rentpay("owner", "add", "--name", "Wanjiru Kamau", RENTPAY_DATABASE_URL=url)
    assert done.returncode == 4
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("Error: The database")


def test_settings_that_are_not_text_are_said_in_a_sentence(rentpay: Rentpay) -> None:
    Path(".env").write_bytes(b"MPESA_ENVIRONMENT=\xff\xfe\n")
    done = rentpay("payments")
    assert done.returncode == 4
    assert "UTF-8" in done.stderr


def test_a_narrow_ascii_terminal_does_not_break_it(rentpay: Rentpay, books: Books) -> None:
    books.completed()
    for arguments in (("payments",), ("owner", "show", "1"), ("--help",), ("status", "77")):
        done = rentpay(*arguments, PYTHONIOENCODING="ascii", LC_ALL="C", PYTHONUTF8="0")
        assert done.returncode in (0, 3), done.stderr
        assert "Traceback" not in done.stderr
