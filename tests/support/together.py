"""Transfers of many members, as payout runs will make them; no command makes one yet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import text

from rentpay_cli.core.codes import Advice
from rentpay_cli.core.evidence import Acknowledged, Evidence
from rentpay_cli.core.payout import PayableKind, why_not
from rentpay_cli.core.transfers import Due, form
from rentpay_cli.flows.learn import Source, learn
from rentpay_cli.flows.send import Claimed, learn_reply, write_intention
from rentpay_cli.runtime import Runtime
from rentpay_cli.store.write import disbursements, payables


def send_together(rt: Runtime, payments: Iterable[int]) -> list[Claimed]:
    """Send the shares of the payments, with what their owner owes: one transfer for each destination, accepted."""
    at = rt.now()
    with rt.database.transaction() as session:
        shares = [payables.share_of(session, number) for number in payments]
        owner = next(share.owner_id for share in shares if share is not None)
        numbers = [share.id or 0 for share in (*shares, *payables.lock_debts(session, owner)) if share is not None]
        among = {each.payable_id: each for each in payables.candidates(session, numbers, at)}
        assert [why_not(each.facts, mended=Advice) for each in among.values()] == [None] * len(among)
        formed = form(Due(each.payable_id, each.amount_cents, each.destination) for each in among.values())
        claimed = [
            write_intention(rt, session, transfer, [among[number] for number in transfer.members], at)
            for transfer in formed.transfers
        ]
    for each in claimed:
        ids = Acknowledged(f"AG_T{each.disbursement_id}", f"o-T{each.disbursement_id}")
        learn_reply(rt, each, ids)
    return claimed


def learn_of(rt: Runtime, claimed: Claimed, evidence: Evidence, source: Source = Source.CALLBACK) -> None:
    """Something became known about a transfer."""
    with rt.database.transaction() as session:
        learn(session, claimed.attempt_id, evidence, source=source, actor="test", at=rt.now())


def move(rt: Runtime, payment: int, paybill: str, account_number: str) -> None:
    """Let the share of a payment go elsewhere, as a move that is confirmed does."""
    with rt.database.transaction() as session:
        session.execute(
            text("UPDATE payable SET paybill = :paybill, account_number = :account WHERE payment_id = :payment"),
            {"paybill": paybill, "account": account_number, "payment": payment},
        )


def owe(rt: Runtime, owner_id: int, cents: int) -> int:
    """Let the owner owe something; the number of the entry."""
    with rt.database.transaction() as session:
        return payables.book_entry(
            session, PayableKind.REPAIR, owner_id=owner_id, amount_cents=-cents, at=rt.now(), by="tester"
        )


def members(rt: Runtime, claimed: Claimed) -> Sequence[int]:
    """The payables that the transfer settles now."""
    with rt.database.transaction() as session:
        return disbursements.members_of(session, claimed.disbursement_id)
