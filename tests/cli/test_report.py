"""`rentpay report` and CSV: periods as people say them, margins, how payouts went, and cells that are no formulas."""

from __future__ import annotations

import csv
import io
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import cast

import pytest

from rentpay_cli.cli import report, sheet, show
from rentpay_cli.cli.common import Invocation, invoked
from rentpay_cli.core.evidence import Moved, NotMoved
from rentpay_cli.errors import WrongUse
from rentpay_cli.flows.period import read_period
from rentpay_cli.store import readonly, reads
from tests.cli.conftest import Books, Cli
from tests.support.terminal import in_a_terminal


@pytest.fixture
def earned(cli: Cli, books: Books, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Two owners' shares in November and one in December, with M-Pesa's charges for two of them."""
    for paid_at, charge_cents in (
        (datetime(2026, 11, 1, 9, 0, tzinfo=UTC), 7800),
        (datetime(2026, 11, 20, 9, 0, tzinfo=UTC), 3400),
        (datetime(2026, 11, 30, 21, 0, tzinfo=UTC), None),
    ):
        books.at(paid_at)
        number = books.sent()
        books.learn(number, Moved(f"SKP{number:07d}", None, moved_at=paid_at, charge_cents=charge_cents), "payout")
    monkeypatch.setattr("rentpay_cli.flows.look.today", lambda _: date(2026, 12, 1))
    return cli


def test_charges_and_the_net_margin_stand_beside_the_fee(earned: Cli) -> None:
    content = earned.json("report", "revenue")
    assert [(row["platformFees"], row["mpesaCharges"], row["netMargin"]) for row in content["rows"]] == [
        (1000, 112, 888),
        (500, 0, 500),
    ]
    assert (content["total"], content["mpesaCharges"], content["netMargin"]) == (1500, 112, 1388)
    assert content["disbursementsWithoutCharge"] == 1
    assert earned.json("report", "revenue", "--month", "2026-11")["disbursementsWithoutCharge"] == 0
    shown = earned("report", "revenue").out
    assert "M-Pesa charged KES 112, which leaves KES 1,388." in shown
    assert "did not tell its charge for 1 of them" in shown


@pytest.mark.parametrize(
    ("arguments", "period", "fees"),
    [
        (("--last", "1d"), ("2026-12-01", "2026-12-01"), 500),
        (("--last", "30d"), ("2026-11-02", "2026-12-01"), 1000),
        (("--last", "31d"), ("2026-11-01", "2026-12-01"), 1500),
        (("--last", "2w"), ("2026-11-18", "2026-12-01"), 1000),
        (("--month", "2026-11"), ("2026-11-01", "2026-11-30"), 1000),
        (("--from", "2026-11-20"), ("2026-11-20", None), 1000),
        (("--to", "2026-11-20"), (None, "2026-11-20"), 1000),
    ],
)
def test_a_period_is_said_as_people_say_it(
    earned: Cli, arguments: tuple[str, ...], period: tuple[str | None, str | None], fees: int
) -> None:
    content = earned.json("report", "revenue", *arguments)
    assert ((content["from"], content["to"]), content["total"]) == (period, fees)


@pytest.mark.parametrize("last", ["30", "0d", "d", "-3d", "99999w", "1y", "30d "])
def test_a_time_that_is_none_is_refused(last: str) -> None:
    if last.strip() == "30d":
        assert read_period(date(2026, 12, 1), since=None, until=None, month=None, last=last).first is not None
        return
    with pytest.raises(WrongUse):
        read_period(date(2026, 12, 1), since=None, until=None, month=None, last=last)


@pytest.mark.parametrize("twice", [("--month", "2026-11", "--last", "3d"), ("--last", "3d", "--to", "2026-11-01")])
def test_a_period_that_is_said_twice_is_refused(cli: Cli, twice: tuple[str, ...]) -> None:
    for kind in ("revenue", "disbursements"):
        assert cli("report", kind, *twice, "--json").refusal == (2, "wrong_use")


def test_the_format_is_table_json_or_csv(earned: Cli) -> None:
    assert earned("report", "revenue", "--format", "json").json["total"] == 1500
    assert earned("report", "revenue", "--format", "xml", "--json").refusal == (2, "wrong_use")
    assert earned("payments", "--format", "csv", "--json").refusal == (2, "wrong_use")
    rows = list(csv.DictReader(io.StringIO(earned("report", "revenue", "--by", "day", "--format", "csv").out)))
    assert [(row["key"], row["platformFees"], row["netMargin"]) for row in rows] == [
        ("2026-11-01", "500", "422"),
        ("2026-11-20", "500", "466"),
        ("2026-12-01", "500", "500"),
    ]


def test_a_bar_is_as_long_as_its_value() -> None:
    assert report.bar(100, 100) == "█" * report.PLOT_COLUMNS
    assert report.bar(50, 100) == "█" * (report.PLOT_COLUMNS // 2)
    assert report.bar(1, 100) == "▎"
    assert report.bar(0, 100) == report.bar(0, 0) == ""


def test_the_plot_is_only_for_a_terminal_that_is_wide_enough(earned: Cli) -> None:
    assert "█" not in earned("report", "revenue").out
    for columns, by, drawn in ((120, "day", True), (120, "owner", False), (80, "day", False)):
        status, screen = in_a_terminal(["report", "revenue", "--by", by], [], columns=columns)
        assert status == 0
        assert ("█" in screen) is drawn, screen
        assert all(len(line) <= columns for line in screen.splitlines() if "\x1b" not in line)


# --- disbursements ---------------------------------------------------------------------------------------------------


def test_how_payouts_went_is_told(cli: Cli, books: Books) -> None:
    began = datetime(2026, 11, 3, 9, 0, tzinfo=UTC)
    for minutes in (1, 2, 9):
        books.at(began)
        books.completed(owner_paid_at=began + timedelta(minutes=minutes))
    books.learn(books.sent(), NotMoved("1", "The balance is insufficient"), "payout")
    content = cli.json("report", "disbursements")
    assert {row["status"]: (row["disbursements"], row["amount"]) for row in content["statuses"]} == {
        "pending": (0, 0),
        "processing": (0, 0),
        "completed": (3, 28500),
        "failed": (1, 9500),
        "not_required": (0, 0),
        "settled": (0, 0),
    }
    assert (content["successRate"], content["retrySuccessRate"]) == (0.75, None)
    assert (content["medianSecondsToOwner"], content["meanSecondsToOwner"]) == (120, 240)
    assert content["failures"] == [{"code": "1", "reason": "The balance is insufficient", "count": 1, "stillFailed": 1}]
    shown = cli("report", "disbursements")
    for words in ("75.0 %", "2 min 0 s", "4 min 0 s", "The balance is insufficient"):
        assert words in shown.out
    assert "rentpay explain 1" in shown.err


def test_no_disbursement_has_no_rates_and_no_times(cli: Cli, books: Books) -> None:
    content = cli.json("report", "disbursements", "--month", "2026-01")
    assert content["successRate"] is content["medianSecondsToOwner"] is None
    assert content["failures"] == []
    assert cli("report", "disbursements").status == 0


def test_the_statuses_are_also_csv(cli: Cli, books: Books) -> None:
    books.completed()
    rows = list(csv.reader(io.StringIO(cli("report", "disbursements", "--format", "csv").out)))
    assert rows[0] == ["status", "disbursements", "amount", "payments"]
    assert ["completed", "1", "9500", "1"] in rows


# --- CSV of many -----------------------------------------------------------------------------------------------------


def test_payments_and_a_history_are_streamed_as_csv_without_an_end_at_fifty(
    cli: Cli, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reads, "PAGE_ROWS", 2)
    for _ in range(5):
        books.completed()
    for arguments, first in ((("payments",), "id"), (("history", "1"), "paymentId")):
        ran = cli(*arguments, "--format", "csv")
        rows = list(csv.DictReader(io.StringIO(ran.out)))
        assert [row[first] for row in rows] == ["5", "4", "3", "2", "1"]
        assert ran.out.count("\r\n") == 6
        limited = list(csv.DictReader(io.StringIO(cli(*arguments, "--format", "csv", "--limit", "3").out)))
        assert [row[first] for row in limited] == ["5", "4", "3"]
        after = list(csv.DictReader(io.StringIO(cli(*arguments, "--format", "csv", "--before", "3").out)))
        assert [row[first] for row in after] == ["2", "1"]
    assert rows[0]["disbursementAmount"] == "9500"
    assert "254722***111" in cli("payments", "--format", "csv").out
    assert "254722000111" in cli("payments", "--format", "csv", "--reveal").out


def test_csv_has_every_key_of_the_json(cli: Cli, books: Books) -> None:
    books.completed()
    for arguments, key in ((("payments",), "payments"), (("history", "1"), "disbursements")):
        heading = next(csv.reader(io.StringIO(cli(*arguments, "--format", "csv").out)))
        assert set(heading) == set(cli.json(*arguments)[key][0])


def test_a_cell_is_never_a_formula(capsys: pytest.CaptureFixture[str]) -> None:
    texts = ["=1+1", "+254", "-2", "@SUM(A1)", "\tx", 'say "a", b', "plain"]
    sheet.write(["text", "number"], [{"text": text, "number": -78} for text in texts])
    rows = list(csv.reader(io.StringIO(capsys.readouterr().out, newline="")))
    assert [row[0] for row in rows[1:]] == ["'=1+1", "'+254", "-2", "'@SUM(A1)", "' x", 'say "a", b', "plain"]
    assert {row[1] for row in rows[1:]} == {"-78"}


@pytest.mark.parametrize(
    "written", [lambda rows: sheet.write(["id", "text"], rows), lambda rows: show.document_with_list("rows", rows)]
)
def test_a_million_rows_need_no_more_memory_than_a_page(
    written: Callable[[Iterator[readonly.Row]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Table:
        def rows(self, _: str, *, size: int, before_id: int = 15_001) -> Iterator[readonly.Row]:
            row = {"text": "x" * 100, "disbursement_id": None, "transfer_members": 0}
            return iter([{"id": before_id - n, **row} for n in range(1, size + 1) if before_id > n])

    class Nowhere(io.StringIO):
        def write(self, text: str) -> int:
            return len(text)

    monkeypatch.setattr("sys.stdout", Nowhere())
    tracemalloc.start()
    try:
        with invoked(Invocation()):
            written(reads.payments(cast(readonly.Reader, Table()), limit=None))
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 2_000_000
