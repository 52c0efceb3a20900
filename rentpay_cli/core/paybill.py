"""Whether money goes to whom a person confirmed: names of organisations, and who may confirm a new destination."""

from __future__ import annotations

import re
from enum import StrEnum


class ChangeState(StrEnum):
    """What became of a new destination of a property's rent."""

    HELD = "held"
    CONFIRMED = "confirmed"
    CANCELLED = "cancelled"


def plain_name(name: str, paybill: str) -> str:
    """An organisation's name as M-Pesa writes it in results, without the number of its paybill before it."""
    return " ".join(re.sub(rf"^\s*{re.escape(paybill)}\s*[-\u2013]", "", name).split())


def same_organisation(reported: str, confirmed: str, paybill: str) -> bool:
    """Whether two names of the organisation behind the paybill are one, but for case, blanks and its own number.

    The number of another paybill stays, and makes a difference. Where there is no name there is nothing to compare.
    """
    one, other = (plain_name(name, paybill).casefold() for name in (reported, confirmed))
    return not one or not other or one == other
