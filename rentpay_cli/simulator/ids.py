"""Identifiers and times in the forms that M-Pesa gives them.

Identifiers are never taken from the seeded chance: a second run with the same seed would hand out the same
receipts again, and a client that keeps receipts unique would rightly refuse them.
"""

from __future__ import annotations

import secrets
import string
from datetime import UTC, datetime, timedelta, timezone

EAT = timezone(timedelta(hours=3), "EAT")

_RECEIPT_ALPHABET = string.ascii_uppercase + string.digits
_DAYS = string.digits + string.ascii_uppercase


def utc_now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


def stamp(at: datetime) -> int:
    """A moment as M-Pesa's number of 14 digits, in East Africa Time."""
    return int(at.astimezone(EAT).strftime("%Y%m%d%H%M%S"))


def new_receipt() -> str:
    """A receipt such as SG722NMVXQ: year, month and day in one character each, then chance."""
    return _day_prefix() + "".join(secrets.choice(_RECEIPT_ALPHABET) for _ in range(7))


def generic_transaction_id() -> str:
    """What M-Pesa puts where there is no receipt, such as SG20000000: the day, then zeros."""
    return _day_prefix() + "0" * 7


def new_request_id() -> str:
    """A request, merchant request or originator id, such as 2654-4b64-97ff-b827b542881d31307."""
    groups = "-".join(secrets.token_hex(2) for _ in range(3))
    return f"{groups}-{secrets.token_hex(6)}{secrets.randbelow(90_000) + 10_000}"


def new_conversation_id() -> str:
    """An identifier such as AG_20230420_2010759fd5662ef6d054."""
    day = utc_now().astimezone(EAT).strftime("%Y%m%d")
    return f"AG_{day}_{secrets.randbelow(9_000) + 1_000}{secrets.token_hex(8)}"


def new_checkout_id(phone: str) -> str:
    """An identifier such as ws_CO_170820261404032708374149. It ends in the phone number: personal data."""
    moment = utc_now().astimezone(EAT).strftime("%d%m%Y%H%M%S")
    return f"ws_CO_{moment}{secrets.randbelow(1_000):03d}{phone[-9:]}"


def masked(phone: str) -> str:
    """A phone number as it may be shown: 254712***678."""
    return f"{phone[:6]}***{phone[-3:]}"


def _day_prefix() -> str:
    today = utc_now().astimezone(EAT)
    year = string.ascii_uppercase[(today.year - 2006) % 26]  # S is 2024
    return year + string.ascii_uppercase[today.month - 1] + _DAYS[today.day]
