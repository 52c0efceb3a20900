"""Chaos in one process: the real flows on a real database, with a scripted M-Pesa, a scripted clock and one seed.

A seed draws payments, outcomes, faults, duplicates, losses, reorderings, deaths at commit points, a second operator who
acts while the first is on the wire, chases and rulings. Then the faults stop, everything is chased, and these hold:

* no payment was disbursed twice;
* no payout left without a confirmed receipt, and never more went out than came in less the fees;
* every ended attempt agrees with what M-Pesa really did;
* nothing is both unclear and sent again;
* no run begins by itself while M-Pesa wants fewer requests;
* the books balance and equal M-Pesa's, to the cent and by transfer;
* the rows agree with each other, as `store/read/invariants.py` has it;
* the journal is one unbroken chain, and every row is what it says;
* nothing is left in doubt that evidence could settle.

The same seed draws the same run, to the last row: each is played twice, and what is left in the database is compared.
One seed: `python -m tests.chaos.in_process --seed 4711`. At length, or in slices:
`python -m tests.chaos.in_process --first 1 --runs 10000 --database sqlite --jobs 2`.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any, TypeAlias, cast

import pytest
from sqlalchemy import inspect

from rentpay_cli.core.brake import PAUSE
from rentpay_cli.core.codes import Advice
from rentpay_cli.core.ledger import Fact
from rentpay_cli.core.payout import HoldKind
from rentpay_cli.daraja.client import Mpesa
from rentpay_cli.errors import NeedsAttention, RentpayError, RuleRefused
from rentpay_cli.flows import collect, payouts, resolve
from rentpay_cli.flows import register as registering
from rentpay_cli.flows.brake import may_begin_by_itself, send_all
from rentpay_cli.flows.chase import chase
from rentpay_cli.flows.disburse import Plan, disburse, due, plan_retry
from rentpay_cli.flows.read_inbox import read_inbox
from rentpay_cli.flows.verify import verify
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import inbox, readonly, reads, schema
from rentpay_cli.store.attempts import token_sha256
from rentpay_cli.store.read import ledger
from rentpay_cli.store.read.invariants import breaches
from tests.chaos.mpesa import ChaoticMpesa, Deed, Delivery, Faults, Killed
from tests.support.databases import copies, own_server
from tests.support.warm import compile_sql_once
from tests.support.world import settings_for

BEGIN = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
PROPERTIES = 3
LONGEST_SLICE = 250
"""How many seeds a process plays before it tells of them."""


_ATTEMPTS = """
SELECT a.*, coalesce(d.receipt, i.receipt) AS receipt FROM attempt a
  LEFT JOIN disbursement d ON d.id = a.disbursement_id
  LEFT JOIN payment p ON p.id = a.payment_id LEFT JOIN money_in i ON i.id = p.money_in_id
 ORDER BY a.id
"""


class Violation(AssertionError):
    """Something that must never be was found."""


@dataclass
class Chaos:
    """One run: its chance, its clock, its M-Pesa, and the database it plays on."""

    seed: int
    rt: Runtime
    chance: Random
    mpesa: ChaoticMpesa = field(init=False)
    now: datetime = BEGIN
    depth: int = 0
    dying: float = 0.0
    is_calm: bool = False
    story: list[str] = field(default_factory=list)
    left: dict[str, str] = field(default_factory=dict)
    """What it left in each table, as a hash."""

    def __post_init__(self) -> None:
        self.rt.now = lambda: self.now
        self.rt.pause = self._pause
        self.rt.new_token = lambda: f"{self.chance.getrandbits(128):032x}"
        self.mpesa = ChaoticMpesa(
            self.chance, lambda: self.now, Faults.drawn(self.chance), self._meanwhile, self._deliver, self._may_leave
        )
        self.rt.__dict__["mpesa"] = cast(Mpesa, self.mpesa)
        _die_at_commits(self)

    # --- deeds -------------------------------------------------------------------------------------------------------

    def play(self) -> None:
        """Everything at once, then the calm, then what must hold."""
        self._register()
        self.dying = self.chance.choice([0.0, 0.02, 0.1])
        for _ in range(self.chance.randint(25, 60)):
            self.step()
        self._calm()
        self._check()

    def step(self) -> None:
        """One thing that somebody does, or that happens."""
        self.now += timedelta(seconds=self.chance.choice([1, 10, 40, 90, 400]))
        deeds: dict[Callable[[], None], int] = {
            self._ask: 5,
            self._disburse: 7,
            self._retry: 2,
            self._read: 7,
            self._chase: 5,
            self._callbacks: 7,
            self._rule: 1,
            self._stop: 1,
            self._release: 1,
        }
        deed = self.chance.choices(list(deeds), weights=list(deeds.values()))[0]
        self._do(deed)

    def _do(self, deed: Callable[[], Any]) -> None:
        """Do it; a refusal is an answer, and a death leaves what was committed."""
        self.story.append(f"{'  ' * self.depth}{self.now:%H:%M:%S} {deed.__name__}")
        try:
            deed()
        except RentpayError as error:
            self.story.append(f"{'  ' * self.depth}  {error.code}: {error.message}")
        except Killed as error:
            self.story.append(f"{'  ' * self.depth}  died {error}")

    def _pause(self, seconds: float) -> None:
        """While a run waits for a result, time passes and the listener goes on; once all is calm, it comes in time."""
        self.now += timedelta(seconds=seconds)
        if self.is_calm:
            for delivery in self.mpesa.deliveries:
                delivery.due_at = min(delivery.due_at, self.now)
        if self.is_calm or self.chance.random() < 0.1:
            self._callbacks()
            read_inbox(self.rt)

    def _meanwhile(self) -> None:
        """While one request is on the wire, somebody else acts."""
        if not self.is_calm and self.depth < 2 and self.chance.random() < 0.25:
            self.depth += 1
            self.step()
            self.depth -= 1

    def _may_leave(self, token: str) -> None:
        """A payout is about to reach M-Pesa: the rent that it passes on must have come in, with a receipt."""
        rows = list(
            self.rt.reader.rows(
                """
                SELECT p.id, i.receipt FROM attempt a
                  JOIN disbursement_member m ON m.disbursement_id = a.disbursement_id
                  JOIN payable y ON y.id = m.payable_id AND y.kind = 'share'
                  JOIN payment p ON p.id = y.payment_id JOIN money_in i ON i.id = p.money_in_id
                 WHERE a.token_sha256 = :digest
                """,
                digest=token_sha256(token),
            )
        )
        self._must(bool(rows), "a payout left that is not in the database")
        came = [deed.receipt for deed in self.mpesa.deeds if deed.kind == "stk" and deed.moved]
        for row in rows:
            self._must(row["receipt"] in came, f"payment {row['id']} was paid out before its receipt was known")

    def _register(self) -> None:
        registering.add_owner(self.rt, name="Owner")
        for n in range(PROPERTIES):
            registering.add_property(
                self.rt,
                name=f"Property {n}",
                owner_reference="Owner",
                paybill="600001",
                account_number=f"P{n}",
                rent=str(self.chance.randint(1, 20_000)),
                fee_percentage=self.chance.choice([None, "0", "7.5", "99"]),
            )

    def _ask(self) -> None:
        number = self.chance.randint(1, PROPERTIES)
        phone = f"07220001{self.chance.randint(0, 9):02d}"
        force = self.chance.random() < 0.3
        collect.initiate(self.rt, property_reference=str(number), phone=phone, force=force)

    def _disburse(self) -> None:
        self._tell(disburse(self.rt, self._some_payment()))

    def _retry(self) -> None:
        """A person sends again what failed, or the worker sends what is due."""
        mended = (Advice.MEND_FIRST,) if self.chance.random() < 0.3 else ()
        plan = plan_retry(self.rt, mended=mended)
        if self.chance.random() < 0.5 and isinstance(plan, Plan):
            self._tell(send_all(self.rt, plan.sends, mended=mended, at_once=1))
        elif may_begin_by_itself(self.rt):
            self._tell(send_all(self.rt, due(self.rt, 5), at_once=1))

    def _was_braked(self) -> bool:
        """Whether M-Pesa asked for fewer requests lately, nobody died over it, and nothing was paid since."""
        at = self.mpesa.asked_for_less_at
        if at is None or self.dying or not timedelta(0) <= self.now - at < PAUSE:
            return False
        return not any(deed.kind == "b2b" and deed.moved and deed.at > at for deed in self.mpesa.deeds)

    def _tell(self, outcome: object) -> None:
        self.story.append(f"{'  ' * self.depth}  {outcome}")
        if self._was_braked():
            may_begin = may_begin_by_itself(self.rt)
            self._must(not may_begin, "a run may begin by itself although M-Pesa has asked for fewer requests")

    def _read(self) -> None:
        """A round of the listener's worker; once all is calm, as many as it takes until nothing is unread."""
        if self.is_calm:
            while read_inbox(self.rt):
                pass
            return
        read_inbox(self.rt, limit=self.chance.choice([1, 5, 100]))
        chase(self.rt, limit=10)

    def _chase(self) -> None:
        chase(self.rt, limit=20, by_hand=self.chance.random() < 0.3)

    def _callbacks(self) -> None:
        """Callbacks that are due arrive, in any order; now and then one that is not ours."""
        due = [each for each in self.mpesa.deliveries if each.due_at <= self.now]
        self.chance.shuffle(due)
        for delivery in due:
            self.mpesa.deliveries.remove(delivery)
            self._deliver(delivery)
        if self.chance.random() < 0.1:
            self._deliver(Delivery(self.now, "collection", "f" * 32, b'{"Body":{"stkCallback":{"ResultCode":0}}}'))

    def _deliver(self, delivery: Delivery) -> None:
        """The listener stores a callback; if it dies before it could, M-Pesa got no answer and may not come again."""
        with contextlib.suppress(Killed):
            inbox.append(self.rt.database, [(delivery.path, delivery.token, "127.0.0.1", delivery.body)], self.now)

    def _rule(self) -> None:
        """An operator looks at the statement and rules on what is unclear."""
        for row in list(reads.payments(self.rt.reader, limit=100)):
            if row["collection_state"] == "unclear" or row["payout_state"] == "unclear":
                self._rule_on(row)
                return

    def _rule_on(self, row: readonly.Row) -> None:
        about = "collection" if row["status"] == "pending" else "payout"
        attempt = [each for each in reads.attempts(self.rt.reader, row["id"]) if each["direction"] == about][-1]
        deed = self._deed_of(attempt)
        settled = deed is None or deed.moved is not None
        if settled and attempt["state"] == "unclear":
            receipt = deed.receipt if deed and deed.moved else None
            ruling = resolve.read_ruling(row["id"], receipt, receipt is None, "the paybill's statement")
            resolve.resolve(self.rt, ruling)

    def _stop(self) -> None:
        if self.chance.random() < 0.3:
            payouts.stop_payouts(self.rt, "maintenance")
        else:
            payouts.resume_payouts(self.rt)

    def _release(self) -> None:
        """An operator has looked at what is held, such as a payout that looks like one that was made."""
        for row in list(reads.payments(self.rt.reader, limit=1000)):
            if row["hold_kind"] == HoldKind.EVIDENCE:
                self._rule_on_evidence(row)
            elif row["held_reason"] is not None:
                payouts.release(self.rt, row["id"], "compared with the statement")

    def _rule_on_evidence(self, row: readonly.Row) -> None:
        """The statement tells which of the transfers that count as not paid were paid after all."""
        for attempt in reads.attempts(self.rt.reader, row["id"]):
            deed = self._deed_of(attempt)
            if attempt["direction"] == "payout" and attempt["state"] == "not_moved" and deed is not None:
                receipt = deed.receipt if deed.moved else None
                ruling = resolve.read_ruling(
                    row["id"], receipt, receipt is None, "the paybill's statement", attempt["number"]
                )
                with contextlib.suppress(RuleRefused):  # nothing contradicts this one
                    resolve.resolve(self.rt, ruling)

    def _some_payment(self) -> int:
        """Mostly one whose share is to be sent, now and then any."""
        waiting = (
            "SELECT p.id FROM payment p JOIN payable y ON y.payment_id = p.id AND y.kind = 'share'"
            " WHERE y.status <> 'completed'"
        )
        rows = list(
            self.rt.reader.rows(
                (waiting if self.chance.random() < 0.7 else "SELECT id FROM payment p") + " ORDER BY p.id"
            )
        )
        return int(self.chance.choice(rows)["id"]) if rows else 1

    # --- the calm ----------------------------------------------------------------------------------------------------

    def _calm(self) -> None:
        """The faults stop; what is on its way arrives; everything quiet is chased; people rule and retry."""
        self.story.append("calm")
        self.is_calm = True
        self.dying = 0.0
        self.mpesa.faults = Faults()
        self.mpesa.float_shillings = 10_000_000
        for deed in self.mpesa.deeds:
            if deed.moved is None:
                deed.moved, deed.code = False, "1037"
        for _ in range(8):
            self.now += timedelta(minutes=16)
            self._do(self._callbacks)
            self._do(self._read)
            self._do(self._chase_all)
            self.now += timedelta(minutes=2)
            self._do(self._callbacks)
            self._do(self._read)
        self._check_doubt()
        for _ in range(6):
            requests = len(self.mpesa.deeds)
            with contextlib.suppress(RentpayError):  # a late result may have stopped payouts once more
                payouts.resume_payouts(self.rt)
            self._rule_all()
            self._release()
            plan = plan_retry(self.rt, mended=(Advice.MEND_FIRST,))
            assert isinstance(plan, Plan)  # no owner was named
            self._tell(send_all(self.rt, plan.sends, mended=(Advice.MEND_FIRST,), at_once=1))
            self._tell(send_all(self.rt, due(self.rt, 100), at_once=1))
            self.now += timedelta(minutes=16)
            self._do(self._callbacks)
            self._do(self._read)
            if len(self.mpesa.deeds) == requests and not self.mpesa.deliveries and not self._has_open_shares():
                return  # everybody has had a turn, and nobody had anything left to do

    def _has_open_shares(self) -> bool:
        open_share = "SELECT id FROM payable WHERE status IN ('pending', 'processing', 'failed')"
        return self.rt.reader.one(open_share) is not None

    def _chase_all(self) -> None:
        """The operator asks about everything, whenever its next turn would be."""
        chase(self.rt, limit=200, by_hand=True)

    def _rule_all(self) -> None:
        """The operator goes through the statement: what is unclear, lacks a receipt, or failed and left doubt."""
        for row in list(reads.payments(self.rt.reader, limit=200)):
            with contextlib.suppress(RentpayError):
                if row["status"] == "success" and row["receipt"] is None and row["method"] == "mpesa":
                    deed = self._deed_of(self._attempt(row["id"], "collection"))
                    assert deed is not None
                    resolve.resolve(self.rt, resolve.read_ruling(row["id"], deed.receipt, False, "statement"))
                elif row["disbursement_status"] == "failed" and row["advice"] == "ask":
                    resolve.resolve(self.rt, resolve.read_ruling(row["id"], None, True, "not on the statement"))
                elif "unclear" in (row["collection_state"], row["payout_state"]):
                    self._rule_on(row)

    def _attempt(self, payment_id: int, direction: str) -> readonly.Row:
        return [each for each in reads.attempts(self.rt.reader, payment_id) if each["direction"] == direction][-1]

    def _deed_of(self, attempt: readonly.Row) -> Deed | None:
        """What the request of an attempt became at M-Pesa, if it reached it."""
        return next((each for each in self.mpesa.deeds if token_sha256(each.token) == attempt["token_sha256"]), None)

    # --- what must hold ----------------------------------------------------------------------------------------------

    def _check_doubt(self) -> None:
        """After faults stopped and everything was chased, only what M-Pesa cannot be asked about is in doubt."""
        for attempt in self.rt.reader.rows("SELECT * FROM attempt WHERE state IN ('sending', 'waiting', 'unclear')"):
            deed = self._deed_of(attempt)
            askable = attempt["originator_conversation_id"] or attempt["checkout_request_id"]
            self._must(not (askable and deed), f"attempt {attempt['id']} is still {attempt['state']}")

    def _check(self) -> None:
        attempts = list(self.rt.reader.rows(_ATTEMPTS))
        payments = list(reads.payments(self.rt.reader, limit=1000))
        self._check_inbox()
        self._check_invariants()
        self._check_journal()
        self._check_attempts(attempts)
        self._check_payouts(attempts)
        self._check_books(payments)
        self._check_stories(payments)
        self._check_every_cent(attempts)

    def _check_inbox(self) -> None:
        """What is not read yet could be what the rest is missing."""
        for item in self.rt.reader.rows("SELECT id FROM inbox WHERE state = 'new' ORDER BY id"):
            raise Violation(f"seed {self.seed}: callback {item['id']} is still unread")

    def _check_attempts(self, attempts: list[readonly.Row]) -> None:
        for attempt in attempts:
            deed = self._deed_of(attempt)
            really = bool(deed and deed.moved)
            self._must(
                {"moved": True, "not_moved": False}.get(attempt["state"], really) == really,
                f"attempt {attempt['id']} is {attempt['state']}, but M-Pesa moved {'it' if really else 'nothing'}",
            )
            if attempt["state"] == "moved" and attempt["receipt"] is not None:
                self._must(deed is not None and deed.receipt == attempt["receipt"], "a receipt is not M-Pesa's")

    def _check_payouts(self, attempts: list[readonly.Row]) -> None:
        """By M-Pesa's books each payable was settled by one transfer at most, and none was sent again in doubt."""
        of_disbursement = {each["disbursement_id"]: each for each in attempts if each["direction"] == "payout"}
        by_payable: dict[int, list[readonly.Row]] = {}
        for member in self.rt.reader.rows("SELECT * FROM disbursement_member ORDER BY disbursement_id, payable_id"):
            if member["disbursement_id"] in of_disbursement:
                by_payable.setdefault(member["payable_id"], []).append(of_disbursement[member["disbursement_id"]])
        for payable, tries in by_payable.items():
            moved = [deed for each in tries if (deed := self._deed_of(each)) and deed.moved]
            self._must(len(moved) <= 1, f"payable {payable} was paid {len(moved)} times")
            doubtful = [each for each in tries[:-1] if each["state"] != "not_moved"]
            self._must(not doubtful, f"payable {payable} was sent again in doubt")

    def _check_books(self, payments: list[readonly.Row]) -> None:
        came = sum(deed.amount for deed in self.mpesa.deeds if deed.kind == "stk" and deed.moved)
        went = sum(deed.amount for deed in self.mpesa.deeds if deed.kind == "b2b" and deed.moved)
        facts = ledger.read_facts(self.rt.reader)
        for account, ours, left in ledger.read_books(self.rt.reader).differences():
            raise Violation(f"seed {self.seed}: {account.value} is {ours} by the books and {left} by what is left")
        for row in self.rt.reader.rows(ledger.OWNERS_NOT_AS_OWED):
            raise Violation(f"seed {self.seed}: an owner's account is not what he is owed: {row}")
        booked_in, booked_out = facts[Fact.CAME_BY_MPESA], facts[Fact.TRANSFER]
        self._must(booked_in == came * 100, f"{booked_in / 100} booked in, {came} came")
        self._must(booked_out == went * 100, f"{booked_out / 100} booked out, {went} went")
        kept = sum(row["fee_cents"] for row in payments if row["status"] == "success" and row["payable_id"])
        self._must(went * 100 <= came * 100 - kept, f"{went} went out of {came} that came, {kept / 100} kept")

    def _check_journal(self) -> None:
        try:
            verify(self.rt)
        except NeedsAttention as error:
            raise Violation(f"seed {self.seed}: {error.message}") from error

    def _check_stories(self, payments: list[readonly.Row]) -> None:
        """After the calm and the operator's work every rent that came in is with its owner."""
        for row in payments:
            if row["status"] == "success":
                done = row["disbursement_status"] in ("completed", "not_required")
                self._must(done, f"payment {row['id']} is paid, but its share is {row['disbursement_status']}")
            else:
                self._must(row["status"] == "failed", f"payment {row['id']} is still {row['status']}")

    def _check_invariants(self) -> None:
        for breach in breaches(self.rt.reader):
            raise Violation(f"seed {self.seed}: invariant {breach.invariant.number}: {breach}")

    def _check_every_cent(self, attempts: list[readonly.Row]) -> None:
        """By M-Pesa's books what went out is what was completed, or is on its way and moved; what came in is booked.

        The rest of what came in, nobody may have read yet: its callback is new or held.
        """
        went = sum(deed.amount * 100 for deed in self.mpesa.deeds if deed.kind == "b2b" and deed.moved)
        moved = {each["disbursement_id"] for each in attempts if (deed := self._deed_of(each)) and deed.moved}
        made = self.rt.reader.rows(
            "SELECT id, status, amount_cents FROM disbursement"
            " WHERE way = 'b2b' AND status IN ('completed','processing')"
        )
        known = sum(each["amount_cents"] for each in made if each["status"] == "completed" or each["id"] in moved)
        self._must(went == known, f"{went} cents went out, of which {known} are completed or on their way")
        came = sum(deed.amount * 100 for deed in self.mpesa.deeds if deed.kind == "stk" and deed.moved)
        booked = self.rt.reader.one("SELECT coalesce(sum(amount_cents), 0) AS cents FROM money_in WHERE way = 'stk'")
        unread = {
            row["token_sha256"] for row in self.rt.reader.rows("SELECT * FROM inbox WHERE state IN ('new','held')")
        }
        waiting = sum(
            each["amount_cents"]
            for each in attempts
            if each["direction"] == "collection" and each["state"] != "moved" and each["token_sha256"] in unread
            if (deed := self._deed_of(each)) and deed.moved
        )
        assert booked is not None  # an aggregate always has a row
        self._must(came == booked["cents"] + waiting, f"{came} cents came in, {booked['cents']} are booked")

    def _must(self, holds: bool, what: str) -> None:
        if not holds:
            raise Violation(f"seed {self.seed}: {what}")


def _die_at_commits(chaos: Chaos) -> None:
    """Let the process die just before or just after a commit, as often as the run says."""
    database = chaos.rt.database
    real = database.transaction

    @contextmanager
    def deadly() -> Iterator[Any]:
        dies = chaos.chance.random() < chaos.dying
        before = chaos.chance.random() < 0.5
        with real() as session:
            yield session
            if dies and before:
                raise Killed("before a commit")
        if dies:
            raise Killed("after a commit")

    database.transaction = deadly  # type: ignore[method-assign]


# --- running ---------------------------------------------------------------------------------------------------------

New: TypeAlias = Callable[[], AbstractContextManager[str]]
"""Gives the URL of a database that is as new, for as long as the context lasts."""

MEMORY = Path("/dev/shm")
"""Where there is such a folder, a commit on SQLite need not wait for a disk."""


def run_seed(seed: int, url: str) -> Chaos:
    """Play one seed once on a new database; raises `Violation`."""
    rt = Runtime(settings_for(url), actor="operator")
    chaos = Chaos(seed, rt, Random(seed))
    try:
        chaos.play()
        chaos.left = digests(rt)
    except Exception as error:
        error.add_note("\n".join(chaos.story[-60:]))
        raise
    finally:
        rt.close()
    return chaos


def digests(rt: Runtime) -> dict[str, str]:
    """The SHA-256 of all rows of each table."""
    found = {}
    for table in inspect(rt.database.engine).get_table_names():
        rows = sorted(repr(list(row.values())) for row in rt.reader.rows(f"SELECT * FROM {table}"))
        found[table] = sha256("\n".join(rows).encode()).hexdigest()
    return found


def run_twice(seed: int, new: New) -> str:
    """Play one seed twice and return the SHA-256 of what it left; raises `Violation`, also if that differs."""
    with new() as url:
        once = run_seed(seed, url)
    with new() as url:
        again = run_seed(seed, url)
    differing = sorted(table for table in once.left if once.left[table] != again.left[table])
    if differing or once.story != again.story:
        where = f"other rows in {', '.join(differing)}" if differing else "the same rows by another story"
        raise Violation(f"seed {seed}: played again, it left {where}")
    return sha256(repr(sorted(once.left.items())).encode()).hexdigest()


@contextmanager
def databases(kind: str, prepare: Callable[[str], None] = lambda _: None) -> Iterator[New]:
    """Makes databases of the kind, one after the other; `prepare` may change what all of them begin with."""
    folder = Path(tempfile.mkdtemp(prefix="rentpay-chaos-", dir=_memory() if kind == "sqlite" else None))
    try:
        if kind == "sqlite":
            template = folder / "template.db"
            schema.create_or_upgrade(f"sqlite:///{template}", "simulator")
            prepare(f"sqlite:///{template}")

            @contextmanager
            def copy() -> Iterator[str]:
                path = folder / "run.db"
                shutil.copy(template, path)
                try:
                    yield f"sqlite:///{path}"
                finally:
                    for leftover in folder.glob("run.db*"):
                        leftover.unlink()

            yield copy
        else:
            with own_server(folder) as server:
                yield lambda: copies(server)
    finally:
        shutil.rmtree(folder)


def _memory() -> Path | None:
    return MEMORY if os.access(MEMORY, os.W_OK) else None


# --- at length -------------------------------------------------------------------------------------------------------


@dataclass
class Slice:
    """What became of some seeds: what each that was good left, and what was wrong with the others."""

    left: dict[int, str] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)


def run_slice(seeds: range, kind: str, halt: Path, keep_going: bool) -> Slice:
    """Play seeds, each twice, until the file `halt` is there, which the first that fails makes unless we keep going."""
    found = Slice()
    with pytest.MonkeyPatch.context() as patch, databases(kind) as new:
        compile_sql_once(patch)
        for seed in seeds:
            if halt.exists():
                break
            try:
                found.left[seed] = run_twice(seed, new)
            except Exception as error:  # whatever trips a seed up is to be told, and others play on
                told = str(error) if isinstance(error, Violation) else f"seed {seed}: {type(error).__name__}: {error}"
                found.broken.append("\n".join([told, *getattr(error, "__notes__", [])]))
                if not keep_going:
                    halt.touch()
    return found


def commit() -> str:
    """The commit that is played, and whether anything was changed since."""
    here = Path(__file__).parent
    short, changes = (
        subprocess.run(["git", *command], cwd=here, capture_output=True, text=True, check=False).stdout.strip()
        for command in (("rev-parse", "--short", "HEAD"), ("status", "--porcelain", "--untracked-files=no"))
    )
    return f"commit {short or 'unknown'}{' and changes since' if changes else ''}"


def main() -> int:
    """Play seeds at length, each twice, on several processes, and tell of those that failed; 1 if any did."""
    arguments = argparse.ArgumentParser(
        prog="python -m tests.chaos.in_process", description=(__doc__ or "").split("\n")[0]
    )
    arguments.add_argument("--first", "--seed", type=int, default=1, help="the first seed")
    arguments.add_argument("--runs", type=int, default=1, help="how many seeds to play")
    arguments.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    arguments.add_argument("--jobs", type=int, default=1, help="how many processes play at once")
    arguments.add_argument("--keep-going", action="store_true", help="play on after a seed that failed")
    chosen = arguments.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was made for the seeds goes with it
    seeds = range(chosen.first, chosen.first + chosen.runs)
    say(f"seeds {seeds.start} to {seeds.stop - 1} on {chosen.database}, each twice, at {commit()}")
    began, every = time.monotonic(), Slice()
    share = max(1, min(LONGEST_SLICE, -(-chosen.runs // chosen.jobs)))
    with tempfile.TemporaryDirectory() as folder, ProcessPoolExecutor(max_workers=chosen.jobs) as pool:
        halt = Path(folder, "halt")
        games = [
            pool.submit(run_slice, seeds[at : at + share], chosen.database, halt, chosen.keep_going)
            for at in range(0, len(seeds), share)
        ]
        try:
            for game in as_completed(games):
                found = game.result()
                every.left |= found.left
                every.broken += found.broken
                for broken in found.broken:
                    say(broken)
                say(f"{len(every.left)} good, {len(every.broken)} broken, of {chosen.runs}")
        finally:
            halt.touch()  # whatever ended this, the others end after their seed
    hourly = (len(every.left) + len(every.broken)) * 3600 / (time.monotonic() - began)
    left = sha256(repr(sorted(every.left.items())).encode()).hexdigest()
    say(f"{hourly:,.0f} seeds an hour; what they left: {left[:16]}")
    return 1 if every.broken else 0


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - this is a command


if __name__ == "__main__":
    sys.exit(main())
