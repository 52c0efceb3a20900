"""Reading from a million payments: the revenue, a page deep in a list, and a spreadsheet of all."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.benchmarks import databases
from tests.benchmarks.databases import Size
from tests.benchmarks.shared import Bench, CannotMeasure, Figure, Run, in_turn, ratio, whole_process


def million(bench: Bench) -> Path:
    """The large database, which several measurements share."""
    return databases.sqlite(bench, "large", Size(bench.few_or(1_000_000, few=3_000), failed=1_000))


def revenue(bench: Bench) -> Iterator[Figure]:
    """The report's command, less its start, against one statement that scans all disbursements and groups them."""
    last_month = (datetime.now(UTC) - timedelta(days=45)).strftime("%Y-%m")
    told = bench.inside("revenue", million(bench), bench.few_or(31, few=2), last_month)
    yield Figure("report revenue --by month", "a full scan that groups", ratio(told["every"]), 0.3)
    yield Figure("report revenue --month MONTH", "a full scan that groups", ratio(told["one"]), 0.02)


def books(bench: Bench) -> Iterator[Figure]:
    """The trial balance, less the command's start, against one statement that scans all payments and sums."""
    told = bench.inside("ledger", million(bench), bench.few_or(31, few=2))
    yield Figure("report ledger", "a full scan that sums", ratio(told), 3.0)


def owners_page(bench: Bench) -> Iterator[Figure]:
    """The last page but one of the largest owner, by the key of the page before it, against the first page."""
    for name, pairs in bench.inside("pages", million(bench), bench.few_or(31, few=2)).items():
        yield Figure(f"{name}, deep in the list", "the first page", ratio(pairs), 1.3)


COLUMNS = """
SELECT p.id, p.status, p.amount_cents / 100, 'KES', p.fee_cents / 100, i.receipt, i.receipt IS NULL, p.method,
       c.state = 'unclear', substr(p.phone, 1, 6) || '***' || substr(p.phone, 10), pr.id, pr.name, o.id, o.name, t.id,
       t.name, strftime('%Y-%m-%dT%H:%M:%SZ', p.created_at / 1000, 'unixepoch'),
       strftime('%Y-%m-%dT%H:%M:%SZ', i.paid_at / 1000, 'unixepoch'), p.failure_code, p.failure_reason, p.note,
       p.owner_paybill, p.owner_account_number, y.status, x.state = 'unclear', p.share_cents / 100, d.receipt,
       strftime('%Y-%m-%dT%H:%M:%SZ', d.completed_at / 1000, 'unixepoch'), d.failure_reason, c.checkout_request_id,
       c.merchant_request_id, x.conversation_id
  FROM payment p
  JOIN owner o ON o.id = p.owner_id
  JOIN property pr ON pr.id = p.property_id
  LEFT JOIN tenant t ON t.id = p.tenant_id
  LEFT JOIN money_in i ON i.id = p.money_in_id
  LEFT JOIN payable y ON y.payment_id = p.id AND y.kind = 'share'
  LEFT JOIN disbursement d ON d.id = (SELECT max(m.disbursement_id) FROM disbursement_member m
        JOIN disbursement made ON made.id = m.disbursement_id AND made.status NOT IN ('proposed','cancelled')
        WHERE m.payable_id = y.id)
  LEFT JOIN attempt c ON c.payment_id = p.id
  LEFT JOIN attempt x ON x.disbursement_id = d.id
 ORDER BY p.id DESC
"""
"""The columns of our spreadsheet, from the same tables, in the same order."""


def spreadsheet(bench: Bench) -> Iterator[Figure]:
    """Whole processes that write the same columns of every payment to a file: ours, and SQLite's own in C."""
    shell = shutil.which("sqlite3")
    if shell is None:
        raise CannotMeasure("the program sqlite3 is not here")
    path = million(bench)
    environment = bench.environment(f"sqlite:///{path}")
    runs: list[Run] = []

    def ours(_: int) -> float:
        command = [bench.rentpay, "payments", "--format", "csv"]
        runs.append(whole_process(command, environment, out=bench.folder / "ours.csv"))
        return runs[-1].wall_seconds

    def theirs(_: int) -> float:
        command = [shell, "-readonly", "-csv", path, COLUMNS]
        return whole_process(command, environment, out=bench.folder / "theirs.csv").wall_seconds

    pairs = in_turn(bench.few_or(3, few=1), ours, theirs)
    sizes = [(bench.folder / name).read_bytes().count(b"\n") for name in ("ours.csv", "theirs.csv")]
    if sizes[0] != sizes[1] + 1:  # ours has a heading
        raise RuntimeError(f"The spreadsheets have {sizes} lines")
    note = f"{pairs[0][0]:.1f} and {pairs[0][1]:.1f} s"
    yield Figure(f"payments --format csv, {sizes[1]:,} rows", "sqlite3 -csv", ratio(pairs), 5.0, note=note)
    yield Figure("  most memory", "", max(run.peak_mebibytes for run in runs), 90.0, unit="MiB")
    command = [bench.rentpay, "payments", "--json", "--limit", bench.few_or(100_000, few=1_000)]
    run = whole_process(command, environment, out=bench.folder / "ours.json")
    yield Figure("payments --json --limit 100000, most memory", "", run.peak_mebibytes, 60.0, unit="MiB")
