"""Why a share may not be sent: what would be sent of it now, and what keeps it from that, for whoever sends or looks.

Whoever sends asks with the rows locked (`flows/send`), whoever looks asks the reader; both decide by this.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rentpay_cli.core.codes import Advice
from rentpay_cli.core.payout import Facts, Refusal, because, why_not
from rentpay_cli.core.statuses import PayableStatus, PaymentStatus
from rentpay_cli.core.transfers import Due, Transfer, form
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import guard, health_reads
from rentpay_cli.store.guard import Candidate
from rentpay_cli.store.readonly import Row


@dataclass(frozen=True, slots=True)
class Intended:
    """A transfer as it would be made now: of a share, with what its owner owes."""

    share: Candidate
    members: tuple[Candidate, ...]
    transfer: Transfer

    @property
    def owed_cents(self) -> int:
        """What the owner owes, and the share settles as far as it goes."""
        return -sum(each.amount_cents for each in self.members if not each.is_share)


def plan(among: Sequence[Candidate], payable_id: int, *, mended: Iterable[Advice]) -> Intended | Refusal:
    """The one transfer of a share and of what its owner owes, which are `among`; or why none may be made."""
    share = next(each for each in among if each.payable_id == payable_id)
    reason = why_not(share.facts, mended=mended)
    if reason is not None:
        return reason
    members = tuple(each for each in among if each is share or why_not(each.facts, mended=Advice) is None)
    formed = form(Due(each.payable_id, each.amount_cents, each.destination) for each in members)
    return Intended(share, members, formed.transfers[0]) if formed.transfers else formed.why_none


def of_no_share(payment_status: str) -> Refusal:
    """Why nothing is sent for a payment of which its owner has no share yet."""
    reason = why_not(Facts(status=PayableStatus.PENDING, payment_status=PaymentStatus(payment_status)))
    assert reason is not None  # a payment that succeeded has a share
    return reason


@dataclass(frozen=True, slots=True)
class WhyNot:
    """Why a share is not sent now, and the same in words."""

    reason: Refusal
    words: str


def why_not_sent(rt: Runtime, row: Row) -> WhyNot | None:
    """What keeps the share of the payment in this row from being sent; None if nothing does, or it is settled.

    It is what `disburse` would say, but that nobody vouches for what must be mended first. A tenant, whom the owner's
    share does not concern, is told nothing.
    """
    if rt.scope.tenant_id is not None:
        return None
    if row["payable_id"] is None:
        reason = of_no_share(row["status"])
        return WhyNot(reason, because(reason))
    if row["disbursement_status"] in (PayableStatus.COMPLETED, PayableStatus.NOT_REQUIRED):
        return None
    now, own = rt.now(), rt.settings.short_code
    among = guard.share_with_debts(rt.reader, row["payable_id"], row["owner_id"], now, own=own)
    found = plan(among, row["payable_id"], mended=())
    return None if isinstance(found, Intended) else WhyNot(found, _in_words(rt, found, row))


def _in_words(rt: Runtime, reason: Refusal, row: Row) -> str:
    if reason is Refusal.HELD:
        return because(reason, guard.hold_reason(rt.reader, row["payable_id"], rt.now()))
    if reason is not Refusal.STOPPED:
        return because(reason)
    stop = health_reads.stop_against(rt.reader, row["owner_id"])
    assert stop is not None  # the guard has just found it
    return because(reason, stop["reason"], owner_name=row["owner_name"] if stop["owner_id"] is not None else None)
