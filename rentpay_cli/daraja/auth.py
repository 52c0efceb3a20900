"""The access token: fetched once, kept in a file that the processes of one machine share, renewed early.

A new token may end the life of the one before (Daraja, OAuth), so that processes must not each fetch their own: they
take turns behind a lock on the file, and whoever comes second finds a fresh token there.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

RENEW_BEFORE_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Token:
    """An access token and when it should no longer be used."""

    value: str
    good_until: datetime

    def __repr__(self) -> str:
        return f"Token(good until {self.good_until:%H:%M:%S})"


class TokenCache:
    """The token that the processes of this machine share for one app on one host."""

    def __init__(self, folder: Path, base_url: str, consumer_key: str) -> None:
        name = hashlib.sha256(f"{base_url}\n{consumer_key}".encode()).hexdigest()[:16]
        self._path = folder / f"token-{name}.json"

    def get(self, now: datetime, fetch: Callable[[], Token], *, refused: str | None = None) -> Token:
        """A token that is good now, fetched if need be; `refused` is one that M-Pesa no longer takes."""
        token = self._read()
        if token is None or not _is_good(token, now, refused):
            with self._lock():
                token = self._read()
                if token is None or not _is_good(token, now, refused):
                    token = fetch()
                    self._write(token)
        return token

    def _read(self) -> Token | None:
        try:
            kept = json.loads(self._path.read_text())
            return Token(str(kept["value"]), datetime.fromisoformat(kept["goodUntil"]).astimezone(UTC))
        except (OSError, ValueError, ArithmeticError, KeyError, TypeError, RecursionError):
            return None

    def _write(self, token: Token) -> None:
        """Put a whole new file in place, readable by its owner alone; without a place for it we go on without."""
        kept = json.dumps({"value": token.value, "goodUntil": token.good_until.isoformat()})
        with contextlib.suppress(OSError):
            descriptor, draft = tempfile.mkstemp(dir=self._path.parent, prefix=".token-")
            with os.fdopen(descriptor, "w") as file:
                file.write(kept)
            Path(draft).replace(self._path)

    @contextmanager
    def _lock(self) -> Iterator[None]:
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(self._path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        except OSError:  # a read-only home folder: this process fetches for itself
            yield
            return
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)


def _is_good(token: Token, now: datetime, refused: str | None) -> bool:
    return token.value != refused and now < token.good_until


def lifetime(expires_in: object) -> timedelta:
    """How long a new token may be used: M-Pesa's `expires_in`, text or number, less a safety margin."""
    try:
        seconds = min(int(str(expires_in)), 3600)
    except ValueError:
        seconds = 3599
    return timedelta(seconds=max(seconds - RENEW_BEFORE_SECONDS, seconds // 2, 0))
