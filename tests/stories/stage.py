"""A platform on which the stories of the model are played: rents come in, transfers leave, M-Pesa says what it is told.

What has commands or flows is played through them; what gets its commands later is played in the store.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlmodel import Session

from rentpay_cli.core.collect import ReceivedBy, WayIn
from rentpay_cli.core.evidence import Evidence, Moved, NotMoved, Source
from rentpay_cli.core.payout import Refusal
from rentpay_cli.flows import register
from rentpay_cli.flows.disburse import disburse
from rentpay_cli.flows.learn import Learned, learn
from rentpay_cli.flows.send import Outcome
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import attempts, payments, readonly, reads
from rentpay_cli.store.engine import lock_payouts
from rentpay_cli.store.tables import Disbursement, Owner, Property
from rentpay_cli.store.write import disbursements, money_in, payables, runs
from rentpay_cli.store.write.runs import Proposed
from tests.cli.conftest import Books
from tests.support.scripted import ScriptedMpesa, script

NOON = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
FAILED = NotMoved("1", "The balance is insufficient for the transaction.")
"""A failure after which the same may be sent again."""


class Stage(Books):
    """Rents and transfers, in shillings."""

    def __init__(self, rt: Runtime) -> None:
        super().__init__(rt)
        self.now = NOON
        rt.now = lambda: self.now
        self.mpesa: ScriptedMpesa = script(rt, self._accept)
        self._tokens = 0

    def later(self, **ago: float) -> None:
        self.now += timedelta(**ago)

    # --- who and where -----------------------------------------------------------------------------------------------

    def owner(self, name: str = "Wanjiru Kamau") -> int:
        return register.add_owner(self.rt, name=name)

    def place(self, owner: int, account: str = "A1", *, rent: int = 10_000, paybill: str = "600001") -> int:
        return register.add_property(
            self.rt,
            name=f"House {account}",
            owner_reference=str(owner),
            paybill=paybill,
            account_number=account,
            rent=str(rent),
        )

    # --- money in ----------------------------------------------------------------------------------------------------

    def rent(self, place: int, shillings: int | None = None) -> int:
        """Rent that the tenant paid by a prompt; the payment."""
        cents = None if shillings is None else shillings * 100
        return self.paid(str(place), amount_cents=cents)

    def came(self, shillings: float, *, way: str = "paybill", receipt: str | None = None, **known: Any) -> int:
        """Money that came by itself; its number."""
        proved = {} if way in ("stk", "paybill") and not known.pop("is_proved", True) else _proof(self.now)
        with self.rt.database.transaction() as session:
            self._tokens += 1
            if way in ("stk", "paybill"):
                known["receipt"] = receipt or f"SKC{self._tokens:07}"
            cents = round(shillings * 100)
            if "received_by" in known:
                known["received_by"] = ReceivedBy(known["received_by"])
            return money_in.book(
                session,
                way=WayIn(way),
                amount_cents=cents,
                paid_at=self.now,
                at=self.now,
                learned_by=Source.RULING,
                **proved,
                **known,
            )

    def allocated(self, money: int, place: int, shillings: float) -> int:
        """A payment for a place, made of money that came by itself."""
        with self.rt.database.transaction() as session:
            return self._allocate(session, money, place, round(shillings * 100))

    def share_of(self, owner: int, account: str, shillings: int) -> int:
        """A share of so many shillings that goes to this account, of rent without a fee; the payment."""
        known = self.rows("SELECT id FROM property WHERE account_number = :account", account=account)
        place = known[0]["id"] if known else self.place(owner, account)
        with self.rt.database.transaction() as session:
            self._tokens += 1
            cents = shillings * 100
            money = money_in.book(
                session,
                way=WayIn.PAYBILL,
                amount_cents=cents,
                paid_at=self.now,
                at=self.now,
                learned_by=Source.RULING,
                receipt=f"SKC{self._tokens:07}",
                **_proof(self.now),
            )
            return self._allocate(session, money, place, cents, fee_cents=0)

    def _allocate(self, session: Session, money: int, place: int, cents: int, fee_cents: int | None = None) -> int:
        where = session.get_one(Property, place)
        way = money_in.get(session, money).way
        fee = round(cents * 0.05 / 100) * 100 if fee_cents is None else fee_cents
        number = payments.make(
            session,
            owner_id=where.owner_id,
            property_id=place,
            method="mpesa" if way == "stk" else way,
            amount_cents=cents,
            fee_cents=fee,
            vat_cents=0,
            share_cents=cents - fee,
            other_cents=0,
            owner_paybill=where.paybill,
            owner_account_number=where.account_number,
            money_in_id=money,
            created_at=self.now,
        )
        payables.book_share(session, payments.get(session, number), self.now, by="test", is_due=True)
        return number

    # --- money out ---------------------------------------------------------------------------------------------------

    def disburse(self, payment: int) -> Outcome:
        return disburse(self.rt, payment)

    def run(self, owner: int, *, send: bool = True, needs_approval: bool = False, **shillings: int) -> Proposed:
        """A payout run of an owner: proposed, approved and claimed; `reserve` and `minimum` in shillings."""
        limits = {f"{name}_cents": each * 100 for name, each in shillings.items()}
        with self.rt.database.transaction() as session:
            proposed = self.propose(session, owner, needs_approval=needs_approval, **limits)
            if send and proposed.run_id is not None:
                runs.approve(session, runs.get(session, proposed.run_id))
        if send:
            for number in proposed.transfers:
                self.claim(number)
        return proposed

    def propose(self, session: Session, owner: int, *, needs_approval: bool = False, **limits: int) -> Proposed:
        self._lock(session, owner)
        planned = runs.plan(session, owner, self.now, **limits)
        return runs.propose(
            session,
            owner,
            planned,
            origin="calendar",
            due_at=self.now,
            needs_approval=needs_approval,
            at=self.now,
            by="test",
        )

    def _lock(self, session: Session, owner: int) -> None:
        lock_payouts(session, alone=False)
        session.get_one(Owner, owner, with_for_update={"key_share": True})

    def claim(self, disbursement: int) -> int | Mapping[int, Refusal]:
        """Let a proposed transfer leave: its attempt, or why not."""
        with self.rt.database.transaction() as session:
            self._tokens += 1
            self._lock(session, disbursements.get(session, disbursement).owner_id)
            claimed = runs.claim(session, disbursement, self.now)
            if not isinstance(claimed, Disbursement):
                return claimed
            return attempts.open_payout(session, disbursement, claimed.amount_cents, f"run {self._tokens}", self.now)

    def hears(self, disbursement: int, evidence: Evidence, source: Source = Source.CALLBACK) -> Learned:
        """M-Pesa tells what became of a transfer."""
        (row,) = self.rows("SELECT id FROM attempt WHERE disbursement_id = :number", number=disbursement)
        with self.rt.database.transaction() as session:
            return learn(session, row["id"], evidence, source=source, actor="test", at=self.now)

    def moved(self, disbursement: int) -> None:
        """M-Pesa tells that a transfer was made."""
        self.hears(disbursement, Moved(f"SKT{disbursement:07}", None))

    def failed(self, disbursement: int) -> None:
        """M-Pesa tells that a transfer failed, and may be made again."""
        self.hears(disbursement, FAILED)

    # --- what there is to see ----------------------------------------------------------------------------------------

    def rows(self, sql: str, **values: Any) -> list[readonly.Row]:
        return list(self.rt.reader.rows(sql, **values))

    def payment(self, number: int) -> readonly.Row:
        row = reads.payment(self.rt.reader, number)
        assert row is not None
        return row

    def owed(self, owner: int) -> float:
        with self.rt.database.transaction() as session:
            return payables.owed_cents(session, owner) / 100

    def transfers(self, status: str | None = None) -> list[float]:
        """The amounts of transfers, the oldest first."""
        rows = self.rows("SELECT status, amount_cents FROM disbursement WHERE way <> 'none' ORDER BY id")
        return [row["amount_cents"] / 100 for row in rows if status in (None, row["status"])]

    def newest(self) -> int:
        """The number of the newest transfer."""
        return int(self.rows("SELECT max(id) AS id FROM disbursement")[0]["id"])

    def entries(self) -> list[tuple[str, float, str]]:
        rows = self.rows("SELECT kind, amount_cents, status FROM payable WHERE kind <> 'share' ORDER BY id")
        return [(row["kind"], row["amount_cents"] / 100, row["status"]) for row in rows]

    def fees(self) -> float:
        """What the platform has earned."""
        (row,) = self.rows("SELECT coalesce(sum(fee_cents), 0) AS fees FROM revenue_day")
        return int(row["fees"]) / 100

    def share(self, payment: int) -> int:
        (row,) = self.rows("SELECT id FROM payable WHERE payment_id = :number AND kind = 'share'", number=payment)
        return int(row["id"])


def _proof(at: datetime) -> dict[str, Any]:
    return {"proved_by": "test", "proved_at": at}


def requested(session: Session, kind: str, about: dict[str, int], asked_by: int, decided_by: int) -> None:
    """A request that one person made and another confirmed."""
    columns = {"kind": kind, "asked": asked_by, "decided": decided_by, **about}
    column = next(iter(about))
    session.execute(
        text(
            f"INSERT INTO request (kind, {column}, shown, digest, needs_two, asked_by_id, asked_by, asked_at, state)"
            f" VALUES (:kind, :{column}, 'what was shown', 'digest', 1, :asked, 'one', 1, 'waiting')"
        ),
        columns,
    )
    session.execute(
        text(
            "UPDATE request SET state = 'confirmed', decided_by_id = :decided, decided_by = 'another', decided_at = 2"
            " WHERE id = (SELECT max(id) FROM request)"
        ),
        columns,
    )


def two_admins(session: Session) -> None:
    """Two persons who may decide: accesses 1 and 2."""
    for name in ("one", "another"):
        session.execute(
            text(
                "INSERT INTO access (name, role, salt, token_hash, created_by, created_at)"
                " VALUES (:name, 'admin', :bytes, :bytes, 'test', 1)"
            ),
            {"name": name, "bytes": b"x"},
        )
