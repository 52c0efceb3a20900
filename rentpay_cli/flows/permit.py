"""The one place that asks who somebody is and whether this command is theirs to use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rentpay_cli.core.access import MENDING, RULES, Reach, Role, Scope, is_secret, reach, read_token
from rentpay_cli.core.redact import printable
from rentpay_cli.errors import BadDatabase, NotAllowed
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import access_reads, readonly

Token = Callable[[], str | None]
"""Reads the token of whoever asks, where one is needed; raises `BadConfiguration`."""

_NOBODYS = {"salt": b"", "token_hash": b""}


def admit(rt: Runtime, command: str, token: Token) -> bool:
    """Let the runtime act for whoever asks, and see only what is theirs; whether the database is still open to all.

    Raises `NotAllowed` if the token is wrong or the command is not for its role.
    """
    reader = _reader(rt, command)
    if reader is None:
        return False
    if not access_reads.has_admin(reader):
        _keep(rt, command, reader)
        return True
    text = token()
    holder = _holder(reader, text)
    if holder is None:
        reader.close()
        if text is None:
            raise _no_token()
        claimed = read_token(text)
        _write_down(rt, "access refused", command=command, claimed_number=claimed[0] if claimed else None)
        raise NotAllowed("The access token is not valid.", _ASK_AN_ADMIN)
    rt.actor, rt.access_id = f"{holder['name']}, {rt.actor}", holder["id"]
    role = Role(holder["role"])
    of = reach(role, command)
    if of is None:
        reader.close()
        _write_down(rt, "command refused", command=command, role=role.value)
        raise NotAllowed(
            f"'{printable(holder['name'], 80)}' has access as {_A[role]}, who may not use `rentpay {command}`.",
            f"Ask somebody who may: {_who_may(command)}.",
        )
    rt.scope = _scope(holder, of)
    _keep(rt, command, reader)
    return False


def narrow(reader: readonly.Reader, token: Token) -> None:
    """Let a reader see only what belongs to whoever asks; raises `NotAllowed` if nobody knows who that is."""
    if not access_reads.has_admin(reader):
        return
    holder = _holder(reader, token())
    if holder is None:
        raise _no_token()
    access_reads.narrow(reader, _scope(holder, Reach.ALL if holder["role"] == Role.ADMIN else Reach.OWN))


_ASK_AN_ADMIN = "It may have been revoked. Ask an admin for a new one: rentpay access add NAME --role ROLE"
_A = {Role.ADMIN: "an admin", Role.OWNER: "an owner", Role.TENANT: "a tenant"}


def _no_token() -> NotAllowed:
    return NotAllowed(
        "This needs an access token, and none was given.",
        "Put it into the environment as RENTPAY_TOKEN, or its file as RENTPAY_TOKEN_FILE (not into .env, which all "
        "share), or into the file 'token' of your own settings folder for rentpay. An admin gives tokens.",
    )


def _who_may(command: str) -> str:
    return " or ".join(_A[role] for role in RULES.get(command, {})) or "nobody may"


def _reader(rt: Runtime, command: str) -> readonly.Reader | None:
    """The database in which it stands who has access; None if there is none, or none in which that could stand."""
    url = rt.settings.database_url
    if command not in MENDING:
        return readonly.existing(url, rt.settings.environment)
    reader = None
    try:
        reader = readonly.open_unchecked(url, untouched=True)
        if reader is not None:
            access_reads.has_admin(reader)
        return reader
    except BadDatabase:  # which the command is there to find out, or to mend
        if reader is not None:
            reader.close()
        return None


def _keep(rt: Runtime, command: str, reader: readonly.Reader) -> None:
    """Let the runtime read by this connection, so that no second one is opened; what is mended is not held open."""
    if command in MENDING:
        reader.close()
        return
    access_reads.narrow(reader, rt.scope)
    rt.reader = reader


def _holder(reader: readonly.Reader, text: str | None) -> readonly.Row | None:
    """The access that the token belongs to; a number that nobody has takes as long to refuse as a wrong secret."""
    claimed = read_token(text or "")
    if claimed is None:
        return None
    number, secret = claimed
    holder = access_reads.in_force(reader, number)
    kept = holder or _NOBODYS
    return holder if is_secret(secret, kept["salt"], kept["token_hash"]) else None


def _scope(holder: readonly.Row, of: Reach) -> Scope:
    return Scope() if of is Reach.ALL else Scope(owner_id=holder["owner_id"], tenant_id=holder["tenant_id"])


def _write_down(rt: Runtime, event: str, **detail: Any) -> None:
    """Keep in the journal that somebody was refused."""
    from rentpay_cli.store import journal

    with rt.database.transaction() as session:
        journal.write(session, rt.now(), rt.actor, event, **detail)
