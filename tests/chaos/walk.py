"""A random walk over everything that can happen in the store, with what must always hold checked after each step.

A seed draws bookings, claims, failures, late successes, rulings, refunds, payouts by hand, reallocations, holds, debts
and cents, in any order, on one owner with two destinations and on another. What is refused is an answer. Nothing here
speaks to M-Pesa: what it did is drawn with the step that sends, and told later, or never, or twice.

At length: `python -m tests.chaos.walk --first 1 --runs 1000 --database sqlite`.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from rentpay_cli.core.evidence import Moved, NotMoved, Source
from rentpay_cli.core.payout import HoldKind, PayableKind, RefundWay
from rentpay_cli.errors import RentpayError
from rentpay_cli.flows import payouts
from rentpay_cli.flows.learn import learn
from rentpay_cli.flows.resolve import read_ruling, resolve
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import payments
from rentpay_cli.store.read.invariants import breaches
from rentpay_cli.store.write import disbursements, holds, money_in, payables, refunds, runs
from tests.chaos.in_process import Violation, databases
from tests.stories.stage import Stage
from tests.support.world import settings_for

STEPS = 80


@dataclass
class Walk:
    """One walk: its chance, the platform, and what M-Pesa really did with each transfer."""

    seed: int
    rt: Runtime
    chance: Random = field(init=False)
    stage: Stage = field(init=False)
    truth: dict[int, bool] = field(default_factory=dict)
    """By attempt, whether it moved money."""
    allowed: set[int] = field(default_factory=set)
    """Payables that were paid more often than once because a person said so, or did it in the portal."""
    story: list[str] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.chance = Random(self.seed)
        self.stage = Stage(self.rt)
        self.owners = [self.stage.owner(f"Owner {n}") for n in range(2)]
        self.places = [self.stage.place(self.owners[n // 2], f"A{n}") for n in range(3)]

    def play(self, steps: int = STEPS) -> None:
        """So many steps, and what must hold after each."""
        deeds: dict[Callable[[], None], int] = {
            self.rent: 10,
            self.cash: 3,
            self.unnamed: 3,
            self.debt: 3,
            self.disburse: 10,
            self.run: 4,
            self.carry_on: 4,
            self.void: 1,
            self.hear: 16,
            self.hear_again: 3,
            self.rule: 4,
            self.hold: 2,
            self.release: 2,
            self.redirect: 2,
            self.refund: 3,
            self.undo: 1,
            self.reallocate: 2,
            self.by_hand: 2,
            self.comes_back: 1,
        }
        for _ in range(steps):
            self.stage.later(minutes=self.chance.choice([1, 10, 300, 1500]))
            deed = self.chance.choices(list(deeds), weights=list(deeds.values()))[0]
            self.story.append(deed.__name__)
            try:
                deed()
                self.done[deed.__name__] += 1
            except (RentpayError, refunds.OnItsWay, Nothing) as refused:
                self.story[-1] += f": {refused}"
            self.check()

    # --- deeds -------------------------------------------------------------------------------------------------------

    def rent(self) -> None:
        self.stage.rent(self.chance.choice(self.places), self.chance.randint(1, 30_000))

    def cash(self) -> None:
        money = self.stage.came(self.chance.choice([500.5, 10_000.25, 8000]), way="bank")
        self.stage.allocated(money, self.chance.choice(self.places), 500)

    def unnamed(self) -> None:
        money = self.stage.came(self.chance.randint(2, 20_000), is_proved=self.chance.random() < 0.7)
        if self.chance.random() < 0.5:
            self.stage.allocated(money, self.chance.choice(self.places), 1)

    def debt(self) -> None:
        cents = self.chance.choice([-50, -2_500_00, -30_000_00, 1_000_00])
        with self.rt.database.transaction() as session:
            payables.book_entry(
                session,
                PayableKind.CORRECTION,
                owner_id=self.chance.choice(self.owners),
                amount_cents=cents,
                at=self.stage.now,
                by="walk",
                reason="walk",
            )

    def disburse(self) -> None:
        self.stage.disburse(self._some("SELECT payment_id AS id FROM payable WHERE kind = 'share' ORDER BY id"))

    def run(self) -> None:
        approval = self.chance.random() < 0.3
        limits = {"reserve": self.chance.choice([0, 0, 5000]), "minimum": self.chance.choice([0, 2000])}
        owner = self.chance.choice(self.owners)
        self.stage.run(owner, send=not approval and self.chance.random() < 0.7, needs_approval=approval, **limits)

    def carry_on(self) -> None:
        """A run that was proposed and needs nobody is approved, or the next transfer of one that was leaves."""
        number = self._some("SELECT id FROM disbursement WHERE status = 'proposed' AND run_id IS NOT NULL ORDER BY id")
        with self.rt.database.transaction() as session:
            run = runs.get(session, disbursements.get(session, number).run_id or 0)
            if run.status == "proposed" and not run.needs_approval:
                runs.approve(session, run)
            elif run.status == "proposed":
                runs.void(session, run)
                return
        self.stage.claim(number)

    def void(self) -> None:
        number = self._some("SELECT id FROM payout_run WHERE status IN ('proposed','approved') ORDER BY id")
        with self.rt.database.transaction() as session:
            runs.void(session, runs.get(session, number))

    def hear(self) -> None:
        """M-Pesa tells the truth about a transfer on its way; now and then it first says that it failed."""
        number = self._some(
            "SELECT id FROM attempt WHERE direction <> 'collection' AND state IN ('sending','waiting') ORDER BY id"
        )
        moved = self.truth.setdefault(number, self.chance.random() < 0.7)
        if moved and self.chance.random() < 0.15:
            moved = False
        self._tell(number, moved)

    def hear_again(self) -> None:
        """M-Pesa tells the truth about any transfer, also one that has ended."""
        number = self._some("SELECT id FROM attempt WHERE direction <> 'collection' ORDER BY id")
        if number in self.truth:
            self._tell(number, self.truth[number])

    def _tell(self, number: int, moved: bool) -> None:
        evidence = Moved(f"SKW{number:07}", None) if moved else NotMoved("1", "no money")
        with self.rt.database.transaction() as session:
            learn(session, number, evidence, source=Source.CALLBACK, actor="walk", at=self.stage.now)

    def rule(self) -> None:
        """A person rules on what is contrary, mostly as it was, now and then wrongly; then money may move twice."""
        number = self._some("SELECT attempt_id AS id FROM finding WHERE closed_at IS NULL ORDER BY id")
        rows = self.stage.rows(
            """
            SELECT y.payment_id, y.id FROM attempt a JOIN disbursement_member m ON m.disbursement_id = a.disbursement_id
              JOIN payable y ON y.id = m.payable_id WHERE a.id = :id AND y.kind = 'share' ORDER BY y.id
            """,
            id=number,
        )
        if not rows:
            raise Nothing
        moved = self.truth.get(number, False)
        said = moved if self.chance.random() < 0.8 else not moved
        if moved and not said:
            self.allowed |= {row["id"] for row in self._members_of(number)}
        receipt = f"SKW{number:07}" if said else None
        mine = self.stage.rows(
            """
            SELECT a.id FROM disbursement_member m JOIN attempt a ON a.disbursement_id = m.disbursement_id
             WHERE m.payable_id = :payable ORDER BY a.id
            """,
            payable=rows[0]["id"],
        )
        which = [row["id"] for row in mine].index(number) + 1
        resolve(self.rt, read_ruling(rows[0]["payment_id"], receipt, receipt is None, "the statement", which))

    def hold(self) -> None:
        number = self._some("SELECT id FROM payable WHERE status IN ('pending','failed') ORDER BY id")
        with self.rt.database.transaction() as session:
            payables.lock(session, [number])
            holds.place(session, HoldKind.PERSON, "a look", "walk", self.stage.now, payable_id=number)

    def release(self) -> None:
        number = self._some(
            "SELECT y.payment_id AS id FROM hold h JOIN payable y ON y.id = h.payable_id"
            " WHERE h.ended_at IS NULL AND y.kind = 'share' ORDER BY h.id"
        )
        payouts.release(self.rt, number, "looked at")

    def redirect(self) -> None:
        number = self._some(
            "SELECT id FROM payable WHERE kind = 'share' AND status IN ('pending','failed') ORDER BY id"
        )
        with self.rt.database.transaction() as session:
            disbursements.cancel_proposed(session, [number])
            payable = payables.get(session, number)
            payables.redirect(session, payable, ("600002", self.chance.choice(["B1", "B2"])))

    def refund(self) -> None:
        number = self._some(
            "SELECT id FROM money_in WHERE way IN ('stk','paybill') AND returned_at IS NULL ORDER BY id"
        )
        if self.stage.rows("SELECT id FROM refund WHERE money_in_id = :id AND status <> 'failed'", id=number):
            raise Nothing
        way = self.chance.choice(list(RefundWay))
        with self.rt.database.transaction() as session:
            money = money_in.get(session, number)
            made = refunds.propose(session, money, way=way, reason="walk", by="walk", at=self.stage.now)
            found = refunds.get(session, made)
            if way is RefundWay.REVERSAL:
                for share in payables.shares_of_money(session, number):
                    disbursements.cancel_proposed(session, [share])
                refunds.send(session, found, f"refund {made}", self.stage.now)
            else:
                receipt = f"SKV{made:07}"
                refunds.complete(session, found, self.stage.now, "walk", receipt=receipt, moved_at=self.stage.now)

    def undo(self) -> None:
        number = self._some("SELECT id FROM money_in WHERE way = 'bank' AND returned_at IS NULL ORDER BY id")
        with self.rt.database.transaction() as session:
            refunds.undo(session, money_in.get(session, number), self.stage.now, "walk")

    def reallocate(self) -> None:
        number = self._some(
            "SELECT p.id FROM payment p JOIN money_in i ON i.id = p.money_in_id"
            " WHERE p.status = 'success' AND i.way <> 'stk' ORDER BY p.id"
        )
        with self.rt.database.transaction() as session:
            payment = payments.get(session, number)
            refunds.reallocate(session, payment, self.stage.now, "walk")
            self.stage._allocate(
                session, payment.money_in_id or 0, self.chance.choice(self.places), payment.amount_cents
            )

    def by_hand(self) -> None:
        """A person has paid a share in the portal, perhaps one that was sent."""
        number = self._some(
            "SELECT id FROM payable WHERE kind = 'share' AND status <> 'not_required' AND amount_cents > 0 ORDER BY id"
        )
        self.allowed.add(number)
        with self.rt.database.transaction() as session:
            receipt = f"SKH{len(self.story):07}"
            at = self.stage.now
            disbursements.pay_by_hand(session, [number], at, "walk", receipt=receipt, moved_at=at)

    def comes_back(self) -> None:
        """The receiver sends a transfer back."""
        number = self._some("SELECT id FROM disbursement WHERE status = 'completed' AND way = 'b2b' ORDER BY id")
        with self.rt.database.transaction() as session:
            found = disbursements.get(session, number)
            payables.book_entry(
                session,
                PayableKind.RETURNED,
                owner_id=found.owner_id,
                amount_cents=found.amount_cents,
                at=self.stage.now,
                by="walk",
                disbursement_id=number,
                receipt=f"SKB{len(self.story):07}",
            )

    # --- what must hold ----------------------------------------------------------------------------------------------

    def check(self) -> None:
        """The invariants, and M-Pesa's books: each payable was paid once, unless a person said otherwise."""
        broken = list(breaches(self.rt.reader))
        if broken:
            raise Violation(f"seed {self.seed}: {broken}")
        paid: Counter[int] = Counter()
        for number, moved in self.truth.items():
            if moved:
                paid.update(row["id"] for row in self._members_of(number))
        twice = [payable for payable, times in paid.items() if times > 1 and payable not in self.allowed]
        twice = [payable for payable in twice if not self._was_unknown(payable)]
        if twice:
            raise Violation(f"seed {self.seed}: payable {twice[0]} was paid {paid[twice[0]]} times")

    def _was_unknown(self, payable: int) -> bool:
        """Whether M-Pesa had said that an earlier transfer failed, and nothing said otherwise before the next left."""
        return bool(
            self.stage.rows(
                """
                SELECT a.id FROM disbursement_member m JOIN attempt a ON a.disbursement_id = m.disbursement_id
                 WHERE m.payable_id = :payable AND a.code = '1'
                """,
                payable=payable,
            )
        )

    def _members_of(self, attempt: int) -> list[dict[str, int]]:
        return self.stage.rows(
            """
            SELECT m.payable_id AS id FROM attempt a JOIN disbursement_member m ON m.disbursement_id = a.disbursement_id
             WHERE a.id = :id ORDER BY m.payable_id
            """,
            id=attempt,
        )

    def _some(self, sql: str) -> int:
        rows = [row["id"] for row in self.stage.rows(sql) if row["id"] is not None]
        if not rows:
            raise Nothing
        return int(self.chance.choice(rows))


class Nothing(Exception):
    """There is nothing that this could be done with."""


def walk(seed: int, url: str, steps: int = STEPS) -> Walk:
    """One walk on a new database; raises `Violation`."""
    rt = Runtime(settings_for(url), actor="walk")
    found = Walk(seed, rt)
    try:
        found.play(steps)
    except Exception as error:
        error.add_note("\n".join(found.story[-30:]))
        raise
    finally:
        rt.close()
    return found


def main() -> int:
    """Walk with many seeds; 1 if one found what must never be."""
    arguments = argparse.ArgumentParser(prog="python -m tests.chaos.walk", description=(__doc__ or "").split("\n")[0])
    arguments.add_argument("--first", "--seed", type=int, default=1, help="the first seed")
    arguments.add_argument("--runs", type=int, default=1, help="how many seeds")
    arguments.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    chosen = arguments.parse_args()
    done: Counter[str] = Counter()
    broken = 0
    with databases(chosen.database) as new:
        for seed in range(chosen.first, chosen.first + chosen.runs):
            with new() as url:
                try:
                    done += walk(seed, url).done
                except Exception as error:  # whatever trips a seed up is to be told
                    broken += 1
                    said = [f"seed {seed}: {type(error).__name__}: {error}", *getattr(error, "__notes__", [])]
                    sys.stdout.write("\n".join(said)[:4000] + "\n")
    sys.stdout.write(f"{chosen.runs - broken} good, {broken} broken; {dict(done.most_common())}\n")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
