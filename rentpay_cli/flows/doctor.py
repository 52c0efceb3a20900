"""Check everything that can be checked before it is needed, and say how to mend what is wrong; it changes nothing."""

from __future__ import annotations

import glob
import json
import shlex
import shutil
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from platformdirs import user_cache_path, user_data_path

from rentpay_cli.config import COLLECT, COLLECTION_PATH, PAY_OUT, PAYOUT_PATH, credential_problem
from rentpay_cli.core.address import address_problem, is_ip, is_public
from rentpay_cli.core.clock import from_milliseconds, show_local
from rentpay_cli.core.money import show_kes
from rentpay_cli.errors import RentpayError
from rentpay_cli.flows.health import facts, usual_thresholds
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import readonly, reads
from rentpay_cli.store.backup import BESIDE
from rentpay_cli.store.place import sqlite_file
from rentpay_cli.store.read.invariants import breaches

LEAST_FREE_BYTES = 200_000_000
MOST_CLOCK_SKEW = timedelta(seconds=30)
OLDEST_BACKUP = timedelta(days=2)
DISAGREE = (
    "Let nothing leave (rentpay payouts stop), keep a copy (rentpay backup FILE), see what was changed by other than "
    "rentpay (rentpay journal verify), and compare with the paybill's statement."
)


class Result(StrEnum):
    """What a check came to; only `wrong` calls for a person."""

    OK = "ok"
    NOTE = "note"
    WRONG = "wrong"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Check:
    """What was looked at, what came of it, and how to mend it."""

    name: str
    result: Result
    text: str
    mend: str = ""


Checks = Iterator[Check]


def bad_configuration(error: RentpayError) -> list[Check]:
    """All that can be said where the settings cannot be read."""
    rest = "It needs settings that can be read."
    return [Check("configuration", Result.WRONG, error.message, error.hint), _skipped("everything else", rest)]


def examine(rt: Runtime, env_files: list[Path], *, offline: bool) -> Checks:
    """Every check, one after another; `offline` leaves out what needs the network."""
    yield from _configuration(rt, env_files)
    cache = user_cache_path("rentpay")
    yield from _all_only_ours("token", [cache, *sorted(cache.glob("token-*"))])
    yield from _credential(rt)
    yield from _certificate(rt)
    yield from _database(rt)
    yield from _addresses(rt, offline=offline)
    if offline:
        yield _skipped("clock and token", "They need the network.")
    else:
        yield from _clock(rt)
        yield from _guarded("token", lambda: _token(rt))


def _ok(name: str, text: str) -> Check:
    return Check(name, Result.OK, text)


def _skipped(name: str, text: str) -> Check:
    return Check(name, Result.SKIPPED, text)


def _guarded(name: str, look: Callable[[], Checks]) -> Checks:
    """The checks, or the failure that ended them as one more."""
    try:
        yield from look()
    except RentpayError as error:
        yield Check(name, Result.WRONG, error.message, error.hint)


# --- settings --------------------------------------------------------------------------------------------------------


def _configuration(rt: Runtime, env_files: list[Path]) -> Checks:
    for what, names in (("to collect", COLLECT), ("to pay out", PAY_OUT)):
        try:
            rt.settings.require(names)
        except RentpayError as error:
            yield Check("configuration", Result.WRONG, f"Settings {what}: {error.message}", error.hint)
        else:
            yield _ok("configuration", f"All settings {what} are there, for {rt.settings.environment}.")
    for path in env_files:
        yield _only_ours("configuration", path)


def _only_ours(name: str, path: Path) -> Check:
    """Whether nobody else on the machine can read a file that holds secrets, or look into a folder of such files."""
    found = path.stat()
    mode = stat.S_IMODE(found.st_mode)
    if mode & 0o077:
        mend = f"chmod {'700' if stat.S_ISDIR(found.st_mode) else '600'} {shlex.quote(str(path))}"
        return Check(name, Result.WRONG, f"Others may read {path} (mode {mode:04o}).", mend)
    return _ok(name, f"{path} is closed to others.")


def _all_only_ours(name: str, paths: Iterable[Path]) -> Checks:
    """The files and folders among these that others can read; nothing of those that are closed or not there."""
    for path in paths:
        with suppress(FileNotFoundError):
            check = _only_ours(name, path)
            if check.result is Result.WRONG:
                yield check


def _credential(rt: Runtime) -> Checks:
    value, mend = rt.settings.security_credential, "Make one with: rentpay credential encrypt --certificate FILE"
    if not value:
        yield _skipped("credential", "MPESA_SECURITY_CREDENTIAL is not set.")
        return
    problem = credential_problem(value)
    if problem:
        yield Check("credential", Result.WRONG, f"MPESA_SECURITY_CREDENTIAL {problem}.", mend)
    else:
        text = "The credential has the right shape, without stray characters. Whether it was made with the right"
        yield _ok("credential", f"{text} certificate and password cannot be known: only a payout tells.")


def _certificate(rt: Runtime) -> Checks:
    if not rt.settings.certificate:
        yield _skipped("certificate", "MPESA_CERTIFICATE is not set; only `rentpay credential encrypt` needs it.")
        return
    yield from _guarded("certificate", lambda: _read_certificate(Path(rt.settings.certificate), rt.now()))


def _read_certificate(path: Path, now: datetime) -> Checks:
    from rentpay_cli.daraja.credential import read_certificate

    try:
        content = path.read_bytes()
    except OSError as error:
        mend = "Download it from the Daraja portal, and name it in MPESA_CERTIFICATE."
        yield Check("certificate", Result.WRONG, f"{path} cannot be read: {error.strerror}.", mend)
        return
    read = read_certificate(content, now)
    about = f"{read.bits} bits, SHA-256 {read.fingerprint}"
    if read.bits != 2048:
        mend = "Download Safaricom's certificate from the Daraja portal."
        yield Check("certificate", Result.WRONG, f"Its key is not one of Safaricom's: {about}.", mend)
    else:
        yield _ok("certificate", f"{about}.")


# --- the database ----------------------------------------------------------------------------------------------------


def _database(rt: Runtime) -> Checks:
    yield from _guarded("database", lambda: _open_database(rt))


def _open_database(rt: Runtime) -> Checks:
    url = rt.settings.database_url
    reader = readonly.existing(url, rt.settings.environment)
    if reader is None:
        mend = "The first command that needs it makes it, such as: rentpay owner list"
        yield Check("database", Result.NOTE, "There is no database yet.", mend)
        return
    with closing(reader):
        yield _ok("database", f"It is current, and made for {rt.settings.environment}.")
        yield from _sound(reader)
        yield from _guarded("records", lambda: _consistent(reader))
        yield from _guarded("database", lambda: _writable(rt))
        if (path := sqlite_file(url)) is not None:
            yield from _file(path)
            yield from _backup(reader, rt.now())
        yield from _news(rt)


def _sound(reader: readonly.Reader) -> Checks:
    damage = readonly.damage(reader)
    if damage:
        mend = "Stop everything that uses it, and go back to a copy: rentpay restore FILE"
        yield Check("database", Result.WRONG, f"It is damaged: {damage[0]}", mend)
    else:
        yield _ok("database", "It is undamaged.")


def _consistent(reader: readonly.Reader) -> Checks:
    """Whether its rows agree with each other; it reads every row about money a few times, by key."""
    is_broken = False
    for breach in breaches(reader):
        is_broken = True
        yield Check("records", Result.WRONG, str(breach), DISAGREE)
    if not is_broken:
        yield _ok("records", "What they say about the same money agrees.")


def _writable(rt: Runtime) -> Checks:
    """Opening it for writing checks that the settings that keep money safe took."""
    with rt.database.transaction() as session:
        session.connection()
    yield _ok("database", "It can be written, and takes the settings that keep money safe.")


def _file(path: Path) -> Checks:
    yield _only_ours("database", path)
    beside = [path.with_name(f"{path.name}{more}") for more in BESIDE]
    kept = path.parent.glob(f"{glob.escape(path.name)}.before-*")
    own_folder = [path.parent] if path.parent == user_data_path("rentpay") else []
    yield from _all_only_ours("database", [*beside, *sorted(kept), *own_folder])
    free = shutil.disk_usage(path.parent).free
    text = f"{free // 1_000_000:,} MB are free on its disk."
    if free < LEAST_FREE_BYTES:
        yield Check("database", Result.WRONG, text, "Make room: a full disk stops callbacks from being stored.")
    else:
        yield _ok("database", text)


def _backup(reader: readonly.Reader, now: datetime) -> Checks:
    kept, mend = readonly.setting(reader, "last_backup_at"), "rentpay backup FILE"
    if kept is None:
        yield Check("backup", Result.NOTE, "No copy of the database was ever made.", mend)
        return
    made_at = from_milliseconds(int(kept))
    result = Result.OK if now - made_at <= OLDEST_BACKUP else Result.NOTE
    made = reads.journal(reader, event="backup made", limit=1)
    yield from _all_only_ours("backup", [Path(json.loads(row["detail"])["file"]) for row in made])
    yield Check(
        "backup", result, f"The last copy was made on {show_local(made_at)}.", mend if result is not Result.OK else ""
    )


def _news(rt: Runtime) -> Checks:
    """When M-Pesa was last heard of, and what the paybill's accounts held."""
    known = facts(rt, usual_thresholds(rt.settings))
    if known.last_callback_at:
        yield _ok("callbacks", f"The last one came on {show_local(known.last_callback_at)}.")
    else:
        yield Check("callbacks", Result.NOTE, "None has ever come.", "Ask for a little rent: rentpay initiate --help")
    for row in reads.balances(rt.reader):
        held = (
            f"{row['account']}: {show_kes(row['available_cents'])} on {show_local(from_milliseconds(row['read_at']))}."
        )
        yield _ok("balance", held)
    if known.float is None:
        yield Check("balance", Result.NOTE, "The float is not known.", "rentpay balance --wait")


# --- the network -----------------------------------------------------------------------------------------------------


def _addresses(rt: Runtime, *, offline: bool) -> Checks:
    settings = rt.settings
    named = {
        settings.callback_url: "MPESA_CALLBACK_URL",
        settings.timeout_url: "MPESA_TIMEOUT_URL",
        settings.b2b_callback_url: "MPESA_B2B_CALLBACK_URL",
    }
    origins: dict[str, str] = {}
    for url, name in named.items():
        if not url:
            continue
        problem = address_problem(url, settings.environment)
        if problem:
            yield Check("address", Result.WRONG, f"{name} {problem}.", f"Give {name} a public https:// address.")
            continue
        if settings.environment != "simulator":
            yield _ok("address", f"{name} has a form that Safaricom takes.")
        origins.setdefault(_healthz(url), name)
    for url, name in origins.items():
        if offline:
            yield _skipped("address", f"Whether {name} reaches the listener needs the network.")
        else:
            yield from _reaches_listener(url, name, settings.environment)


def _healthz(url: str) -> str:
    """The address of the listener's `/healthz` behind the same origin and prefix as a callback address."""
    parts = urlsplit(url)
    prefix = parts.path.removesuffix(PAYOUT_PATH).removesuffix(COLLECTION_PATH)
    return urlunsplit((parts.scheme, parts.netloc, f"{prefix}/healthz", "", ""))


def _reaches_listener(url: str, name: str, environment: str) -> Checks:
    from rentpay_cli.daraja import probe

    host = urlsplit(url).hostname or ""
    if environment != "simulator" and not is_ip(host):
        found = probe.addresses(host)
        if not any(is_public(address) for address in found):
            text = f"{host} leads to {', '.join(found)}, which is not public" if found else f"{host} is not known"
            yield Check("address", Result.WRONG, f"{name}: {text}.", "Give the name a public address in the DNS.")
            return
    mend = "Start `rentpay serve-callbacks`, and let the reverse proxy pass on /healthz and /api/payments/."
    try:
        answer = probe.look(url)
    except RentpayError as error:
        yield Check("listener", Result.WRONG, f"{name}: {error.message}", mend)
        return
    if "worker" not in answer.document:
        text = f"{name}: {url} answers (HTTP {answer.status}), but it is not our listener."
        yield Check("listener", Result.WRONG, text, mend)
    elif answer.status != 200:
        text = f"{name} reaches the listener, but its worker is {answer.document['worker']} and its rounds fail."
        yield Check("listener", Result.WRONG, text, "See the log of `rentpay serve-callbacks`.")
    else:
        yield _ok("listener", f"{name} reaches the listener, and its worker is alive.")


def _clock(rt: Runtime) -> Checks:
    from rentpay_cli.daraja import probe

    before = rt.now()
    try:
        answer = probe.look(rt.settings.base_url)
    except RentpayError as error:
        mend = "Check the network, and MPESA_BASE_URL if you use a local M-Pesa."
        yield Check("clock", Result.WRONG, f"M-Pesa cannot be reached: {error.message}", mend)
        return
    if answer.date is None:
        yield _skipped("clock", "M-Pesa's answer does not tell the time.")
        return
    skew = before - answer.date  # the header has whole seconds, and the answer took a moment
    seconds = abs(round(skew.total_seconds()))
    if abs(skew) > MOST_CLOCK_SKEW:
        side = "ahead of" if skew > timedelta(0) else "behind"
        text = f"The clock of this machine is {seconds} seconds {side} M-Pesa's."
        yield Check("clock", Result.WRONG, text, "Let it be set over the network: timedatectl set-ntp true")
    else:
        yield _ok("clock", f"The clock of this machine agrees with M-Pesa's, to {seconds} seconds.")


def _token(rt: Runtime) -> Checks:
    if not (rt.settings.consumer_key and rt.settings.consumer_secret):
        yield _skipped("token", "It needs MPESA_CONSUMER_KEY and MPESA_CONSUMER_SECRET.")
        return
    rt.mpesa.renew_token()
    yield _ok("token", "M-Pesa takes the consumer key and secret.")
