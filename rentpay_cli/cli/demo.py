"""`rentpay demo`: the whole journey with real parts, in a throw-away database.

It starts the simulator and the listener as processes of their own, and then types the commands that an operator would
type. What it claims at the end it reads from two independent places: our database, and the simulator's own ledger.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rentpay_cli.cli import show, terminal
from rentpay_cli.cli.common import OPEN_TO_ALL, typed
from rentpay_cli.errors import NeedsAttention

PATIENCE_SECONDS = 20
LATE_SECONDS = 2
INDENT = "    "
WIDEST_COLUMNS = 100


def demo() -> None:
    """Rent comes in, the fee is kept, the owner is paid; a payout fails for lack of float and is retried; the answer to
    another is lost, and it is still paid exactly once. At the end our books are compared with M-Pesa's. The exit status
    is 0 only if all of that came true.

    Examples:
    rentpay demo
    rentpay demo --json
    """
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="rentpay-demo-") as folder, _stage(Path(folder)) as stage:
        for scene in (_rent_reaches_the_owner, _float_too_low, _answer_lost, _books_agree):
            scene(stage)
    _conclude(stage, time.monotonic() - began)


@dataclass
class Stage:
    """Where the demo plays: a folder, the environment of its commands, and the simulator's address."""

    folder: Path
    environment: dict[str, str]
    mpesa_url: str
    checks: list[tuple[str, bool]] = field(default_factory=list)
    commands: list[dict[str, Any]] = field(default_factory=list)

    def say(self, text: str = "", style: str = "", *, indent: str = "") -> None:
        if not show.wants_json():
            show.line(text, style, indent=indent)
            sys.stdout.flush()  # in a pipe, too, it is seen as it happens

    def run(self, *arguments: str) -> int:
        """Type a command, show what it prints as it would stand on a terminal, and return its exit status."""
        words = " ".join(_quoted(argument) for argument in ("rentpay", *arguments))
        self.say()
        for text in typed(words, INDENT[:-2], terminal.width()).split("\n"):
            self.say(text, "bold cyan")
        columns = min(WIDEST_COLUMNS, terminal.width() - len(INDENT))
        with self._started(*arguments, columns=columns, stderr=subprocess.STDOUT) as process:
            self._show(process.stdout or (), unsaid=("Environment: simulator", *terminal.folded(OPEN_TO_ALL, columns)))
        self.commands.append({"command": ["rentpay", *arguments], "exitStatus": process.returncode})
        return process.returncode

    def _show(self, lines: Iterable[str], unsaid: Sequence[str]) -> None:
        """The lines as they come, without empty ones at the end and what every such command says."""
        empty = 0
        for text in map(str.rstrip, lines):
            if not text:
                empty += 1
            elif text not in unsaid:
                for _ in range(empty):
                    self.say()
                self.say(text, indent=INDENT)
                empty = 0

    def ask(self, *arguments: str) -> dict[str, Any]:
        """What a command answers in JSON, without showing it."""
        with self._started(*arguments, "--json", columns=WIDEST_COLUMNS, stderr=subprocess.DEVNULL) as process:
            content = json.loads(process.communicate()[0])
        assert isinstance(content, dict)
        return content

    @contextmanager
    def _started(self, *arguments: str, columns: int, stderr: int) -> Iterator[subprocess.Popen[str]]:
        with subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "rentpay_cli", *arguments],
            cwd=self.folder,
            env={**self.environment, "COLUMNS": str(columns)},
            stdin=subprocess.DEVNULL,  # nobody is asked back
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        ) as process:
            try:
                yield process
            except BaseException:  # Ctrl-C above all: nobody would read the rest
                process.kill()
                raise

    def check(self, claim: str, holds: bool) -> None:
        """Keep a claim and whether it came true."""
        self.checks.append((claim, holds))
        self.say(f"{'✓' if holds else '✗'} {claim}", "green" if holds else "bold red", indent="  ")

    def remark(self, text: str) -> None:
        """Say what happens outside rentpay."""
        self.say()
        self.say(f"({text})", "dim", indent="  ")

    def scene(self, title: str) -> None:
        """Begin a scene."""
        self.say()
        self.say(title, "bold")

    def mpesa(self, method: str, path: str, content: dict[str, Any] | None = None) -> Any:
        """Speak to the simulator's own controls, which real M-Pesa does not have."""
        import httpx

        answer = httpx.request(method, self.mpesa_url + path, json=content, timeout=10)
        answer.raise_for_status()
        return answer.json()

    def eventually(self, payment: str, status: str) -> dict[str, Any]:
        """The status of a payment once its disbursement is there, or as it is when patience ends."""
        ends = time.monotonic() + PATIENCE_SECONDS
        while True:
            found = self.ask("status", payment)
            if found["disbursement"]["status"] == status or time.monotonic() > ends:
                self.remark("M-Pesa's callback has come" if time.monotonic() < ends else "no callback has come")
                return found
            time.sleep(0.2)


def _quoted(argument: str) -> str:
    return f'"{argument}"' if " " in argument else argument


@contextmanager
def _stage(folder: Path) -> Iterator[Stage]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    environment |= {
        "XDG_DATA_HOME": str(folder),
        "XDG_CACHE_HOME": str(folder),
        "RENTPAY_DATABASE_URL": f"sqlite:///{folder / 'demo.db'}",
        "AUTO_DISBURSEMENT": "false",
        "PLATFORM_FEE_PERCENTAGE": "5",
        "PYTHONPATH": os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), _source_folder()))),
    }
    with _process(folder, environment, "simulator", "--port", "0", "--delay", "0.3", "--quiet") as simulator:
        environment |= simulator["environment"]
        with _process(folder, environment, "serve-callbacks", "--port", "0") as listener:
            environment["MPESA_CALLBACK_URL"] = f"{listener['url']}/api/payments/callback"
            environment["MPESA_B2B_CALLBACK_URL"] = f"{listener['url']}/api/payments/b2b-callback"
            environment["MPESA_TIMEOUT_URL"] = environment["MPESA_B2B_CALLBACK_URL"]
            stage = Stage(folder, environment, simulator["baseUrl"])
            stage.say(
                "rentpay demo: a local M-Pesa, a listener and a new database, all thrown away afterwards.", "bold"
            )
            yield stage


_OURS = ("MPESA_", "RENTPAY_", "PLATFORM_FEE_PERCENTAGE", "AUTO_DISBURSEMENT", "COVERAGE_")


def _source_folder() -> str:
    return str(Path(__file__).parents[2])


@contextmanager
def _process(folder: Path, environment: dict[str, str], *arguments: str) -> Iterator[dict[str, Any]]:
    """A rentpay process that serves, and the JSON document that it announces itself with; stopped by SIGTERM."""
    with (folder / f"{arguments[0]}.log").open("w") as log:
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "rentpay_cli", *arguments, "--json"],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        try:
            yield _announced(process, folder / f"{arguments[0]}.log")
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            assert process.stdout is not None
            process.stdout.close()


def _announced(process: subprocess.Popen[str], log: Path) -> dict[str, Any]:
    assert process.stdout is not None
    text = ""
    for line in process.stdout:
        text += line
        with suppress(json.JSONDecodeError):  # the one document may take several lines
            content = json.loads(text)
            if content["success"]:
                return dict(content)
            break
    raise NeedsAttention(
        "A part of the demo did not start.",
        (text + log.read_text()).strip()[-400:] or "It said nothing.",
        code="demo_failed",
    )


# --- the scenes ------------------------------------------------------------------------------------------------------


def _rent_reaches_the_owner(stage: Stage) -> None:
    stage.scene("1. Rent reaches the owner")
    stage.run("owner", "add", "--name", "Wanjiru Kamau", "--phone", "0712 345 678")
    paid_to = ("property", "add", "--owner", "1", "--paybill", "600001")
    stage.run(*paid_to, "--account", "PROP001", "--rent", "10000", "--name", "Sunset Apartments")
    stage.run(*paid_to, "--account", "PROP002", "--rent", "8000", "--name", "Hill View")
    stage.run("initiate", "--property", "Sunset Apartments", "--phone", "0722000110", "--wait")
    stage.run("disburse", "1", "--wait")
    stage.run("status", "1")
    found = stage.ask("status", "1")["disbursement"]
    stage.check(
        "Rent of 10,000 came in, 500 was kept, and 9,500 is with the owner.",
        (found["amount"], found["platformFee"], found["disbursementAmount"], found["status"])
        == (10_000, 500, 9_500, "completed"),
    )


def _float_too_low(stage: Stage) -> None:
    stage.scene("2. The float is too low: the payout fails, is topped up, and is sent again")
    stage.run("initiate", "--property", "Hill View", "--phone", "0722000220", "--wait")
    stage.mpesa("POST", "/simulator/accounts", {"shortCode": _short_code(stage), "working": 100})
    stage.remark("somebody withdrew from the working account: KES 100 are left")
    refused = stage.run("disburse", "2", "--wait")
    stage.check("M-Pesa said no for lack of money, and rentpay said so.", refused == 1)
    stage.mpesa("POST", "/simulator/accounts", {"shortCode": _short_code(stage), "working": 20_000})
    stage.remark("the float is topped up to KES 20,000")
    stage.run("balance", "--wait")
    stage.run("retry-failed")
    found = stage.eventually("2", "completed")["disbursement"]
    stage.run("status", "2")
    states = [attempt["state"] for attempt in found["attempts"]]
    stage.check("The second attempt paid the owner 7,600.", states == ["not_moved", "moved"])


def _answer_lost(stage: Stage) -> None:
    stage.scene("3. M-Pesa's answer is lost: nobody knows whether it paid, so that nothing is sent again")
    stage.run("initiate", "--property", "Sunset Apartments", "--phone", "0722000330", "--wait")
    stage.mpesa("POST", "/simulator/faults", {"faults": ["b2b:lost", f"b2b:callback-late,seconds={LATE_SECONDS}"]})
    stage.remark("the next payout will be carried out, but the connection breaks before the answer")
    unclear = stage.run("disburse", "3")
    stage.check("rentpay said that it does not know, and not that it failed.", unclear == 5)
    again = stage.run("disburse", "3")
    stage.check("It refused to send the share a second time.", again == 1)
    reference = stage.eventually("3", "completed")["disbursement"]
    stage.run("status", "3")
    paid = [item for item in _transfers(stage, "b2b") if item["receipt"] == reference["transactionId"]]
    amounts = sorted(item["amount"] for item in _transfers(stage, "b2b"))
    stage.check("The callback cleared it: paid, exactly once.", len(paid) == 1 and amounts == [7_600, 9_500, 9_500])


def _books_agree(stage: Stage) -> None:
    stage.scene("4. What the platform earned, and whether the books agree with M-Pesa's")
    stage.run("history", "1")
    stage.run("report", "revenue")
    stage.check("Fees of 1,400 were earned.", stage.ask("report", "revenue")["total"] == 1_400)
    payments = stage.ask("payments")["payments"]
    ours_in = sorted((item["receipt"], item["amount"]) for item in payments)
    ours_out = sorted((item["disbursementTransactionId"], item["disbursementAmount"]) for item in payments)
    theirs_in = sorted((item["receipt"], item["amount"]) for item in _transfers(stage, "stk"))
    theirs_out = sorted((item["receipt"], item["amount"]) for item in _transfers(stage, "b2b"))
    stage.check("Every payment in our books is in M-Pesa's, and none is missing.", ours_in == theirs_in != [])
    stage.check("Every payout in our books is in M-Pesa's, and none is there twice.", ours_out == theirs_out != [])


def _short_code(stage: Stage) -> str:
    return stage.environment["MPESA_BUSINESS_SHORT_CODE"]


def _transfers(stage: Stage, kind: str) -> list[dict[str, Any]]:
    return [item for item in stage.mpesa("GET", "/simulator/ledger")["transfers"] if item["kind"] == kind]


def _conclude(stage: Stage, seconds: float) -> None:
    failed = [claim for claim, holds in stage.checks if not holds]
    if failed:
        raise NeedsAttention(
            f"{len(failed)} of {len(stage.checks)} claims did not come true: {failed[0]}",
            "Run it again; if it stays so, something on this machine differs.",
            code="demo_failed",
        )
    if show.wants_json():
        show.document(
            message="Rent reached the owner",
            checks=[{"claim": claim, "holds": holds} for claim, holds in stage.checks],
            commands=stage.commands,
            seconds=round(seconds, 1),
        )
        return
    stage.say()
    show.line(f"All {len(stage.checks)} claims came true, in {seconds:.0f} seconds.", "bold green")
    show.next_step("Try it yourself: rentpay simulator > .env, then in another window: rentpay serve-callbacks")
