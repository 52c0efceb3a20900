"""The command line in this process: what it prints, and the status it ends with."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from rentpay_cli.cli import waiting
from rentpay_cli.cli.app import run
from rentpay_cli.core.evidence import Moved
from rentpay_cli.flows import collect
from rentpay_cli.flows.disburse import disburse
from rentpay_cli.flows.learn import Source, learn
from rentpay_cli.flows.read_inbox import read_inbox
from rentpay_cli.runtime import Runtime
from tests.support.beginnings import Begin
from tests.support.processes import Processes
from tests.support.scripted import ScriptedMpesa, script
from tests.support.world import CALLBACK_BASE, World

OFFLINE = {
    "MPESA_ENVIRONMENT": "simulator",
    "MPESA_BASE_URL": CALLBACK_BASE,
    "MPESA_CONSUMER_KEY": "key",
    "MPESA_CONSUMER_SECRET": "secret",
    "MPESA_BUSINESS_SHORT_CODE": "174379",
    "MPESA_PASSKEY": "passkey",
    "MPESA_CALLBACK_URL": f"{CALLBACK_BASE}/api/payments/callback",
    "MPESA_INITIATOR_NAME": "testapi",
    "MPESA_SECURITY_CREDENTIAL": "Y3JlZGVudGlhbA==",
    "MPESA_B2B_CALLBACK_URL": f"{CALLBACK_BASE}/api/payments/b2b-callback",
    "RENTPAY_PAYOUTS_PER_MINUTE": "off",
}


@dataclass(frozen=True)
class Ran:
    """What became of one command."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one JSON document on standard output."""
        content = json.loads(self.out)
        assert isinstance(content, dict)
        return content

    @property
    def refusal(self) -> tuple[int, str]:
        """The exit status and the code of the error document, which has exactly the keys that scripts know."""
        content = self.json
        assert set(content) == {"success", "error"}
        assert content["success"] is False
        assert set(content["error"]) == {"code", "message", "hint"}
        assert content["error"]["message"].strip()
        return self.status, content["error"]["code"]


class Cli:
    """Types commands."""

    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self._capsys = capsys
        self._monkeypatch = monkeypatch

    def configure(self, **settings: str) -> None:
        """Set environment variables."""
        for name, value in settings.items():
            self._monkeypatch.setenv(name, value)

    def forget(self, *names: str) -> None:
        """Take environment variables away."""
        for name in names:
            self._monkeypatch.delenv(name, raising=False)

    def __call__(self, *arguments: str) -> Ran:
        self._capsys.readouterr()
        status = run([*arguments])
        captured = self._capsys.readouterr()
        return Ran(status, captured.out, captured.err)

    def json(self, *arguments: str) -> dict[str, Any]:
        """What a command that succeeds answers in JSON."""
        ran = self(*arguments, "--json")
        assert (ran.status, ran.err) == (0, ""), ran
        assert ran.json["success"] is True
        return ran.json


@pytest.fixture
def database_url(new_sqlite: Callable[[], str]) -> str:
    """The commands are the same on both databases; the flows below them are tested on both."""
    return new_sqlite()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting looks often."""
    monkeypatch.setattr(waiting, "POLL_SECONDS", 0.02)


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, database_url: str, quick: None) -> Cli:
    """The command line with complete settings, and an M-Pesa that nobody answers for."""
    opened = Cli(capsys, monkeypatch)
    opened.configure(**OFFLINE, RENTPAY_DATABASE_URL=database_url)
    return opened


@pytest.fixture
def live(cli: Cli, world: World) -> Cli:
    """The command line set up for the world's simulator and listener."""
    settings = world.rt.settings
    cli.configure(**world.simulator.environment)
    cli.configure(
        MPESA_CALLBACK_URL=settings.callback_url,
        MPESA_B2B_CALLBACK_URL=settings.b2b_callback_url,
        MPESA_TIMEOUT_URL=settings.timeout_url,
    )
    return cli


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> ScriptedMpesa:
    """Every command speaks to this M-Pesa, which accepts everything."""
    mpesa = ScriptedMpesa()
    answered_by(monkeypatch, mpesa)
    return mpesa


def answered_by(monkeypatch: pytest.MonkeyPatch, mpesa: ScriptedMpesa) -> None:
    """Let this M-Pesa answer every command; a runtime with a scripted M-Pesa of its own keeps that one."""
    monkeypatch.setattr(Runtime, "mpesa", property(lambda rt: rt.__dict__.get("mpesa", mpesa)))


Completed = Callable[..., list[str]]


@pytest.fixture
def completed(processes: Processes) -> Completed:
    """What rentpay prints to the completion script of the shell for a line that ends at the cursor."""

    def complete(line: str, shell: str = "bash", words: int | None = None) -> list[str]:
        words = words or len(line.split(" "))
        asking = {
            "_RENTPAY_COMPLETE": f"complete_{shell}",
            "COMP_WORDS": line,
            "COMP_CWORD": str(words - 1),
            "_TYPER_COMPLETE_ARGS": line,
            "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        }
        done = processes.run(environment={**os.environ, **asking})
        assert (done.returncode, done.stderr) == (0, b"")
        return [line for line in done.stdout.decode().splitlines() if line]

    return complete


@contextmanager
def reading(world: World) -> Iterator[None]:
    """Somebody reads the callbacks as they arrive, as `serve-callbacks` does."""
    stop = threading.Event()
    rt = Runtime(world.rt.settings, actor="reader")

    def read() -> None:
        while not stop.is_set():
            read_inbox(rt)
            stop.wait(0.02)

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        rt.close()


@pytest.fixture
def reader(world: World) -> Iterator[None]:
    """Somebody reads the callbacks during the whole test."""
    with reading(world):
        yield


class Books:
    """Fills a database with payments at moments of the test's own choosing, without a network."""

    def __init__(self, rt: Runtime, *, first_number: int = 1) -> None:
        self.rt = rt
        self._numbers = iter(range(first_number, 10_000))
        rt.pause = lambda _: self.results_come()

    def at(self, moment: datetime) -> None:
        """Let it be this moment."""
        self.rt.now = lambda: moment

    def asked(self, place: str = "1", phone: str = "0722000111", **rest: Any) -> int:
        """Rent that was asked for."""
        script(self.rt, self._accept)
        return collect.initiate(self.rt, property_reference=place, phone=phone, force=True, **rest).payment_id

    def _accept(self, kind: str, _: dict[str, Any]) -> Any:
        from rentpay_cli.core.evidence import Acknowledged

        number = next(self._numbers)
        if kind == "stk":
            return Acknowledged(checkout_request_id=f"ws_CO_{number}", merchant_request_id=f"m-{number}")
        return Acknowledged(conversation_id=f"AG_{number}", originator_conversation_id=f"o-{number}")

    def learn(self, payment_id: int, evidence: Any, direction: str = "collection") -> None:
        """Something became known about the newest attempt of the payment."""
        from rentpay_cli.store import reads

        attempts = [row for row in reads.attempts(self.rt.reader, payment_id) if row["direction"] == direction]
        with self.rt.database.transaction() as session:
            learn(session, attempts[-1]["id"], evidence, source=Source.CALLBACK, actor="test", at=self.rt.now())

    def results_come(self) -> None:
        """M-Pesa tells that every payout on its way was paid."""
        for row in list(self.rt.reader.rows("SELECT id FROM attempt WHERE direction = 'payout' AND state = 'waiting'")):
            with self.rt.database.transaction() as session:
                paid = Moved(f"SKQ{row['id']:07d}", None)
                learn(session, row["id"], paid, source=Source.CALLBACK, actor="test", at=self.rt.now())

    def paid(self, *arguments: Any, **rest: Any) -> int:
        """Rent that was asked for and paid."""
        payment_id = self.asked(*arguments, **rest)
        self.learn(payment_id, Moved(f"SKN{payment_id:07d}", None))
        return payment_id

    def sent(self, *arguments: Any, **rest: Any) -> int:
        """Rent that was paid, and whose share is on its way."""
        payment_id = self.paid(*arguments, **rest)
        disburse(self.rt, payment_id)
        return payment_id

    def completed(self, *arguments: Any, owner_paid_at: datetime | None = None, **rest: Any) -> int:
        """Rent that was paid, and whose share is with the owner."""
        payment_id = self.sent(*arguments, **rest)
        self.learn(payment_id, Moved(f"SKP{payment_id:07d}", None, moved_at=owner_paid_at), "payout")
        return payment_id


def two_properties(rt: Runtime) -> None:
    """One owner, and two properties of theirs."""
    from rentpay_cli.flows import register

    owner = str(register.add_owner(rt, name="Wanjiru Kamau", phone="0712345678"))
    register.add_property(
        rt, name="Sunset Apartments", owner_reference=owner, paybill="600001", account_number="PROP001", rent="10000"
    )
    register.add_property(
        rt, name="Hill View", owner_reference=owner, paybill="600001", account_number="PROP002", rent="8000"
    )


@pytest.fixture
def books(cli: Cli, rt: Runtime, begin: Begin) -> Books:
    """A database with one owner and two properties, which the commands see, too."""
    begin(two_properties)
    return Books(rt)


@pytest.fixture
def let(world: World) -> int:
    """A property of the world that rent can be asked for."""
    return world.let()


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A path where nothing is."""
    return tmp_path / "nothing" / "here"
