"""The worker: bounded rounds, errors that end a round only, and a stop that finishes what is in hand."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rentpay_cli.core.evidence import Acknowledged, Refused, Unanswered
from rentpay_cli.errors import BadDatabase
from rentpay_cli.runtime import Runtime
from rentpay_cli.service import worker
from rentpay_cli.service.worker import Payer, Worker, round_of_work
from rentpay_cli.store import health_reads, inbox, reads
from tests.cli.conftest import Books
from tests.support.scripted import ScriptedMpesa, script
from tests.support.world import settings_for

NOON = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
Rounds = Callable[[Callable[[Runtime, Any], int]], None]


class Log:
    """Keeps every event."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []

    def __call__(self, event: str, **fields: Any) -> None:
        self.events.append((event, fields))

    @property
    def names(self) -> list[str]:
        return [event for event, _ in self.events]


def eventually(holds: Callable[[], bool]) -> None:
    ends = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < ends
        time.sleep(0.005)


@pytest.fixture
def database_url(new_sqlite: Callable[[], str]) -> str:
    return new_sqlite()


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def books(rt: Runtime) -> Books:
    from rentpay_cli.flows import register

    owner = str(register.add_owner(rt, name="Wanjiru Kamau"))
    register.add_property(
        rt, name="Sunset Apartments", owner_reference=owner, paybill="600001", account_number="PROP001", rent="10000"
    )
    return Books(rt)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is waited for after an error."""
    monkeypatch.setattr(worker, "LONGEST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(Worker, "idle_seconds", 0.01)


@pytest.fixture
def started(rt: Runtime, log: Log, quick: None) -> Iterator[Worker]:
    """A worker that is always stopped."""
    made = Worker(rt, log)
    yield made
    if made._thread.ident is not None:
        made.stop()


def auto(rt: Runtime) -> None:
    rt.settings = settings_for(rt.settings.database_url, AUTO_DISBURSEMENT="true")


def arrive(rt: Runtime, number: int) -> None:
    inbox.append(rt.database, [("collection", None, None, b"%d" % each) for each in range(number)], rt.now())


def unread(rt: Runtime) -> int:
    return int(health_reads.open_work(rt.reader)["unread"])


def test_a_round_reads_so_many_and_no_more(rt: Runtime, log: Log) -> None:
    arrive(rt, worker.READ_AT_ONCE + 5)
    assert round_of_work(rt, log) == worker.READ_AT_ONCE
    assert unread(rt) == 5
    assert round_of_work(rt, log) == 5
    assert round_of_work(rt, log) == 0
    assert set(log.names) == {"callback held"}


def test_a_round_sends_so_many_and_no_more(
    rt: Runtime, books: Books, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "PAY_AT_ONCE", 3)
    books.completed()  # lately, so that no trial goes first
    for _ in range(5):
        books.paid()
    auto(rt)
    mpesa = script(rt)
    assert round_of_work(rt, log) == 3
    assert len(mpesa.sent) == 3
    round_of_work(rt, log)
    round_of_work(rt, log)
    assert len(mpesa.sent) == 5
    assert {request["remarks"] for _, request in mpesa.sent} == {f"Rent payment {n} attempt 1" for n in range(2, 7)}


def test_a_trial_is_waited_for_from_round_to_round_while_callbacks_are_read(
    rt: Runtime, books: Books, log: Log
) -> None:
    for _ in range(3):
        books.paid()
    auto(rt)
    mpesa, payer = script(rt), Payer(rt, log)
    assert round_of_work(rt, log, payer=payer) == 1
    assert round_of_work(rt, log, payer=payer) == 0
    assert len(mpesa.sent) == 1
    books.results_come()
    assert round_of_work(rt, log, payer=payer) == 2
    assert len(mpesa.sent) == 3


def test_a_trial_without_a_result_brakes_and_the_next_begins_later(rt: Runtime, books: Books, log: Log) -> None:
    books.at(NOON)
    for _ in range(3):
        books.paid()
    auto(rt)
    mpesa, payer = script(rt), Payer(rt, log)
    for seconds, sent in ((0, 1), (59, 1), (61, 1), (300, 1), (361, 2)):
        books.at(NOON + timedelta(seconds=seconds))
        payer.pay_due()
        assert len(mpesa.sent) == sent, seconds
    assert ("payouts braked", "no_results") in [(event, fields.get("code")) for event, fields in log.events]


def test_the_worker_keeps_to_the_pace_without_waiting_for_it(rt: Runtime, books: Books, log: Log) -> None:
    books.at(NOON)
    books.completed()
    for _ in range(4):
        books.paid()
    auto(rt)
    rt.settings = replace(rt.settings, payouts_per_minute=60)
    rt.pause = lambda _: pytest.fail("the worker waits for no pace")
    mpesa, payer = script(rt), Payer(rt, log)
    for seconds, sent in ((0, 1), (0.5, 1), (1.1, 2), (2.2, 3), (2.4, 3), (3.3, 4)):
        books.at(NOON + timedelta(seconds=seconds))
        payer.pay_due()
        assert len(mpesa.sent) == sent, seconds


def test_nothing_is_sent_by_itself_unless_it_is_switched_on(rt: Runtime, books: Books, log: Log) -> None:
    books.paid()
    mpesa = script(rt)
    assert round_of_work(rt, log) == 0
    assert mpesa.sent == []
    auto(rt)
    assert round_of_work(rt, log) == 1
    assert len(mpesa.sent) == 1


def test_what_became_of_each_payout_is_logged_with_its_payment(rt: Runtime, books: Books, log: Log) -> None:
    replies = {
        2: Acknowledged(conversation_id="AG_x", originator_conversation_id="o-x"),
        3: Refused("401.002.01", "Bad request"),
        4: Unanswered("no answer came"),
    }
    books.completed()
    for _ in replies:
        books.paid()
    auto(rt)
    mpesa = ScriptedMpesa(lambda _, request: replies[int(request["remarks"].split()[2])])
    rt.__dict__["mpesa"] = mpesa
    round_of_work(rt, log)
    assert {event: fields["payment"] for event, fields in log.events} == {
        "payout accepted by M-Pesa, outcome not known yet": 2,
        "payout refused": 3,
        "payout unclear": 4,
    }
    before = len(mpesa.sent)
    round_of_work(rt, log)
    assert len(mpesa.sent) == before, "what failed or is unclear is not sent again by itself"


def in_rounds(monkeypatch: pytest.MonkeyPatch, work: Callable[[], int]) -> None:
    monkeypatch.setattr(worker, "round_of_work", lambda *_: work())


def test_an_error_ends_the_round_and_not_the_worker(started: Worker, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    rounds: list[int] = []

    def work() -> int:
        rounds.append(len(rounds))
        if len(rounds) == 1:
            raise BadDatabase("The database is locked.", "Wait.")
        if len(rounds) == 2:
            raise ZeroDivisionError("a mistake of ours")
        return 0

    in_rounds(monkeypatch, work)
    started.start()
    eventually(lambda: len(rounds) > 4)
    assert log.names[:2] == ["the round ended early", "the round failed"]
    assert log.events[0][1]["error"] == "The database is locked."
    assert log.events[1][1]["error"] == "ZeroDivisionError: a mistake of ours"
    assert started.health() == (True, {"status": "ok", "worker": "alive"})
    assert started.failures == 0


def test_a_worker_that_fails_again_and_again_says_so_and_recovers(
    started: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = threading.Event()
    broken.set()

    def work() -> int:
        if broken.is_set():
            raise BadDatabase("The database is locked.", "Wait.")
        return 0

    in_rounds(monkeypatch, work)
    started.start()
    eventually(lambda: not started.health()[0])
    assert started.health()[1]["status"] == "failing"
    assert started.health()[1]["worker"] == "alive"
    broken.clear()
    eventually(lambda: started.health()[0])


def test_the_pause_after_errors_grows_and_is_bounded(rt: Runtime, log: Log) -> None:
    made = Worker(rt, log)
    made._stopping.set()  # nothing is really waited for
    for _ in range(12):
        made._rest_after("the round failed", "x")
    pauses = [fields["again_in_seconds"] for _, fields in log.events]
    assert pauses == sorted(pauses)
    assert pauses[0] <= 2
    assert pauses[-1] == worker.LONGEST_PAUSE_SECONDS


def test_a_worker_that_fails_for_a_whole_night_still_lives_in_the_morning(rt: Runtime, log: Log) -> None:
    made = Worker(rt, log)
    made._stopping.set()  # nothing is really waited for
    made.failures = 5_000
    made._rest_after("the round failed", "x")
    assert log.events[0][1]["again_in_seconds"] == worker.LONGEST_PAUSE_SECONDS


def test_a_worker_that_does_not_run_is_dead(rt: Runtime, log: Log) -> None:
    made = Worker(rt, log)
    assert made.health() == (False, {"status": "failing", "worker": "dead"})
    made.start()
    eventually(lambda: made.health()[0])
    made.stop()
    assert made.health()[1]["worker"] == "dead"


def test_stop_finishes_what_is_in_hand(rt: Runtime, books: Books, log: Log, quick: None) -> None:
    books.paid()
    auto(rt)
    on_the_wire, may_answer = threading.Event(), threading.Event()

    def answer(_: str, __: dict[str, Any]) -> Any:
        on_the_wire.set()
        assert may_answer.wait(10)
        return Acknowledged(conversation_id="AG_1", originator_conversation_id="o-1")

    mpesa = ScriptedMpesa(answer)
    rt.__dict__["mpesa"] = mpesa
    made = Worker(rt, log)
    made.start()
    assert on_the_wire.wait(10)
    stopping = threading.Thread(target=made.stop)
    stopping.start()
    stopping.join(0.1)
    assert stopping.is_alive(), "it waits for the payout that is on the wire"
    may_answer.set()
    stopping.join(10)
    assert not stopping.is_alive()
    row = reads.payment(rt.reader, 1)
    assert row is not None
    assert (row["payout_state"], row["conversation_id"]) == ("waiting", "AG_1")
    assert log.names == ["payout accepted by M-Pesa, outcome not known yet"]


def test_what_arrives_is_read_at_once(rt: Runtime, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Worker, "idle_seconds", 60.0)
    made = Worker(rt, log)
    made.start()
    try:
        time.sleep(0.1)  # it has found nothing, and rests
        arrive(rt, 1)
        made.wake()
        eventually(lambda: log.names == ["callback held"])
    finally:
        began = time.monotonic()
        made.stop()
    assert time.monotonic() - began < 5, "a stop does not wait for the pause to end"


def test_a_callback_that_trips_the_reader_up_does_not_stop_those_behind_it(
    rt: Runtime, log: Log, started: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rentpay_cli.flows import read_inbox

    honest = read_inbox._understand

    def trip(runtime: Runtime, session: Any, item: Any) -> Any:
        if item.id == 1:
            raise ValueError("odd")
        return honest(runtime, session, item)

    monkeypatch.setattr(read_inbox, "_understand", trip)
    arrive(rt, 3)
    started.start()
    eventually(lambda: len(log.events) == 3)
    assert unread(rt) == 0
    assert started.failures == 0
