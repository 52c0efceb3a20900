"""A platform on which every command has something to show, and terminals to type the commands in."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import Any

import pytest

from rentpay_cli.core.evidence import NotMoved, Unanswered
from rentpay_cli.core.findings import FindingKind
from rentpay_cli.core.float_reading import ReadingSource
from rentpay_cli.core.limits import Limits
from rentpay_cli.flows import access, register
from rentpay_cli.flows.disburse import disburse
from rentpay_cli.flows.read_inbox import read_inbox
from rentpay_cli.flows.send import Held, Unclear
from rentpay_cli.runtime import Runtime
from rentpay_cli.simulator.options import Options
from rentpay_cli.simulator.server import running
from rentpay_cli.store import enquiries, inbox, journal
from tests.cli.conftest import Books
from tests.support.prepared import Prepared
from tests.support.scripted import script
from tests.support.terminal import Script, in_a_prepared_terminal
from tests.support.world import listening, settings_for

COMPLETED, FAILED, UNCLEAR, ASKED, PAID, SENT, CANCELLED, HELD = map(str, range(1, 9))
"""The numbers of the payments there are, by what became of them."""


def fill(url: str) -> str:
    """Put a payment of every kind, and whatever else is shown somewhere, into an empty database; an admin's token."""
    rt = Runtime(settings_for(url), actor="asha")
    try:
        books = Books(rt)
        books.at(datetime.now(UTC) - timedelta(hours=2))
        _fill_register(rt)
        _fill_payments(rt, books)
        inbox.append(rt.database, [("collection", None, "10.0.0.1", b'{"Body": "forged"}')], rt.now())
        read_inbox(rt)
        with rt.database.transaction() as session:
            accounts = [("Working Account", 10_000, 10_000), ("Utility Account", 4_921_700, 4_921_700)]
            enquiries.note_balances(session, accounts, ReadingSource.QUERY, rt.now())
            journal.raise_finding(
                session, rt.now(), FindingKind.MISMATCH, "Something does not fit.", payment_id=int(COMPLETED)
            )
        token = access.give(rt, name="asha", role="admin").token
        access.give(rt, name="wanjiru", role="owner", owner="1")
        return token
    finally:
        rt.close()


def _fill_register(rt: Runtime) -> None:
    for name, phone in (("Wanjiru Kamau", "0712345678"), ("Achieng Otieno of Kisumu Lakeside Holdings", None)):
        register.add_owner(rt, name=name, phone=phone)
    for name, account in (("Sunset Apartments", "PROP001"), ("Hill View", "PROP002")):
        register.add_property(
            rt, name=name, owner_reference="1", paybill="600001", account_number=account, rent="10000"
        )
    register.add_tenant(rt, name="Otieno Ouma", phone="0722000111", property_reference="1")


def _fill_payments(rt: Runtime, books: Books) -> None:
    books.completed()
    books.learn(books.sent(), NotMoved("1", "The balance is insufficient."), "payout")
    unclear = books.paid()
    script(rt, lambda *_: Unanswered("read timeout"))
    assert isinstance(disburse(rt, unclear), Unclear)
    books.asked(phone="0722000222")
    books.paid(amount_cents=12_500_000)
    books.sent()
    books.learn(books.asked(phone="0722000333"), NotMoved("1032", "The tenant cancelled the prompt."))
    held = books.paid()
    usual, rt.settings = rt.settings, settings_for(rt.settings.database_url)
    object.__setattr__(rt.settings, "limits", Limits(transfer_cents=100))
    assert isinstance(disburse(rt, held), Held)
    rt.settings = usual
    register.edit_property(rt, "2", paybill="522522", account_number="1234567")


@dataclass
class Typist:
    """Types commands in terminals, in a folder of its own; at first there are no settings in it and no database."""

    folder: Path
    environment: dict[str, str]
    prepared: Prepared

    def __call__(self, *arguments: str, script: Script = (), columns: int = 80, **settings: str) -> tuple[int, str]:
        """The status of a command, and all that it wrote on a terminal so wide."""
        return in_a_prepared_terminal(
            self.prepared,
            arguments,
            script,
            environment={**self.environment, **settings},
            folder=self.folder,
            columns=columns,
        )

    @property
    def database_url(self) -> str:
        return f"sqlite:///{self.folder / 'rentpay.db'}"

    def settle(self, platform: Platform) -> None:
        """From now on there are the platform's settings, and a copy of its database as it was at first."""
        shutil.copy(platform.database, self.folder / "rentpay.db")
        self.environment |= {**platform.environment, "RENTPAY_DATABASE_URL": self.database_url}


@dataclass
class Platform:
    """The prepared database, and an M-Pesa whose results go to whoever listens just now."""

    database: Path
    environment: dict[str, str]
    listener: Runtime | None = None
    turn: Lock = field(default_factory=Lock)

    def receive(self, arrivals: Any) -> None:
        """Store and read what M-Pesa sends, as `serve-callbacks` does."""
        with self.turn:
            if self.listener is not None:
                inbox.append(self.listener.database, arrivals, self.listener.now())
                read_inbox(self.listener)

    @contextmanager
    def listened_to(self, typist: Typist) -> Iterator[None]:
        """Meanwhile M-Pesa's results are read where somebody types."""
        rt = Runtime(settings_for(typist.database_url), actor="listener")
        self.listener = rt
        try:
            yield
        finally:
            with self.turn:
                self.listener = None
            rt.close()


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Platform]:
    """One for all tests of this process, each of which gets a copy of its database."""
    folder = tmp_path_factory.mktemp("platform")
    database = folder / "platform.db"
    shutil.copy(sqlite_template, database)
    made = Platform(database, {"RENTPAY_TOKEN": fill(f"sqlite:///{database}")})
    with ExitStack() as stack:
        options = Options(home=folder, delay_seconds=0.05, prompt_gap_seconds=0, working=1_000_000)
        simulator = stack.enter_context(running(options))
        url = stack.enter_context(listening(made.receive))
        made.environment |= {
            **simulator.environment,
            "MPESA_CALLBACK_URL": f"{url}/api/payments/callback",
            "MPESA_B2B_CALLBACK_URL": f"{url}/api/payments/b2b-callback",
            "MPESA_TIMEOUT_URL": f"{url}/api/payments/b2b-callback",
        }
        yield made


@pytest.fixture(scope="session")
def prepared() -> Iterator[Prepared]:
    """The process from which commands are forked."""
    process = Prepared()
    yield process
    process.close()


@pytest.fixture
def typist(prepared: Prepared, tmp_path: Path) -> Typist:
    """Somebody who begins."""
    own = {name: str(tmp_path / "home") for name in ("HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")}
    ours = {name: os.environ[name] for name in ("PATH", "SSL_CERT_FILE")}
    environment = {"TERM": "xterm-256color", "LANG": "C.UTF-8", **ours, **own}
    return Typist(tmp_path, environment, prepared)
