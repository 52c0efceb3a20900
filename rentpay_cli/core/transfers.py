"""Form transfers from what an owner is owed and owes: how much goes where, and what is carried on.

Payables with a destination go to it; entries without one join the destination with the largest sum. The destinations
are taken largest first. Of what a destination's payables add up to, cents that B2B cannot carry and what is to be kept
back are carried on to the next transfer; where a debt is larger than the shares beside it, they settle each other
without a transfer and the rest of the debt meets the next destination.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from rentpay_cli.core.money import CENTS
from rentpay_cli.core.payout import Refusal, Way

MOST_CENTS = 250_000 * CENTS
"""M-Pesa's most for one B2B payment (Daraja, limits)."""

Destination: TypeAlias = tuple[str, str]
"""Paybill and account number."""


@dataclass(frozen=True, slots=True)
class Due:
    """A payable that may be sent: its number, its cents, and where it goes; None goes with any."""

    payable_id: int
    amount_cents: int
    destination: Destination | None


@dataclass(frozen=True, slots=True)
class Transfer:
    """One transfer to be made: `amount_cents` is the sum of its members less what is carried on.

    `brought_cents` is what the settlement before it carries on, which becomes a member of this one.
    """

    way: Way
    destination: Destination | None
    members: tuple[int, ...]
    brought_cents: int
    amount_cents: int
    carried_cents: int


@dataclass(frozen=True, slots=True)
class Formed:
    """What would be made of an owner's payables, and why nothing is sent where it is not."""

    transfers: tuple[Transfer, ...]
    too_large: tuple[int, ...] = ()
    """Payables that are more than M-Pesa moves at once."""

    @property
    def amount_cents(self) -> int:
        return sum(each.amount_cents for each in self.transfers)

    @property
    def why_none(self) -> Refusal:
        """Why nothing is made."""
        return Refusal.TOO_MUCH if self.too_large else Refusal.TOO_LITTLE


def form(
    dues: Iterable[Due],
    *,
    fallback: Destination | None = None,
    reserve_cents: int = 0,
    on_way_cents: int = 0,
    minimum_cents: int = 0,
    most_cents: int = MOST_CENTS,
) -> Formed:
    """The transfers of one owner at one instant.

    `fallback` is where entries go that no share goes with. `reserve_cents` is kept back, of which `on_way_cents` is
    kept by transfers that are proposed or on their way; under `minimum_cents` in all nothing is sent.
    """
    groups, too_large = _grouped(dues, fallback, most_cents)
    keep_cents = max(0, reserve_cents - on_way_cents)
    transfers: list[Transfer] = []
    brought_cents = 0
    for destination, members in groups:
        total_cents = sum(each.amount_cents for each in members) + brought_cents
        if total_cents <= 0:
            if any(each.amount_cents > 0 for each in members):
                transfers.append(_settled(destination, members, brought_cents, total_cents))
                brought_cents = total_cents
            continue
        made, keep_cents = _split(destination, members, brought_cents, keep_cents, most_cents)
        transfers += made
        brought_cents = 0 if made else brought_cents
    sent_cents = sum(each.amount_cents for each in transfers)
    if 0 < sent_cents < minimum_cents:
        transfers = [each for each in transfers if each.way is Way.NONE]
    return Formed(tuple(transfers), tuple(too_large))


def _grouped(
    dues: Iterable[Due], fallback: Destination | None, most_cents: int
) -> tuple[list[tuple[Destination | None, list[Due]]], list[int]]:
    """The payables of each destination, the destination with the largest sum first, debts with that one."""
    by_destination: dict[Destination, list[Due]] = {}
    anywhere: list[Due] = []
    too_large: list[int] = []
    for due in sorted(dues, key=lambda each: each.payable_id):
        if due.amount_cents > most_cents:
            too_large.append(due.payable_id)
        elif due.destination is None:
            anywhere.append(due)
        else:
            by_destination.setdefault(due.destination, []).append(due)
    ordered = sorted(by_destination.items(), key=lambda item: (-sum(each.amount_cents for each in item[1]), item[0]))
    if not anywhere:
        return list(ordered), too_large
    if not ordered:
        return [(fallback, anywhere)], too_large
    (first, members), *rest = ordered
    return [(first, [*anywhere, *members]), *rest], too_large


def _settled(destination: Destination | None, members: Sequence[Due], brought_cents: int, total_cents: int) -> Transfer:
    numbers = tuple(each.payable_id for each in members)
    return Transfer(Way.NONE, destination, numbers, brought_cents, 0, total_cents)


def _split(
    destination: Destination | None, members: Sequence[Due], brought_cents: int, keep_cents: int, most_cents: int
) -> tuple[list[Transfer], int]:
    """One transfer, or several where it is more than M-Pesa moves at once; and what is still to be kept back.

    Debts come first, then the oldest payables. What is kept back is kept of the last ones.
    """
    parts: list[list[Due]] = [[]]
    sums = [brought_cents]
    for due in sorted(members, key=lambda each: (each.amount_cents > 0, each.payable_id)):
        if sums[-1] > 0 and due.amount_cents > 0 and sums[-1] + due.amount_cents > most_cents + keep_cents:
            parts.append([])
            sums.append(0)
        parts[-1].append(due)
        sums[-1] += due.amount_cents
    found: list[Transfer] = []
    for number in reversed(range(len(parts))):
        sent_cents = min(most_cents, max(0, sums[number] - keep_cents)) // CENTS * CENTS
        if sent_cents < CENTS:
            keep_cents = max(0, keep_cents - sums[number])
            continue
        carried_cents = sums[number] - sent_cents
        keep_cents = max(0, keep_cents - carried_cents)
        numbers = tuple(each.payable_id for each in parts[number])
        brought = brought_cents if number == 0 else 0
        found.insert(0, Transfer(Way.B2B, destination, numbers, brought, sent_cents, carried_cents))
    return found, keep_cents
