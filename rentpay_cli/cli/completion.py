"""What the shell offers for what is in the database: quick, read-only, and silent on any failure."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rentpay_cli.cli.common import invocation
from rentpay_cli.core.callbacks import CallbackState

if TYPE_CHECKING:
    from rentpay_cli.store.readonly import Reader

MOST = 50

Offer = list[tuple[str, str]]
"""Each value with a word about it, which zsh and fish show."""


def _offers(find: Callable[[Reader, str], Iterator[tuple[str, str]]]) -> Callable[[str], Offer]:
    def offer(incomplete: str) -> Offer:
        try:
            with _reader() as reader:
                found = list(find(reader, incomplete))
        except Exception:  # somebody is typing: nothing may be printed between the letters
            return []
        return [(_as_typed(value), about) for value, about in found[:MOST]]

    return offer


@contextmanager
def _reader() -> Iterator[Reader]:
    """The database as the settings name it, as far as it is for whoever types; it is never made here."""
    from rentpay_cli.config import load_settings, read_token
    from rentpay_cli.flows import permit
    from rentpay_cli.store.readonly import open_if_there

    os.environ.setdefault("PGCONNECT_TIMEOUT", "2")
    named = invocation().env_file
    env_file = named and str(Path(named).expanduser())  # the shell has not read the line yet
    reader = open_if_there(load_settings(env_file).database_url)
    try:
        permit.narrow(reader, read_token)
        yield reader
    finally:
        reader.close()


def _as_typed(value: str) -> _Offered:
    """The value as it must stand on the command line; zsh and fish see to that themselves."""
    in_bash = os.environ.get("_RENTPAY_COMPLETE") == "complete_bash"
    return _Offered(re.sub(r"([^\w@%+=:,./-])", r"\\\1", value) if in_bash else value)


class _Offered(str):
    """A value that fits, although it may begin in other letters than were typed: typer drops what does not."""

    __slots__ = ()

    def startswith(self, *_: object) -> bool:
        return True


def _registered(kind: str) -> Callable[[Reader, str], Iterator[tuple[str, str]]]:
    """By name; by number once digits are typed."""

    def find(reader: Reader, incomplete: str) -> Iterator[tuple[str, str]]:
        from rentpay_cli.core.redact import printable
        from rentpay_cli.store.reads import names_beginning

        for row in names_beginning(reader, kind, incomplete, MOST):
            name, number = printable(row["name"], 80), str(row["id"])
            yield (number, name) if incomplete.isdigit() else (name, f"{kind} {number}")

    return find


def _payments(reader: Reader, incomplete: str) -> Iterator[tuple[str, str]]:
    """By number, and by receipt once a letter is typed; the newest first."""
    from rentpay_cli.core.money import show_kes
    from rentpay_cli.core.redact import printable
    from rentpay_cli.store import reads

    for row in reads.payments(reader, limit=20 * MOST):
        about = printable(f"{show_kes(row['amount_cents'])}, {row['property_name']}, {row['status']}", 80)
        for value in (str(row["id"]), row["receipt"] if incomplete else None):
            if value and value.startswith(incomplete.upper()):
                yield value, about


def _callbacks(state: CallbackState | None) -> Callable[[Reader, str], Iterator[tuple[str, str]]]:
    """By number, the newest first."""

    def find(reader: Reader, incomplete: str) -> Iterator[tuple[str, str]]:
        from rentpay_cli.core.redact import printable
        from rentpay_cli.store import reads

        for row in reads.callbacks(reader, state=state, limit=20 * MOST):
            number, outcome = str(row["id"]), row["outcome"]
            if number.startswith(incomplete):
                yield number, printable(f"{row['path']}, {row['state']}" + (f": {outcome}" if outcome else ""), 80)

    return find


owners = _offers(_registered("owner"))
properties = _offers(_registered("property"))
tenants = _offers(_registered("tenant"))
payments = _offers(_payments)
callbacks = _offers(_callbacks(None))
held_callbacks = _offers(_callbacks(CallbackState.HELD))


def topics(incomplete: str) -> Offer:
    """The pages of `rentpay help`."""
    from rentpay_cli.flows.pages import pages

    return [(page.topic, page.title) for page in pages() if page.topic.startswith(incomplete)]
