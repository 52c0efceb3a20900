"""Make a copy of the database, and go back to one.

Going back forgets what was paid out since the copy was made. A payout that the database no longer knows could be sent
again, so a restored database has its payouts stopped until a person has compared it with the paybill's statement.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from rentpay_cli.core.clock import EAT, from_milliseconds, show_local
from rentpay_cli.errors import NotFound, RuleRefused, WrongUse
from rentpay_cli.flows import upgrade
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import backup
from rentpay_cli.store.place import sqlite_file

_OURS = "Name a file that `rentpay backup` has made."
STOP_REASON = "Restored from a backup; what was paid out since then is not in it. Compare it with the statement first."


@dataclass(frozen=True)
class Copy:
    """A copy of the database that was made."""

    path: Path
    size_bytes: int
    payment_count: int
    newest_at: int | None


@dataclass(frozen=True)
class Restored:
    """A copy that took the place of the database, and where the old one is kept, if there was one."""

    path: Path
    kept: Path | None
    payment_count: int
    newest_at: int | None
    revision: str
    """The schema of the copy; the database in its place has the current one."""


def back_up(rt: Runtime, target: Path, *, overwrite: bool, on_progress: backup.OnProgress = lambda *_: None) -> Copy:
    """Copy the database while others use it, and remember when; raises `RuleRefused`, `WrongUse`."""
    check_target(rt, target)
    source = _sqlite_file(rt, "")
    _ = rt.reader  # which checks that the database is there, ours and current
    at = rt.now()
    with backup.copied(source, target, on_progress) as copy:
        found = backup.contents(copy, target, rt.settings.environment)
        backup.put_in_place(copy, target, overwrite=overwrite)
    _remember(rt, at, target)
    return Copy(target, target.stat().st_size, found.payment_count, found.newest_at)


def check_target(rt: Runtime, target: Path) -> None:
    """Raise `WrongUse` if a copy must not be written to this place, `RuleRefused` if it may not be looked at."""
    source = _sqlite_file(rt, _dump_command(rt, target))
    with _in_a_sentence(target, "Name a file in a folder that you may write."):
        _refuse_target(target, source)


@contextmanager
def _in_a_sentence(path: Path, hint: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise RuleRefused(f"{path} cannot be used: {error.strerror}.", hint) from error


def _refuse_target(target: Path, source: Path) -> None:
    if target.is_symlink():
        raise WrongUse(f"{target} is a symbolic link.", "Name the file itself: a link is not followed.")
    if target.exists() and not target.is_file():
        raise WrongUse(f"{target} is not a file.", "Name a file, such as rentpay-2026-11-23.db")
    if not target.parent.is_dir():
        raise WrongUse(f"There is no folder {target.parent}.", "Make it first, or name a file in another.")
    if target.exists() and source.exists() and target.samefile(source):
        raise WrongUse(f"{target} is the database itself.", "Name another file.")


def _remember(rt: Runtime, at: datetime, target: Path) -> None:
    from rentpay_cli.store import journal, signs

    with rt.database.transaction() as session:
        signs.note_backup(session, at)
        journal.write(session, at, rt.actor, "backup made", file=str(target.absolute()))


def restore(rt: Runtime, source: Path, agree: Callable[[backup.Contents], None]) -> Restored:
    """Put a copy in the place of the database, once `agree` has let what is in it pass; raises `RuleRefused`."""
    target = _sqlite_file(rt, _restore_command(rt, source))
    _check_source(source, target)
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with backup.copied(source, target) as copy:
        found = backup.contents(copy, source, rt.settings.environment)
        agree(found)
        upgrade.bring_up_to_date(f"sqlite:///{copy}", rt.settings)
        _stop_payouts(rt, copy, found)
        with backup.locked(target):
            kept = _kept_name(rt, target) if target.exists() else None
            if kept is not None:
                backup.set_aside(target, kept)
            backup.put_in_place(copy, target, overwrite=True)
    return Restored(target, kept, found.payment_count, found.newest_at, found.revision)


def _check_source(source: Path, target: Path) -> None:
    with _in_a_sentence(source, "Name a file that you may read."):
        if not source.is_file():
            raise NotFound(f"There is no file {source}.", _OURS)
        if not backup.is_database(source):
            raise RuleRefused(f"{source} is no database of rentpay's. Nothing was changed.", _OURS, code="foreign")
    if target.is_symlink():
        raise WrongUse(f"The database {target} is a symbolic link.", "Let RENTPAY_DATABASE_URL name the file itself.")
    if target.exists() and not target.is_file():
        raise WrongUse(f"{target} is not a file.", "Let RENTPAY_DATABASE_URL name a file.")
    if target.exists() and source.samefile(target):
        raise WrongUse(f"{source} is the database itself.", _OURS)


def _stop_payouts(rt: Runtime, copy: Path, found: backup.Contents) -> None:
    from rentpay_cli.core.payout import StopKind
    from rentpay_cli.store import journal, stops
    from rentpay_cli.store.engine import Database

    database = Database(f"sqlite:///{copy}")
    try:
        with database.transaction() as session:
            stops.stop(session, StopKind.RESTORE, STOP_REASON, rt.actor, rt.now())
            back_to = None if found.newest_at is None else from_milliseconds(found.newest_at).isoformat()
            journal.write(session, rt.now(), rt.actor, "restored", back_to=back_to)
    finally:
        database.close()


def _kept_name(rt: Runtime, target: Path) -> Path:
    day = rt.now().astimezone(EAT).strftime("%Y%m%d-%H%M%S")
    names = (
        target.with_name(f"{target.name}.before-restore-{day}{more}") for more in ("", *(f"-{n}" for n in range(99)))
    )
    return next(name for name in names if not name.exists())


def period(newest_at: int | None) -> str:
    """The moment that a copy goes back to, in words."""
    return "before anything was written" if newest_at is None else show_local(from_milliseconds(newest_at))


# --- PostgreSQL has tools of its own ---------------------------------------------------------------------------------


def _sqlite_file(rt: Runtime, otherwise: str) -> Path:
    path = sqlite_file(rt.settings.database_url)
    if path is None:
        raise RuleRefused("PostgreSQL has its own tools for this.", otherwise, code="postgresql")
    return path


def _dump_command(rt: Runtime, target: Path) -> str:
    return f"Run: pg_dump --format=custom --file={shlex.quote(str(target))} --dbname={_without_password(rt)}"


def _restore_command(rt: Runtime, source: Path) -> str:
    return (
        "Stop `rentpay serve-callbacks`. Run: pg_restore --clean --if-exists --single-transaction --no-owner "
        f"--dbname={_without_password(rt)} {shlex.quote(str(source))}\n"
        "Then, before anything else: rentpay payouts stop --restored. What was paid out since is not in it."
    )


def _without_password(rt: Runtime) -> str:
    """The address for PostgreSQL's own tools, which take the password from ~/.pgpass or ask for it."""
    parts = urlsplit(rt.settings.database_url.replace("postgresql+psycopg://", "postgresql://", 1))
    login, at, host = parts.netloc.rpartition("@")
    query = urlencode([pair for pair in parse_qsl(parts.query) if "pass" not in pair[0].lower()], safe="/")
    place = f"{login.partition(':')[0]}{at}{host}"
    return shlex.quote(urlunsplit(parts._replace(netloc=place, query=query)))
