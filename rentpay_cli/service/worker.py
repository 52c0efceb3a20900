"""Turn stored callbacks into knowledge and act on it, one bounded round after another, in a thread of its own.

A round reads what arrived, sends what is due if AUTO_DISBURSEMENT allows, and asks about what is quiet. An error ends
the round, not the worker: it is logged, and the next round comes after a pause that grows. Everything a round does is
committed step by step, so that a worker that dies leaves nothing that the next one could not go on with. A round that
went well leaves a sign of life in the database, for `rentpay health`.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from rentpay_cli.core.brake import WORDS
from rentpay_cli.core.callbacks import CallbackState
from rentpay_cli.errors import RentpayError
from rentpay_cli.flows.brake import Run, Sender, may_begin_by_itself
from rentpay_cli.flows.chase import chase
from rentpay_cli.flows.disburse import due
from rentpay_cli.flows.notices import tell
from rentpay_cli.flows.read_inbox import read_inbox
from rentpay_cli.notifier import Notifier
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import signs
from rentpay_cli.store.inbox import TOGETHER, Reading

LONGEST_PAUSE_SECONDS = 30.0
READ_AT_ONCE = 200
PAY_AT_ONCE = 64
CHASE_AT_ONCE = 10
SIGN_EVERY = timedelta(seconds=15)

Log = Callable[..., None]


def round_of_work(rt: Runtime, log: Log, payer: Payer | None = None) -> int:
    """Read what arrived, send what is due, ask about what is quiet; the number of things done."""
    readings = _read(rt)
    for reading in readings:
        log(
            "callback held" if reading.state is CallbackState.HELD else "callback read",
            payment=reading.payment_id,
            callback=reading.item_id,
            outcome=reading.outcome,
        )
    paid = (payer or Payer(rt, log)).pay_due() if rt.settings.auto_disbursement else 0
    return len(readings) + paid + _chase(rt, log)


def _read(rt: Runtime) -> list[Reading]:
    """Read what arrived, a few callbacks a transaction, and let other writers have their turn between them."""
    readings: list[Reading] = []
    while len(readings) < READ_AT_ONCE:
        some = read_inbox(rt, min(TOGETHER, READ_AT_ONCE - len(readings)))
        if not some:
            break
        readings += some
        rt.database.give_way()
    return readings


class Payer:
    """Sends what is due by itself, as much in a round as may leave at once, in sessions that last while there is some.

    What cannot be sent keeps nobody from being sent: each round goes on behind the last share that was seen.
    """

    def __init__(self, rt: Runtime, log: Log) -> None:
        self._rt = rt
        self._log = log
        self._sender: Sender | None = None
        self._seen = 0

    def pay_due(self) -> int:
        """One round; the number of payouts that were sent or tried."""
        if not may_begin_by_itself(self._rt):
            self._sender = None
            return 0
        shares = due(self._rt, PAY_AT_ONCE, self._seen)
        if not shares:
            self._sender, self._seen = (self._sender if self._seen else None), 0
            return 0
        sender = self._sender = self._sender or Sender(self._rt)
        run = sender.send(shares, waits=False)
        self._tell(run)
        if run.left:
            self._seen = run.left[0] - 1
        else:
            self._seen = shares[-1].payable_id if len(shares) == PAY_AT_ONCE else 0
        if run.end is not None:
            self._sender, self._seen = None, 0
        return len(run.accepted) + len(run.settled) + len(run.failed) + len(run.unclear)

    def _tell(self, run: Run) -> None:
        for payment_id in run.accepted:
            self._log("payout accepted by M-Pesa, outcome not known yet", payment=payment_id)
        for payment_id in run.settled:
            self._log("share settled against what the owner owes", payment=payment_id)
        for failure in run.failed:
            self._log("payout refused", payment=failure.payment_id, code=failure.code, reason=failure.error)
        for failure in run.unclear:
            self._log("payout unclear", payment=failure.payment_id, reason=failure.error)
        if run.end is not None:
            self._log("payouts braked", reason=WORDS[run.end], code=run.end.value)


def _chase(rt: Runtime, log: Log) -> int:
    chased = chase(rt, limit=CHASE_AT_ONCE)
    for each in chased:
        log("asked M-Pesa", payment=each.payment_id, about=each.direction.value, outcome=each.outcome)
    return len(chased)


class _Rounds(ABC):
    """A thread that does one round after another: `wake` when something arrived, `stop` to finish what is in hand."""

    name = "rounds"
    idle_seconds = 1.0

    def __init__(self, rt: Runtime, log: Log) -> None:
        self._rt = rt
        self._log = log
        self._something = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=self.name)
        self.failures = 0

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def wake(self) -> None:
        """Say that something arrived."""
        self._something.set()

    def stop(self) -> None:
        """Finish the round in hand, then end."""
        self._stopping.set()
        self._something.set()
        self._thread.join()

    @abstractmethod
    def _round(self) -> int:
        """Do one round; the number of things done, and after none it rests."""

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._something.clear()
            try:
                done = self._round()
            except RentpayError as error:
                self._rest_after("the round ended early", error.message)
            except Exception as error:  # a mistake of ours must not end the thread; it is logged, and shown by /healthz
                self._rest_after("the round failed", f"{type(error).__name__}: {error}")
            else:
                self.failures = 0
                if not done:
                    self._something.wait(self.idle_seconds)

    def _rest_after(self, event: str, text: str) -> None:
        self.failures += 1
        pause_seconds = min(LONGEST_PAUSE_SECONDS, 0.5 * 2 ** min(self.failures, 10))
        self._log(event, thread=self.name, error=text, again_in_seconds=pause_seconds)
        self._stopping.wait(pause_seconds)


class Worker(_Rounds):
    """Reads what arrived, pays what is due, asks about what is quiet, and leaves a sign of life."""

    name = "worker"

    def __init__(self, rt: Runtime, log: Log) -> None:
        super().__init__(rt, log)
        self._signed_at: datetime | None = None
        self._payer = Payer(rt, log)

    def health(self) -> tuple[bool, dict[str, Any]]:
        """Whether the worker lives and its last rounds went well."""
        alive = self._thread.is_alive()
        well = alive and self.failures < 3
        return well, {"status": "ok" if well else "failing", "worker": "alive" if alive else "dead"}

    def _round(self) -> int:
        done = round_of_work(self._rt, self._log, self._payer)
        self._leave_sign()
        return done

    def _leave_sign(self) -> None:
        """Say in the database that a round went well, now and then."""
        now = self._rt.now()
        if self._signed_at is None or abs(now - self._signed_at) >= SIGN_EVERY:
            with self._rt.database.transaction() as session:
                signs.note_worker_alive(session, now)
            self._signed_at = now


class Teller(_Rounds):
    """Tells owners and the operator, in rounds of its own, so that no mail server holds up money."""

    name = "teller"
    idle_seconds = 5.0

    def __init__(self, rt: Runtime, notifier: Notifier, log: Log) -> None:
        super().__init__(rt, log)
        self._notifier = notifier

    def _round(self) -> int:
        problems = tell(self._rt, self._notifier)
        for problem in filter(None, problems):
            self._log("notice not sent", problem=problem)
        if "" in problems:
            self._log("notices sent", count=problems.count(""))
        return len(problems)
