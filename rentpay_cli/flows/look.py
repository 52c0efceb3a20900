"""Find what a person means: a payment by any of its names, a period as people say it."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta

from rentpay_cli.core.clock import EAT, eat_day, to_milliseconds
from rentpay_cli.core.nearest import no_such, several
from rentpay_cli.core.redact import printable
from rentpay_cli.errors import NotFound, WrongUse
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import readonly, reads


def one(rt: Runtime, kind: str, reference: str) -> readonly.Row:
    """The owner, property or tenant whom the reference means, for reading; raises `NotFound`, `WrongUse`."""
    found = reads.registered(rt.reader, kind, reference)
    if not found:
        raise no_such(kind, reference, (row["name"] for row in reads.register(rt.reader, kind)))
    if len(found) > 1:
        raise several(kind, reference, [row["id"] for row in found])
    return found[0]


def payment_number(rt: Runtime, reference: str) -> int:
    """The payment with this number, receipt, checkout id or conversation id; raises `NotFound`."""
    number = reads.find_payment(rt.reader, reference.strip())
    if number is None:
        raise NotFound(
            f"There is no payment '{printable(reference, 60)}'.",
            "Give its number, M-Pesa receipt, checkout id or conversation id; see: rentpay payments"
            if "***" not in reference
            else "A masked checkout id names nothing: give the payment's number, or the whole id (--reveal shows it).",
        )
    return number


def read_day(text: str) -> date:
    """A day as people write it: 2026-11-23; raises `WrongUse`."""
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise WrongUse(f"'{printable(text, 40)}' is not a day.", "Write it as in 2026-11-23.") from None


def month_days(text: str) -> tuple[date, date]:
    """The first and the last day of a month written as 2026-11; raises `WrongUse`."""
    if not re.fullmatch(r"[0-9]{4}-(0[1-9]|1[0-2])", text.strip()):
        raise WrongUse(f"'{printable(text, 40)}' is not a month.", "Write it as in 2026-11.")
    first = date.fromisoformat(text.strip() + "-01")
    following = (first + timedelta(days=32)).replace(day=1)
    return first, following - timedelta(days=1)


def day_number(day: date | None) -> int | None:
    """The day as the database groups by it: 20261123."""
    return None if day is None else day.year * 10_000 + day.month * 100 + day.day


def day_start(day: date | None) -> int | None:
    """When the day begins in East Africa, in milliseconds."""
    return None if day is None else to_milliseconds(datetime(day.year, day.month, day.day, tzinfo=EAT))


def today(rt: Runtime) -> date:
    """Today in East Africa."""
    number = eat_day(rt.now())
    return date(number // 10_000, number // 100 % 100, number % 100)
