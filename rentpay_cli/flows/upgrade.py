"""Bring a database up to date, and prove before it is committed that no row and no word of the journal has changed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rentpay_cli.config import Settings
from rentpay_cli.flows.verify import OnProgress, does_not_fit, verify
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import backup, readonly, schema
from rentpay_cli.store.place import sqlite_file
from rentpay_cli.store.read.invariants import breaches

if TYPE_CHECKING:
    from sqlalchemy import Connection


@dataclass(frozen=True)
class Upgraded:
    """What was done, and where a copy of the database is as it was before, if there is one."""

    upgrade: schema.Upgrade
    kept: Path | None


def upgrade(settings: Settings, on_progress: OnProgress = lambda *_: None) -> Upgraded:
    """Make the database, or keep a copy of an older one (SQLite) and bring it up to date; raises as below."""
    kept = _keep_older(settings)
    return Upgraded(bring_up_to_date(settings.database_url, settings, on_progress), kept)


def _keep_older(settings: Settings) -> Path | None:
    path, before = sqlite_file(settings.database_url), readonly.revision(settings.database_url)
    if path is None or before is None or before >= schema.CURRENT:
        return None
    kept = path.with_name(f"{path.name}.before-upgrade-from-{before}")
    with backup.copied(path, kept) as copy:
        if backup.contents(copy, path, settings.environment).revision != before:
            return None  # another process has upgraded it by now, and kept a copy
        backup.put_in_place(copy, kept, overwrite=True)
    return kept


def bring_up_to_date(url: str, settings: Settings, on_progress: OnProgress = lambda *_: None) -> schema.Upgrade:
    """Make the database, or bring it to the current schema in one transaction; raises `BadDatabase`.

    An older one is verified by its journal at the end of the transaction, and its rows by each other; raises
    `NeedsAttention` if something does not fit.
    """

    def proved(connection: Connection) -> None:
        rt = Runtime(settings)
        rt.reader = readonly.within(url, connection)
        verify(rt, on_progress=on_progress)
        for breach in breaches(rt.reader):
            raise does_not_fit(str(breach))

    return schema.create_or_upgrade(url, settings.environment, proved)
