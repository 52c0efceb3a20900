"""What is measured inside a process of the installed package, where a command's start would hide what it does.

`python inside.py NAME ARGUMENT…` prints pairs of seconds as JSON. It is run by file name with the Python of the
installed wheel, so that it sees that and not the checkout.
"""

from __future__ import annotations

import contextlib
import gc
import hashlib
import io
import json
import os
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, cast

from rentpay_cli.cli import look, report
from rentpay_cli.cli.common import Invocation, invoked
from rentpay_cli.config import load_settings
from rentpay_cli.core.evidence import Acknowledged
from rentpay_cli.runtime import Runtime, random_token
from rentpay_cli.store import health_reads, inbox, reads

Pairs = list[tuple[float, float]]


def seconds(deed: Callable[[], object]) -> float:
    began = time.perf_counter()
    deed()
    return time.perf_counter() - began


def in_turn(count: int, first: Callable[[int], float], second: Callable[[int], float]) -> Pairs:
    """Measure both in turn; a first pair, which warms the caches, does not count."""
    return [(first(number), second(number)) for number in range(-1, count)][1:]


def open_runtime(path: str) -> Runtime:
    os.environ["RENTPAY_DATABASE_URL"] = f"sqlite:///{path}"
    return Runtime(load_settings(None), actor="benchmark")


def command(function: Callable[..., None], **arguments: object) -> float:
    """Seconds that a command with --json takes, less the start of the process and the parsing of its arguments."""
    with invoked(Invocation(json=True)), contextlib.redirect_stdout(io.StringIO()) as out:
        took = seconds(lambda: function(**arguments))
    assert json.loads(out.getvalue())["success"]
    return took


# --- the listener without a worker -----------------------------------------------------------------------------------


def listen(path: str, port: str) -> None:
    """The listener as `serve-callbacks` runs it, but nobody reads what it stores."""
    from rentpay_cli.cli.serve import run
    from rentpay_cli.service.group_commit import GroupCommit
    from rentpay_cli.service.listener import build_app, listen_on, server_of

    rt = open_runtime(path)
    writer = GroupCommit[Any](lambda arrivals: inbox.append(rt.database, arrivals, rt.now()))
    run(server_of(build_app(writer.store, lambda: (True, {})), []), listen_on("127.0.0.1", int(port)))


# --- bulk payouts ----------------------------------------------------------------------------------------------------


def retry(path: str) -> float:
    """Seconds that the run of `retry-failed` takes, from the first intention to the last reply that is written down."""
    from rentpay_cli.flows.brake import Run, send_all
    from rentpay_cli.flows.disburse import Plan, plan_retry

    rt = open_runtime(path)
    plan, runs = plan_retry(rt), list[Run]()
    assert isinstance(plan, Plan)  # nothing is stopped
    rt.mpesa.prepare()
    gc.freeze()
    gc.set_threshold(100_000)  # as `rentpay` does
    took = seconds(lambda: runs.append(send_all(rt, plan.sends)))
    assert len(runs[0].accepted) == len(plan.sends), runs[0].end
    return took


# --- callbacks into knowledge ----------------------------------------------------------------------------------------


def knowledge(ours: str, raw: str, blocks: str, size: str) -> Pairs:
    """Seconds to read a block of stored callbacks: in one database with `read_inbox`, in its copy with bare SQL."""
    from rentpay_cli.flows.read_inbox import read_inbox

    rt = open_runtime(ours)
    connection = sqlite3.connect(raw, isolation_level=None)
    for pragma in ("synchronous = FULL", "foreign_keys = ON", "secure_delete = ON"):
        connection.execute(f"PRAGMA {pragma}")

    def with_rentpay(_: int) -> float:
        readings: list[Any] = []
        took = seconds(lambda: readings.extend(read_inbox(rt, int(size))))
        assert [reading.outcome for reading in readings] == ["moved"] * int(size), readings[:1]
        return took

    return in_turn(int(blocks), with_rentpay, lambda _: seconds(lambda: read_with_bare_sql(connection, int(size))))


LEARNED = {
    "after": "moved",
    "before": "waiting",
    "changes": {
        "attempt 90003": {"state": "moved"},
        "money_in 30201": {
            "amount_cents": 850000,
            "booked_at": 1795411997011,
            "learned_by": "callback",
            "paid_at": 1795411997011,
            "receipt": "SK00090003",
            "received_by": "platform",
            "short_code": "174379",
            "way": "stk",
        },
        "payable 30201": {
            "account_number": "H1",
            "amount_cents": 807500,
            "booked_at": 1795411997011,
            "booked_day": 20261123,
            "kind": "share",
            "made_by": "listener",
            "owner_id": 3,
            "payable_from": 1795411997011,
            "paybill": "600001",
            "payment_id": 30001,
            "property_id": 1,
            "status": "pending",
        },
        "payment 30001": {"failure_code": None, "money_in_id": 30201, "status": "success"},
    },
    "direction": "collection",
    "evidence": "moved",
    "source": "callback",
}
READ = {"changes": {"inbox 60001": {"state": "read"}}, "reason": "moved"}
"""The two entries that the journal gets for a callback, as long as they really are."""


def read_with_bare_sql(connection: sqlite3.Connection, size: int) -> None:
    """The same rows as one callback after another changes them, each in a durable transaction, and nothing else.

    The journal's entries are as long as ours and chained by their hashes; a callback about rent makes no notice.
    """
    waiting = connection.execute("SELECT id FROM inbox WHERE state = 'new' ORDER BY id LIMIT ?", (size,)).fetchall()
    for (item,) in waiting:
        now = time.time_ns() // 1_000_000
        run = connection.execute
        run("BEGIN IMMEDIATE")
        digest, body = run("SELECT token_sha256, body FROM inbox WHERE id = ? AND state = 'new'", (item,)).fetchone()
        items = json.loads(body)["Body"]["stkCallback"]["CallbackMetadata"]["Item"]
        receipt = items[1]["Value"]
        attempt, payment = run("SELECT id, payment_id FROM attempt WHERE token_sha256 = ?", (digest,)).fetchone()
        run(
            "UPDATE attempt SET state = 'moved', learned_by = 'callback', changed_at = ?, next_check_at = NULL"
            " WHERE id = ? AND state = 'waiting'",
            (now, attempt),
        )
        money = run(
            "INSERT INTO money_in (way, received_by, amount_cents, receipt, short_code, paid_at, booked_at, learned_by)"
            " SELECT 'stk', 'platform', amount_cents, ?, short_code, ?, ?, 'callback' FROM attempt WHERE id = ?",
            (receipt, now, now, attempt),
        ).lastrowid
        run(
            "UPDATE payment SET status = 'success', money_in_id = ? WHERE id = ? AND status = 'pending'",
            (money, payment),
        )
        run(
            "INSERT INTO payable (owner_id, kind, amount_cents, payment_id, property_id, paybill, account_number,"
            " payable_from, status, made_by, booked_at, booked_day)"
            " SELECT owner_id, 'share', share_cents, id, property_id, owner_paybill, owner_account_number, ?,"
            " 'pending', 'listener', ?, ? FROM payment WHERE id = ?",
            (now, now, 20261123, payment),
        )
        run(
            "UPDATE inbox SET state = 'read', outcome = 'moved', read_at = ?, payment_id = ? WHERE id = ?",
            (now, payment, item),
        )
        learned, read = {**LEARNED, "receipt": receipt}, {**READ, "callback": item}
        number, digest = run("SELECT id, hash FROM journal ORDER BY id DESC LIMIT 1").fetchone()
        for event, about, detail in (("learned", attempt, learned), ("callback read", None, read)):
            number += 1
            row = (number, now, "listener", event, payment, about, json.dumps(detail))
            digest = hashlib.sha256(f"{digest}\n{json.dumps(row)}".encode()).hexdigest()
            run(
                "INSERT INTO journal (id, at, actor, event, payment_id, attempt_id, detail, hash)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (*row, digest),
            )
        run("COMMIT")


# --- reading ---------------------------------------------------------------------------------------------------------


def revenue(path: str, count: str, month: str) -> dict[str, Pairs]:
    """Seconds of the report by month, and of one month, against a scan of all disbursements that groups."""
    os.environ["RENTPAY_DATABASE_URL"] = f"sqlite:///{path}"
    connection = sqlite3.connect(path)
    scan = (
        "SELECT completed_day / 100, count(*), sum(collected_cents), sum(fee_cents), sum(amount_cents)"
        " FROM disbursement NOT INDEXED WHERE status IN ('completed','settled') GROUP BY 1 ORDER BY 1"
    )

    def scanned(_: int) -> float:
        return seconds(lambda: connection.execute(scan).fetchall())

    return {
        "every": in_turn(int(count), lambda _: command(report.revenue, by="month"), scanned),
        "one": in_turn(int(count), lambda _: command(report.revenue, month=month), scanned),
    }


def ledger(path: str, count: str) -> Pairs:
    """Seconds of the books, against one statement that scans all payments and sums what they are for."""
    os.environ["RENTPAY_DATABASE_URL"] = f"sqlite:///{path}"
    connection = sqlite3.connect(path)
    scan = (
        "SELECT sum(amount_cents), sum(fee_cents), sum(share_cents) FROM payment NOT INDEXED WHERE status = 'success'"
    )
    return in_turn(
        int(count),
        lambda _: command(report.ledger),
        lambda _: seconds(lambda: connection.execute(scan).fetchall()),
    )


def pages(path: str, count: str) -> dict[str, Pairs]:
    """Seconds of a page deep in the largest owner's list, against the first page."""
    os.environ["RENTPAY_DATABASE_URL"] = f"sqlite:///{path}"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        oldest = "SELECT id FROM payment WHERE owner_id = 1 ORDER BY id LIMIT 1 OFFSET 100"
        deep = connection.execute(oldest).fetchone()[0]

    def deep_and_first(function: Callable[..., None]) -> Pairs:
        return in_turn(
            int(count),
            lambda _: command(function, owner="1", before=deep),
            lambda _: command(function, owner="1"),
        )

    return {"payments --owner": deep_and_first(look.payments), "history": deep_and_first(look.history)}


# --- what grows with the database ------------------------------------------------------------------------------------


class Accepting:
    """An M-Pesa that accepts everything at once."""

    def __init__(self) -> None:
        self.count = 0

    def prepare(self) -> None:
        """There is always a token."""

    def stk_push(self, **_: Any) -> Acknowledged:
        self.count += 1
        return Acknowledged(checkout_request_id=f"ws_CO_new_{self.count}", merchant_request_id=f"m-new-{self.count}")

    def b2b_payment(self, **_: Any) -> Acknowledged:
        self.count += 1
        return Acknowledged(conversation_id=f"AG_new_{self.count}", originator_conversation_id=f"o-new-{self.count}")


class Platform:
    """One database, and each deed that is measured on it."""

    def __init__(self, path: str) -> None:
        self.rt = open_runtime(path)
        self.rt.__dict__["mpesa"] = cast(Any, Accepting())
        self.rt.new_token = self._new_token
        reader = self.rt.reader
        self.properties = int((reader.one("SELECT max(id) AS n FROM property") or {})["n"])
        self.settled = int((reader.one("SELECT count(*) AS n FROM payable WHERE kind = 'share'") or {})["n"])

    def journey(self, number: int) -> Iterator[tuple[str, float]]:
        """The life of one payment, and a look at the whole, with the seconds of each step."""
        from rentpay_cli.core.health import Thresholds
        from rentpay_cli.flows import collect, disburse
        from rentpay_cli.flows.brake import send_all
        from rentpay_cli.flows.health import facts
        from rentpay_cli.flows.read_inbox import read_inbox

        rt, asked = self.rt, []
        place = number * 7919 % self.properties + 1
        phone = f"2541{number + 10**6:08d}"
        yield (
            "initiate",
            seconds(lambda: asked.append(collect.initiate(rt, property_reference=str(place), phone=phone))),
        )
        [ask] = asked
        receipt = {"Name": "MpesaReceiptNumber", "Value": f"NEW{number + 10**6}"}
        items = [{"Name": "Amount", "Value": ask.amount_cents // 100}, receipt]
        news = {"CheckoutRequestID": ask.checkout_request_id, "ResultCode": 0, "CallbackMetadata": {"Item": items}}
        body = json.dumps({"Body": {"stkCallback": news}}).encode()

        def callback() -> None:
            inbox.append(rt.database, [("collection", self.token, "127.0.0.1", body)], rt.now())
            [reading] = read_inbox(rt, 1)
            assert reading.outcome == "moved", reading

        yield "callback", seconds(callback)
        yield "disburse", seconds(lambda: disburse.disburse(rt, ask.payment_id))
        yield "status", seconds(lambda: self._status(str(number * 104_729 % self.settled + 1)))
        yield "health", seconds(lambda: facts(rt, Thresholds()))
        plan = disburse.plan_retry(rt, limit=2)
        assert isinstance(plan, disburse.Plan)  # nothing is stopped
        yield "retry-failed", seconds(lambda: send_all(rt, plan.sends, at_once=1))

    def _new_token(self) -> str:
        """A token as always, that the next callback can carry."""
        self.token = random_token()
        return self.token

    def _status(self, reference: str) -> None:
        reader = self.rt.reader
        number = reads.find_payment(reader, reference)
        assert number is not None
        reads.payment(reader, number)
        reads.attempts(reader, number)
        reads.open_findings(reader, number)
        health_reads.stop_in_force(reader)


def growth(small: str, large: str, count: str) -> dict[str, Pairs]:
    """Seconds of each step in a large database, against the same step in a small one with the same open work."""
    in_large, in_small = Platform(large), Platform(small)
    found: dict[str, Pairs] = {}
    for number in range(int(count) + 1):
        is_even = number % 2 == 0  # whoever does a step first warms the processor's caches for the other
        first, second = (in_large, in_small) if is_even else (in_small, in_large)
        for (name, one), (_, other) in zip(first.journey(number), second.journey(number), strict=True):
            found.setdefault(name, []).append((one, other) if is_even else (other, one))
    return {name: pairs[1:] for name, pairs in found.items()}  # the first pair warms the caches


if __name__ == "__main__":
    result = globals()[sys.argv[1]](*sys.argv[2:])
    sys.stdout.write(json.dumps(result))
