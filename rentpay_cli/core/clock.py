"""East African Time (UTC+3, no DST), in which M-Pesa writes its time stamps and a rent month begins and ends."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

EAT = timezone(timedelta(hours=3), "EAT")
MPESA_BEGAN = 2007
"""The year before which M-Pesa moved nothing: an earlier moment is a mistake, not a time."""


def mpesa_timestamp(now: datetime) -> str:
    """The fourteen digits of `Timestamp` in an STK Push, in East African Time."""
    return now.astimezone(EAT).strftime("%Y%m%d%H%M%S")


def read_mpesa_time(value: object) -> datetime | None:
    """Read fourteen digits, number or text, in East African Time (`TransCompletedTime`, `TransactionDate`)."""
    text = str(value).strip() if isinstance(value, int | str) and not isinstance(value, bool) else ""
    if len(text) != 14 or not (text.isascii() and text.isdigit()):
        return None
    try:
        moment = datetime.fromisoformat(f"{text[:8]}T{text[8:]}").replace(tzinfo=EAT)
    except ValueError:  # no such day
        return None
    return moment.astimezone(UTC) if MPESA_BEGAN <= moment.year < 2100 else None


def eat_day(moment: datetime) -> int:
    """The East African calendar day as one number, such as 20261123: what reports group by."""
    local = moment.astimezone(EAT)
    return local.year * 10_000 + local.month * 100 + local.day


def eat_midnight(moment: datetime) -> datetime:
    """When the East African day of the moment began."""
    return moment.astimezone(EAT).replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)


def iso_utc(moment: datetime) -> str:
    """The moment as scripts see it: UTC, ISO 8601, with `Z`."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def show_local(moment: datetime) -> str:
    """The moment as people in Kenya see it, with the name of its zone."""
    return f"{list_local(moment)} EAT"


def list_local(moment: datetime) -> str:
    """The moment as people in Kenya see it, for a column whose heading names the zone."""
    return moment.astimezone(EAT).strftime("%d %b %Y %H:%M:%S")


def to_milliseconds(moment: datetime) -> int:
    """Milliseconds since 1970, UTC: how a moment is stored."""
    return round(moment.timestamp() * 1000)


def from_milliseconds(milliseconds: int) -> datetime:
    """The moment that the milliseconds stand for, in UTC."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
