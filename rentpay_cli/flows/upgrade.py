"""Bring a database up to date, and prove before it is committed that no row and no word of the journal has changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rentpay_cli.config import Settings
from rentpay_cli.flows.verify import OnProgress, verify
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import readonly, schema

if TYPE_CHECKING:
    from sqlalchemy import Connection


def bring_up_to_date(url: str, settings: Settings, on_progress: OnProgress = lambda *_: None) -> schema.Upgrade:
    """Make the database, or bring it to the current schema in one transaction; raises `BadDatabase`.

    An older one is verified by its journal at the end of the transaction; raises `NeedsAttention` if it does not fit.
    """

    def proved(connection: Connection) -> None:
        rt = Runtime(settings)
        rt.reader = readonly.within(url, connection)
        verify(rt, on_progress=on_progress)

    return schema.create_or_upgrade(url, settings.environment, proved)
