"""The live objects that a flow needs, built once a process; the only place that reads the clock or makes tokens."""

from __future__ import annotations

import getpass
import ipaddress
import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING

from rentpay_cli.config import Settings
from rentpay_cli.core.access import EVERYTHING, Scope
from rentpay_cli.core.brake import Pace
from rentpay_cli.core.requests import Who
from rentpay_cli.store import access_reads, readonly

if TYPE_CHECKING:
    from rentpay_cli.daraja.client import Mpesa
    from rentpay_cli.store.engine import Database


def clock() -> datetime:
    """The time now, in UTC."""
    return datetime.now(UTC)


def random_token() -> str:
    """A callback token: 128 random bits in lower-case hex, which cannot spell a word that Safaricom refuses."""
    import secrets

    return secrets.token_hex(16)


def who() -> str:
    """Who acts, for the journal: the login name and the machine, and where the person came from over SSH."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError):
        name = f"uid {os.getuid()}"
    return f"{name}@{platform.node()}{_from_where()}"


def _from_where() -> str:
    address = os.environ.get("SSH_CONNECTION", "").partition(" ")[0]
    try:
        return f" from {ipaddress.ip_address(address)}"
    except ValueError:
        return ""


@dataclass
class Runtime:
    """Settings, database, M-Pesa, clock and randomness, opened when they are first used."""

    settings: Settings
    now: Callable[[], datetime] = clock
    new_token: Callable[[], str] = random_token
    actor: str = field(default_factory=who)
    access_id: int | None = None
    """The number of the access by which somebody acts; None while nobody needs one."""
    made_database: Callable[[str], None] = lambda _: None
    pause: Callable[[float], None] = time.sleep
    """Waits so many seconds."""
    sending: Callable[[int], None] = lambda _: None
    """Told the number of a payment right before a request that may move its money leaves."""
    scope: Scope = EVERYTHING
    """What may be read for whoever acts."""

    @property
    def who(self) -> Who:
        """Who acts, for what needs a second person."""
        return Who(self.access_id, self.actor)

    @cached_property
    def database(self) -> Database:
        """The database, made if it is not there yet; raises `BadDatabase`."""
        from rentpay_cli.store.engine import Database

        readonly.ensure(self.settings.database_url, self.settings.environment, self.made_database).close()
        return Database(self.settings.database_url)

    @cached_property
    def reader(self) -> readonly.Reader:
        """The read-only side of the database; raises `BadDatabase`, also if there is none: who looks makes nothing."""
        found = readonly.existing(self.settings.database_url, self.settings.environment)
        if found is None:
            raise readonly.no_database(self.settings.database_url, self.settings.environment)
        access_reads.narrow(found, self.scope)
        return found

    @cached_property
    def payout_pace(self) -> Pace:
        """The pace of all that this process pays out."""
        return Pace(self.settings.payouts_per_minute)

    @cached_property
    def mpesa(self) -> Mpesa:
        """M-Pesa, as the settings name it."""
        from platformdirs import user_cache_path

        from rentpay_cli.daraja.auth import TokenCache
        from rentpay_cli.daraja.client import Mpesa
        from rentpay_cli.daraja.outgoing import Paybill

        settings = self.settings
        return Mpesa(
            settings.base_url,
            settings.consumer_key,
            settings.consumer_secret,
            Paybill(settings.short_code, settings.passkey, settings.initiator_name, settings.security_credential),
            TokenCache(user_cache_path("rentpay"), settings.base_url, settings.consumer_key),
            self.now,
        )

    def close(self) -> None:
        """Close what was opened."""
        for name in ("database", "reader", "mpesa"):
            if name in self.__dict__:
                self.__dict__.pop(name).close()
