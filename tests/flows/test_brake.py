"""Sending sessions: how they begin, what ends them, and what keeps the next one from beginning by itself."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rentpay_cli.core.brake import MOST_AT_ONCE, MOST_BRAKES, PAUSE, TRIAL_SECONDS, End
from rentpay_cli.core.evidence import Acknowledged, Moved, NotMoved, Refused, Unanswered
from rentpay_cli.core.payout import HoldKind
from rentpay_cli.errors import BadDatabase
from rentpay_cli.flows import register
from rentpay_cli.flows.brake import Sender, may_begin_by_itself, send_all
from rentpay_cli.flows.disburse import disburse, due
from rentpay_cli.flows.learn import Source, learn
from rentpay_cli.flows.payouts import resume_payouts, stop_payouts
from rentpay_cli.flows.resolve import read_ruling, resolve
from rentpay_cli.flows.send import Failed, Unclear
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import health_reads
from rentpay_cli.store.write import holds
from tests.cli.conftest import Books
from tests.support.beginnings import Begin
from tests.support.paying import pay_due, refusal
from tests.support.scripted import ScriptedMpesa, script

NOON = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
SPIKE = Unanswered("M-Pesa answered HTTP 500, 500.003.02: System is busy.", slow_down=True)


class Platform(Books):
    """Rents that were paid, an M-Pesa that answers what the test says, and a clock that moves while somebody waits."""

    def __init__(self, rt: Runtime, *, first_number: int = 1) -> None:
        super().__init__(rt, first_number=first_number)
        self.now = NOON
        rt.now = lambda: self.now
        rt.pause = self.pause
        self.waited_seconds = 0.0
        self.on_wire = self.most_on_wire = 0
        self.lock = threading.Lock()
        self.results: Callable[[], None] = lambda: None

    def pause(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.waited_seconds += seconds
        self.results()

    def rents(self, count: int) -> list[int]:
        return [self.paid() for _ in range(count)]

    def answers(self, *answers: Any) -> ScriptedMpesa:
        """M-Pesa gives these answers to payouts, and accepts all that come after them."""
        left = list(answers)
        numbers = iter(range(1, 100_000))

        def answer(_: str, __: dict[str, Any]) -> Any:
            with self.lock:
                self.on_wire += 1
                self.most_on_wire = max(self.most_on_wire, self.on_wire)
                found = left.pop(0) if left else None
                number = next(numbers)
            self.now += timedelta(milliseconds=1)
            with self.lock:
                self.on_wire -= 1
            return found or Acknowledged(conversation_id=f"AG_{number}", originator_conversation_id=f"o_{number}")

        return script(self.rt, answer)

    def tell(self, news: Any) -> None:
        """M-Pesa tells this of every payout on its way."""
        for row in list(self.rt.reader.rows("SELECT id FROM attempt WHERE direction = 'payout' AND state = 'waiting'")):
            evidence = replace(news, receipt=f"SKQ{row['id']:07d}") if isinstance(news, Moved) else news
            with self.rt.database.transaction() as session:
                learn(session, row["id"], evidence, source=Source.CALLBACK, actor="test", at=self.now)

    def one_went_through(self) -> None:
        """A payout was paid just now."""
        payment_id = self.paid()
        script(self.rt)
        disburse(self.rt, payment_id)
        self.tell(Moved("x", None))

    def stop_reason(self) -> str | None:
        stop = health_reads.stop_in_force(self.rt.reader)
        return stop["reason"] if stop else None


def one_house(rt: Runtime) -> None:
    owner = str(register.add_owner(rt, name="Wanjiru Kamau"))
    where = {"owner_reference": owner, "paybill": "600001", "account_number": "PROP001", "rent": "10000"}
    register.add_property(rt, name="Sunset Apartments", **where)


def sixty_rents(rt: Runtime) -> None:
    one_house(rt)
    Platform(rt).rents(60)


@pytest.fixture
def platform(rt: Runtime, begin: Begin) -> Platform:
    begin(one_house)
    return Platform(rt)


@pytest.fixture
def of_sixty(rt: Runtime, begin: Begin) -> Platform:
    """A platform on which sixty rents were paid."""
    begin(sixty_rents)
    return Platform(rt, first_number=100)


# --- how a session begins ---------------------------------------------------------------------------------------------


def test_a_session_begins_with_one_on_the_wire_and_doubles_with_each_answer(platform: Platform) -> None:
    platform.one_went_through()
    platform.rents(40)
    gate = threading.Semaphore(0)
    arrived = threading.Semaphore(0)

    def answer(_: str, __: dict[str, Any]) -> Any:
        arrived.release()
        assert gate.acquire(timeout=30)
        return Acknowledged()

    script(platform.rt, answer)
    runs: list[Any] = []
    sending = threading.Thread(target=lambda: runs.append(pay_due(platform.rt)))
    sending.start()
    seen, on_wire = [], 0
    for width in (1, 2, 4, 8, 16, 16):
        while on_wire < width:
            assert arrived.acquire(timeout=30)
            on_wire += 1
        assert not arrived.acquire(timeout=0.05)  # nothing more comes while nobody is answered
        seen.append(on_wire)
        gate.release()
        on_wire -= 1
    assert seen == [1, 2, 4, 8, MOST_AT_ONCE, MOST_AT_ONCE]
    for _ in range(40):
        gate.release()
    sending.join()
    assert len(runs[0].accepted) == 40


def test_where_nothing_shows_that_payouts_go_through_one_goes_first_and_its_result_is_awaited(
    platform: Platform,
) -> None:
    numbers = platform.rents(5)
    mpesa = platform.answers()
    on_wire_at_first: list[int] = []

    def result() -> None:
        on_wire_at_first.append(len(mpesa.sent))
        if platform.waited_seconds > 3:
            platform.tell(Moved("x", None))

    platform.results = result
    assert sorted(pay_due(platform.rt).accepted) == numbers
    assert set(on_wire_at_first) == {1}


def test_without_a_result_in_a_minute_the_run_ends_and_says_so(platform: Platform) -> None:
    first, *rest = platform.rents(5)
    mpesa = platform.answers()
    run = pay_due(platform.rt)
    assert (run.accepted, run.end) == ([first], End.NO_RESULT)
    assert [(each.payment_id, each.code) for each in run.skipped] == [(number, "no_results") for number in rest]
    assert "serve-callbacks" in run.skipped[0].error
    assert len(mpesa.sent) == 1
    assert platform.waited_seconds == pytest.approx(TRIAL_SECONDS, abs=1)


def test_one_share_alone_waits_for_nothing(platform: Platform) -> None:
    (number,) = platform.rents(1)
    platform.answers()
    run = pay_due(platform.rt)
    assert (run.accepted, run.end, platform.waited_seconds) == ([number], None, 0)


def test_a_fault_of_the_receiver_passes_the_trial_on(platform: Platform) -> None:
    numbers = platform.rents(5)
    platform.answers()
    news = iter([NotMoved("SFC_IC0003", "no such paybill"), NotMoved("8", "full"), Moved("x", None)])
    platform.results = lambda: platform.tell(next(news, Moved("x", None)))
    run = pay_due(platform.rt)
    assert (sorted(run.accepted), run.end) == (numbers, None)


@pytest.mark.parametrize(
    ("code", "end"),
    [
        ("2001", End.STOPPED),
        ("8006", End.STOPPED),
        ("1", End.FLOAT_RAN_OUT),
        ("17", End.TRIAL_FAILED),
        ("2028", End.TRIAL_FAILED),
        ("a new one", End.TRIAL_FAILED),
    ],
)
def test_a_fault_of_ours_ends_the_run_after_one(of_sixty: Platform, code: str, end: End) -> None:
    mpesa = of_sixty.answers()
    of_sixty.results = lambda: of_sixty.tell(NotMoved(code, "no"))
    run = pay_due(of_sixty.rt)
    assert (len(run.accepted), len(run.skipped), run.end) == (1, 59, end)
    assert len(mpesa.sent) == 1


@pytest.mark.parametrize("made_doubtful", ["a stop was lifted", "the credential is another", "15 minutes have passed"])
def test_what_makes_a_success_of_before_count_no_longer(platform: Platform, made_doubtful: str) -> None:
    platform.one_went_through()
    platform.rents(5)
    platform.answers()
    assert send_all(platform.rt, due(platform.rt, 2)).end is None
    platform.now += timedelta(seconds=1)
    if made_doubtful == "a stop was lifted":
        stop_payouts(platform.rt, "maintenance")
        resume_payouts(platform.rt)
    elif made_doubtful == "the credential is another":
        platform.rt.settings = replace(platform.rt.settings, security_credential="another")
    else:
        platform.now += timedelta(minutes=15)
    run = pay_due(platform.rt)
    assert (len(run.accepted), run.end) == (1, End.NO_RESULT)


def test_a_person_s_ruling_does_not_show_that_payouts_go_through(platform: Platform) -> None:
    number, *_ = platform.rents(4)
    platform.answers(Unanswered("read timeout"))
    assert isinstance(disburse(platform.rt, number), Unclear)
    resolve(platform.rt, read_ruling(number, "SG722NMVXQ", False, "on the statement"))
    assert pay_due(platform.rt).end is End.NO_RESULT


# --- what ends it -----------------------------------------------------------------------------------------------------


def test_at_a_spike_arrest_the_run_ends_and_the_rest_is_not_sent(of_sixty: Platform) -> None:
    of_sixty.one_went_through()
    mpesa = of_sixty.answers(*[SPIKE] * 60)
    run = pay_due(of_sixty.rt)
    assert (len(run.unclear), len(run.skipped), run.end) == (1, 59, End.SLOW_DOWN)
    assert len(mpesa.sent) == 1
    assert {each.code for each in run.skipped} == {"slow_down"}


def test_in_its_midst_only_what_was_on_the_wire_leaves(of_sixty: Platform) -> None:
    of_sixty.one_went_through()
    mpesa = of_sixty.answers(Acknowledged(), *[SPIKE] * 60)
    run = pay_due(of_sixty.rt)
    assert run.end is End.SLOW_DOWN
    assert len(mpesa.sent) <= 3


def test_three_without_an_answer_end_the_run(platform: Platform) -> None:
    platform.one_went_through()
    platform.rents(20)
    mpesa = platform.answers(*[Unanswered("read timeout")] * 20)
    run = pay_due(platform.rt)
    assert (len(run.unclear), run.end) == (3, End.UNANSWERED)
    assert len(mpesa.sent) == 3


def test_three_that_could_not_leave_end_the_run(platform: Platform) -> None:
    platform.one_went_through()
    platform.rents(20)
    mpesa = platform.answers(*[Refused("not_sent", "No connection")] * 20)
    run = pay_due(platform.rt)
    assert (len(run.failed), run.end) == (3, End.UNANSWERED)
    assert len(mpesa.sent) == 3


def test_a_stop_in_the_midst_of_a_run_keeps_the_next_from_leaving(platform: Platform) -> None:
    platform.one_went_through()
    platform.rents(20)

    def answer(*_: Any) -> Any:
        if len(mpesa.sent) == 5:
            stop_payouts(platform.rt, "a person said so")
        return Acknowledged()

    mpesa = script(platform.rt, answer)
    run = pay_due(platform.rt, at_once=1)
    assert (len(run.accepted), len(run.skipped), run.end) == (5, 15, End.STOPPED)
    assert may_begin_by_itself(platform.rt) is False


def test_the_oldest_leave_first(platform: Platform) -> None:
    platform.one_went_through()
    numbers = platform.rents(10)
    mpesa = platform.answers()
    pay_due(platform.rt, at_once=1)
    sent = [int(request["remarks"].split()[2]) for kind, request in mpesa.sent if kind == "b2b"]
    assert sent == numbers


def test_what_can_never_be_sent_keeps_nobody_from_being_sent(platform: Platform) -> None:
    platform.one_went_through()
    for _ in range(64):  # M-Pesa told by query that they were paid, which gives no receipt
        platform.learn(platform.asked(), Moved(None, None))
    (last,) = platform.rents(1)
    platform.answers()
    assert [each.payment_id for each in due(platform.rt, 64)] == [last]
    assert pay_due(platform.rt).accepted == [last]


def test_what_is_refused_keeps_nobody_from_being_sent(platform: Platform) -> None:
    platform.one_went_through()
    first, *rest = platform.rents(4)
    shares = due(platform.rt, 10)
    with platform.rt.database.transaction() as session:  # as another process would, after they were chosen
        holds.place(session, HoldKind.PERSON, "a look", "tester", platform.rt.now(), payable_id=shares[0].payable_id)
    platform.answers()
    run = send_all(platform.rt, shares)
    assert (sorted(run.accepted), [(each.payment_id, each.code) for each in run.skipped]) == (rest, [(first, "held")])


# --- the pace ---------------------------------------------------------------------------------------------------------


def test_a_run_keeps_to_the_pace(platform: Platform) -> None:
    platform.one_went_through()
    platform.rents(10)
    platform.answers()
    platform.rt.settings = replace(platform.rt.settings, payouts_per_minute=60)
    platform.rt.__dict__.pop("payout_pace", None)
    assert len(pay_due(platform.rt).accepted) == 10
    assert 8.5 <= (platform.now - NOON).total_seconds() <= 10


def test_what_waits_for_nothing_sends_only_what_may_leave_now(platform: Platform) -> None:
    platform.one_went_through()
    numbers = platform.rents(3)
    platform.answers()
    platform.rt.settings = replace(platform.rt.settings, payouts_per_minute=60)
    platform.rt.__dict__.pop("payout_pace", None)
    sender = Sender(platform.rt)
    for number in numbers:
        run = sender.send(due(platform.rt, 10), waits=False)
        assert (run.accepted, len(run.left)) == ([number], len(numbers) - number + numbers[0] - 1)
        assert sender.send(due(platform.rt, 10), waits=False).accepted == []
        platform.now += timedelta(seconds=1)
    assert platform.waited_seconds == 0


# --- what a session leaves for the next -------------------------------------------------------------------------------


def braked(platform: Platform) -> None:
    platform.rents(1)
    platform.answers(SPIKE)
    assert pay_due(platform.rt).end is End.SLOW_DOWN


def test_after_a_brake_no_run_begins_by_itself_for_five_minutes_doubling(platform: Platform) -> None:
    platform.one_went_through()
    assert may_begin_by_itself(platform.rt)
    for times in range(1, MOST_BRAKES):
        platform.now += timedelta(seconds=1)
        braked(platform)
        platform.now += PAUSE * 2 ** (times - 1) - timedelta(seconds=1)
        assert not may_begin_by_itself(platform.rt)
        platform.now += timedelta(seconds=1)
        assert may_begin_by_itself(platform.rt)
    assert platform.stop_reason() is None


def test_the_third_brake_stops_all_payouts_for_a_person_to_look(platform: Platform) -> None:
    for _ in range(MOST_BRAKES):
        platform.now += timedelta(hours=1)
        braked(platform)
    assert platform.stop_reason() == "3 times one after the other, M-Pesa asked for fewer requests"


def test_a_success_clears_the_brake(platform: Platform) -> None:
    for _ in range(MOST_BRAKES):
        platform.now += timedelta(hours=1)
        braked(platform)
        platform.now += timedelta(seconds=1)
        platform.one_went_through()
        assert may_begin_by_itself(platform.rt)
    assert platform.stop_reason() is None


def test_a_lack_of_float_brakes_and_does_not_stop(platform: Platform) -> None:
    for _ in range(MOST_BRAKES + 1):
        platform.now += timedelta(hours=1)
        platform.rents(2)
        platform.answers()
        platform.results = lambda: platform.tell(NotMoved("1", "too little"))
        assert pay_due(platform.rt).end is End.FLOAT_RAN_OUT
        assert not may_begin_by_itself(platform.rt)
    assert platform.stop_reason() is None


def test_a_person_s_single_payout_is_sent_although_a_run_was_braked_and_brakes_runs_itself(platform: Platform) -> None:
    number, other = platform.rents(2)
    platform.answers(SPIKE)
    outcome = disburse(platform.rt, number)
    assert isinstance(outcome, Unclear)
    assert outcome.slow_down
    assert not may_begin_by_itself(platform.rt)
    platform.answers(Refused("400.002.02", "Bad Request"))
    assert isinstance(disburse(platform.rt, other), Failed)
    assert refusal(disburse(platform.rt, number)) == "outcome_unclear"


# --- whoever forbids, at the same moment ----------------------------------------------------------------------------


def at_once(*deeds: Callable[[], object]) -> None:
    start = threading.Barrier(len(deeds))

    def do(deed: Callable[[], object]) -> None:
        start.wait(30)
        deed()

    threads = [threading.Thread(target=do, args=(deed,)) for deed in deeds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_a_stop_at_the_same_moment_is_seen_or_finds_the_payout_on_its_way(platform: Platform) -> None:
    platform.answers()
    for number in platform.rents(25):
        at_once(lambda: stop_payouts(platform.rt, "now"), lambda number=number: disburse(platform.rt, number))
        rows = list(
            platform.rt.reader.rows(
                "SELECT event FROM journal WHERE event IN ('payouts stopped', 'payout intended') ORDER BY id"
            )
        )
        assert [row["event"] for row in rows[-2:]] != ["payouts stopped", "payout intended"], "it left after the stop"
        resume_payouts(platform.rt)


def test_of_several_runs_at_once_each_share_is_sent_by_one(platform: Platform) -> None:
    platform.one_went_through()
    numbers = platform.rents(30)
    mpesa = platform.answers()
    runs: list[Any] = []
    at_once(*[lambda: runs.append(pay_due(platform.rt, at_once=4)) for _ in range(4)])
    assert sorted(number for run in runs for number in run.accepted) == numbers
    assert len(mpesa.sent) == 30


# --- a database that cannot be written --------------------------------------------------------------------------------


def test_what_was_replied_is_written_again_for_a_minute(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    (number,) = platform.rents(1)
    platform.answers()
    honest, trouble = platform.rt.database.transaction, iter([True, True, True])

    def locked() -> Any:
        if mpesa_was_asked() and next(trouble, False):
            raise BadDatabase("The database is locked.")
        return honest()

    def mpesa_was_asked() -> bool:
        return bool(platform.rt.mpesa.sent)  # type: ignore[attr-defined]

    monkeypatch.setattr(platform.rt.database, "transaction", locked)
    disburse(platform.rt, number)
    monkeypatch.undo()
    row = platform.rt.reader.one("SELECT state, conversation_id FROM attempt WHERE direction = 'payout'")
    assert row == {"state": "waiting", "conversation_id": "AG_1"}
    assert platform.waited_seconds > 0


def test_what_can_still_not_be_written_is_told_and_nothing_else_is_sent(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform.one_went_through()
    platform.rents(5)
    mpesa = platform.answers()
    honest = platform.rt.database.transaction

    def locked() -> Any:
        if mpesa.sent:
            raise BadDatabase("The database is locked.")
        return honest()

    monkeypatch.setattr(platform.rt.database, "transaction", locked)
    with pytest.raises(BadDatabase):
        pay_due(platform.rt)
    monkeypatch.undo()
    assert len(mpesa.sent) == 1
    assert platform.waited_seconds >= 60
