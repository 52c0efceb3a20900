"""Who may do what: one table of commands and roles; and what a token is.

Whoever may use a command on `own` sees only what is theirs, as if nothing else existed. A command that is not in the
table is nobody's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What somebody with access is to the platform."""

    ADMIN = "admin"
    OWNER = "owner"
    TENANT = "tenant"


class Reach(StrEnum):
    """Of what a role may use a command."""

    ALL = "all"
    OWN = "own"


Rule = Mapping[Role, Reach]

_ADMINS: Rule = {Role.ADMIN: Reach.ALL}
_OWNERS: Rule = {Role.ADMIN: Reach.ALL, Role.OWNER: Reach.OWN}
_TENANTS: Rule = {Role.ADMIN: Reach.ALL, Role.OWNER: Reach.OWN, Role.TENANT: Reach.OWN}

RULES: Mapping[str, Rule] = {
    "status": _TENANTS,
    "payments": _TENANTS,
    "history": _OWNERS,
    "report revenue": _OWNERS,
    "report disbursements": _OWNERS,
    "report ledger": _ADMINS,
    "owner list": _OWNERS,
    "owner show": _OWNERS,
    "owner add": _ADMINS,
    "owner edit": _ADMINS,
    "property list": _OWNERS,
    "property show": _OWNERS,
    "property add": _ADMINS,
    "property edit": _ADMINS,
    "property confirm": _ADMINS,
    "property cancel-change": _ADMINS,
    "requests list": _ADMINS,
    "requests show": _ADMINS,
    "requests confirm": _ADMINS,
    "requests withdraw": _ADMINS,
    "tenant list": _ADMINS,
    "tenant show": _ADMINS,
    "tenant add": _ADMINS,
    "tenant edit": _ADMINS,
    "tenant forget": _ADMINS,
    "initiate": _ADMINS,
    "record-payment": _ADMINS,
    "disburse": _OWNERS,
    "retry-failed": _ADMINS,
    "balance": _ADMINS,
    "chase": _ADMINS,
    "resolve": _ADMINS,
    "payouts stop": _ADMINS,
    "payouts resume": _ADMINS,
    "payouts release": _ADMINS,
    "payouts show": _ADMINS,
    "callbacks list": _ADMINS,
    "callbacks show": _ADMINS,
    "callbacks replay": _ADMINS,
    "journal list": _ADMINS,
    "journal head": _ADMINS,
    "journal verify": _ADMINS,
    "health": _ADMINS,
    "watch": _ADMINS,
    "doctor": _ADMINS,
    "serve-callbacks": _ADMINS,
    "backup": _ADMINS,
    "restore": _ADMINS,
    "init": _ADMINS,
    "database upgrade": _ADMINS,
    "notify test": _ADMINS,
    "notify list": _ADMINS,
    "access add": _ADMINS,
    "access list": _ADMINS,
    "access revoke": _ADMINS,
}
"""Every command that opens the database, and who may use it on what."""

WITHOUT_DATABASE = frozenset(
    {"explain", "help", "credential encrypt", "credential check", "demo", "simulator", "notify templates"}
)
"""The commands that open no database of the platform's, and that everybody may use."""

CHANGING = frozenset(
    {
        *(
            "owner add",
            "owner edit",
            "property add",
            "property edit",
            "property confirm",
            "property cancel-change",
            "tenant add",
            "tenant edit",
        ),
        "tenant forget",
        *("initiate", "record-payment", "disburse", "retry-failed", "chase", "resolve"),
        *("payouts stop", "payouts resume", "payouts release", "callbacks replay"),
        *("requests confirm", "requests withdraw"),
        "serve-callbacks",
    }
)
"""The commands that change something, and say so while nobody needs a token for it."""

MENDING = frozenset({"doctor", "init", "database upgrade", "backup", "restore"})
"""The commands that must also answer where the database is missing, old or damaged, so that it names nobody."""


def reach(role: Role, command: str) -> Reach | None:
    """Of what the role may use the command, or None if it may not use it."""
    return RULES.get(command, {}).get(role)


@dataclass(frozen=True, slots=True)
class Scope:
    """What somebody may see: everything, or only what is one owner's or one tenant's."""

    owner_id: int | None = None
    tenant_id: int | None = None


EVERYTHING = Scope()

_TOKEN = re.compile(r"rp_([0-9]{1,9})_([0-9a-f]{32})", re.ASCII)


def write_token(number: int, secret: str) -> str:
    """The token of the access with this number."""
    return f"rp_{number}_{secret}"


def read_token(text: str) -> tuple[int, str] | None:
    """The number and the secret in a token; None if it is none."""
    found = _TOKEN.fullmatch(text)
    return (int(found[1]), found[2]) if found else None


def secret_hash(secret: str, salt: bytes) -> bytes:
    """The hash that is kept of a token's secret.

    The secret has 128 random bits, so that nobody can guess it and no hash need be slow; this one takes about 10 ms.
    """
    import hashlib  # with its libraries: too slow for every command where nobody has a token

    return hashlib.scrypt(secret.encode(), salt=salt, n=2**13, r=8, p=1)


def is_secret(secret: str, salt: bytes, kept: bytes) -> bool:
    """Whether this is the secret whose hash was kept; it takes as long whether or not it is."""
    import hmac

    return hmac.compare_digest(secret_hash(secret, salt), kept)
