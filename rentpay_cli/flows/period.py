"""A period as people say it, in East African days, both ends included."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta

from rentpay_cli.core.redact import printable
from rentpay_cli.errors import WrongUse
from rentpay_cli.flows.look import day_number, day_start, month_days, read_day

_UNITS = {"d": 1, "w": 7}
LONGEST_DAYS = 36_500


@dataclass(frozen=True)
class Period:
    """From one day to another; None where it is open."""

    first: date | None
    last: date | None

    @property
    def day_numbers(self) -> tuple[int | None, int | None]:
        """Both days as the database groups by them."""
        return day_number(self.first), day_number(self.last)

    @property
    def moments(self) -> tuple[int | None, int | None]:
        """From when until before when, in milliseconds."""
        return day_start(self.first), day_start(self.last + timedelta(days=1) if self.last else None)

    @property
    def document(self) -> dict[str, str | None]:
        """The period as scripts see it."""
        return {"from": str(self.first) if self.first else None, "to": str(self.last) if self.last else None}


def read_period(today: date, *, since: str | None, until: str | None, month: str | None, last: str | None) -> Period:
    """The period of --from and --to, of --month, or of --last; raises `WrongUse`."""
    if sum(map(bool, (since or until, month, last))) > 1:
        raise WrongUse("The period is said more than once.", "Use --from and --to, or --month, or --last.")
    if month:
        return Period(*month_days(month))
    if last:
        return Period(today - timedelta(days=_days(last) - 1), today)
    first, end = (read_day(text) if text else None for text in (since, until))
    if first and end and first > end:
        raise WrongUse(f"The period ends ({end}) before it begins ({first}).", "Swap --from and --to.")
    return Period(first, end)


def _days(text: str) -> int:
    found = re.fullmatch(r"([0-9]{1,5})([dw])", text.strip())
    days = int(found[1]) * _UNITS[found[2]] if found else 0
    if not 1 <= days <= LONGEST_DAYS:
        raise WrongUse(f"'{printable(text, 40)}' is not a time such as 30d or 4w.", "Write it as in --last 30d.")
    return days
