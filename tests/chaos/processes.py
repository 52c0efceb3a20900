"""Real processes under faults and sudden deaths, then calm, then the comparison with M-Pesa's own ledger.

    python -m tests.chaos.processes --runs 20 --seed 7 --database sqlite

One seed draws one plan: which faults the simulator has, who pays rent and how it ends, what operators type, and when
each process dies. The same seed draws the same plan again; how the processes meet in time is the machine's. The plan is
written into the run's folder, which is kept if a promise was broken.

A run is a storm and a calm. In the storm commands run several at once and die by SIGKILL, from outside at a moment or
from inside at a named point; so do the listeners, which come back; and strangers post callbacks. In the calm no fault
strikes, time moves on, everything quiet is chased, and what M-Pesa cannot tell an operator rules with the ledger in
hand, as with a statement. Then nothing may be open, and everything must agree.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import httpx

from rentpay_cli.store import readonly, schema
from rentpay_cli.store.read.invariants import Breach, breaches
from tests.chaos import statement
from tests.chaos.children import CannotRun, Child, Hangs, Listener, Platform
from tests.chaos.nursery import Nursery
from tests.chaos.statement import Row, Statement
from tests.support.databases import copies, own_server

COMMANDS_AT_ONCE = 8
CLOCKS_MINUTES = (6, 20, 40)
MOST_ROUNDS = 6
EXPECTED_STATUSES = frozenset({0, 1, 3, 5, 6})

FAULTS = (
    *(
        f"{product}:{fault}"
        for product in ("stk", "b2b")
        for fault in (
            "lost",
            "503-before",
            "503-after",
            "html",
            "empty",
            "slow,seconds=1",
            "no-callback",
            "callback-twice",
            "callback-early",
            "result,code=1",
            "result,code=17",
        )
    ),
    "b2b:queue-timeout,moved=true",
    "b2b:queue-timeout,moved=false",
    "status:lost",
    "status:no-callback",
    "stk-query:503-after",
    "stk-query:pending",
    "oauth:503-before",
)
PHONE_ENDINGS = ("01", "02", "03", "04", "05", "06", "07")


# --- the plan --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Step:
    """Something that an operator types, perhaps twice in the same moment, and where its processes die."""

    pause_seconds: float
    arguments: tuple[str, ...]
    deaths: tuple[str, ...]
    """One for each process; the empty text lets it live."""
    listener: int
    ahead_seconds: int = 0


@dataclass(frozen=True)
class Life:
    """One life of a listener: where it dies, and how long nobody listens afterwards."""

    death: str
    away_seconds: float


@dataclass(frozen=True)
class Post:
    """A callback that somebody sends who is not M-Pesa."""

    pause_seconds: float
    listener: int
    path: str
    kind: str
    marker: str


@dataclass(frozen=True)
class Plan:
    """All that chance decides about a run."""

    seed: int
    auto_disbursement: bool
    listeners: int
    delay_seconds: float
    faults: tuple[str, ...]
    register: tuple[tuple[str, ...], ...]
    steps: tuple[Step, ...]
    lives: tuple[tuple[Life, ...], ...]
    posts: tuple[Post, ...]


def draw_plan(seed: int, listeners: int) -> Plan:
    """Draw a plan; the same seed and number of listeners give the same plan."""
    chance = random.Random(seed)
    properties, auto = chance.randint(2, 4), chance.random() < 0.35
    return Plan(
        seed=seed,
        auto_disbursement=auto,
        listeners=listeners,
        delay_seconds=round(chance.uniform(0.05, 0.3), 2),
        faults=tuple(_draw_faults(chance)),
        register=tuple(_draw_register(chance, properties)),
        steps=tuple(_draw_steps(chance, properties, listeners)),
        lives=tuple(tuple(_draw_lives(chance, auto)) for _ in range(listeners)),
        posts=tuple(_draw_post(chance, listeners) for _ in range(200)),
    )


def _draw_faults(chance: random.Random) -> Iterator[str]:
    for fault in chance.sample(FAULTS, len(FAULTS)):
        if chance.random() < 0.6:
            often = (0.03, 0.06, 0.1) if fault.startswith("stk:") else (0.2, 0.4, 0.6)  # most tenants shall pay
            yield f"{fault},probability={chance.choice(often)}"


def _draw_register(chance: random.Random, properties: int) -> Iterator[tuple[str, ...]]:
    owners = chance.randint(1, 2)
    for number in range(1, owners + 1):
        yield ("owner", "add", "--name", f"Owner {number}")
    for number in range(1, properties + 1):
        fee = ("--fee-percentage", chance.choice(("3", "7.5", "12"))) if chance.random() < 0.3 else ()
        owner = f"Owner {chance.randint(1, owners)}"
        place = ("--name", f"House {number}", "--paybill", f"60000{number}", "--account", f"HOUSE{number:03}")
        yield ("property", "add", "--owner", owner, *place, "--rent", "10000", *fee)


def _draw_steps(chance: random.Random, properties: int, listeners: int) -> Iterator[Step]:
    wanted = chance.randint(8, 14)
    asked = 0
    while asked < wanted or chance.random() < 0.93:
        kind = (
            "initiate"
            if asked < 3
            else chance.choice(("initiate", "initiate", "disburse", "disburse", "disburse", "retry-failed", "other"))
        )
        if kind == "initiate" and asked < wanted:
            asked += 1
            yield _step(chance, listeners, *_draw_initiate(chance, properties, asked))
        elif kind == "retry-failed":
            mended = ("--include", "mend-first") if chance.random() < 0.3 else ()
            yield _step(chance, listeners, "retry-failed", *mended, processes=chance.choice((1, 1, 2)))
        elif kind == "other":
            ahead = chance.choice((0, 90, 400))
            known = ("status", str(chance.randint(1, asked)))
            yield _step(chance, listeners, *chance.choice((("chase",), ("chase",), known)), ahead_seconds=ahead)
        else:
            wait = ("--wait", "--timeout", "3") if chance.random() < 0.15 else ()
            number = str(chance.randint(1, asked))
            yield _step(chance, listeners, "disburse", number, *wait, processes=chance.choice((1, 1, 2, 3)))


def _draw_initiate(chance: random.Random, properties: int, number: int) -> Iterator[str]:
    ending = chance.choice(PHONE_ENDINGS) if chance.random() < 0.35 else f"{chance.randint(10, 99)}"
    yield from ("initiate", "--property", f"House {chance.randint(1, properties)}")
    yield from ("--phone", f"07220{chance.randint(0, 2)}00{ending}")
    yield from ("--amount", str(1000 + 311 * number + chance.randint(0, 200)))  # each payment has its own
    if chance.random() < 0.6:
        yield "--force"
    if chance.random() < 0.15:
        yield from ("--wait", "--timeout", "3")


def _step(chance: random.Random, listeners: int, *arguments: str, processes: int = 1, ahead_seconds: int = 0) -> Step:
    return Step(
        pause_seconds=round(chance.expovariate(12), 3),
        arguments=arguments,
        deaths=tuple(_draw_death(chance) if chance.random() < 0.5 else "" for _ in range(processes)),
        listener=chance.randrange(listeners),
        ahead_seconds=ahead_seconds,
    )


def _draw_death(chance: random.Random) -> str:
    kind = chance.choice(("kill", "before-commit", "after-commit", "after-send", "after-send"))
    if kind == "kill":
        return f"kill:{chance.uniform(0.01, 0.3):.3f}"
    return f"{kind}:{1 if kind == 'after-send' else chance.randint(1, 3)}"


def _draw_lives(chance: random.Random, pays_by_itself: bool) -> Iterator[Life]:
    for _ in range(chance.randint(2, 6)):
        kill = f"kill:{chance.uniform(0.2, 2):.2f}"
        commit = f"{chance.choice(('before-commit', 'after-commit'))}:{chance.randint(2, 15)}"
        death = chance.choice((kill, commit, "after-send:1") if pays_by_itself else (kill, commit))
        yield Life(death, round(chance.choice((0.0, chance.uniform(0, 0.6))), 2))


def _draw_post(chance: random.Random, listeners: int) -> Post:
    token = f"{chance.getrandbits(128):032x}"
    paths = ("callback", f"callback/{token}", "b2b-callback", f"b2b-callback/{token}", f"b2b-callback/{token}/timeout")
    return Post(
        pause_seconds=round(chance.expovariate(8), 3),
        listener=chance.randrange(listeners),
        path=f"/api/payments/{chance.choice(paths)}",
        kind=chance.choice(("json", "bytes", "forged rent", "forged payout", "deep")),
        marker=f"marker-{chance.getrandbits(64):016x}",
    )


# --- the storm -------------------------------------------------------------------------------------------------------


class Storm:
    """Carries a plan out."""

    def __init__(self, platform: Platform, plan: Plan) -> None:
        self._platform = platform
        self._plan = plan
        self._lives = [iter(lives) for lives in plan.lives]
        self._current = [Life("", 0) for _ in plan.lives]
        self._back_at = [0.0 for _ in plan.lives]
        self.commands: list[Child] = []
        self.listeners_died = 0
        self.strangers = Strangers(platform, plan.posts)

    def rage(self) -> None:
        """Type everything, kill what is to die, and wait until every command has ended."""
        self.strangers.start()
        try:
            for step in self._plan.steps:
                self._pause(step.pause_seconds)
                self._pass_time_while(lambda: self._running() >= COMMANDS_AT_ONCE)
                self._type(step)
            self._pass_time_while(lambda: self._running() > 0)
        finally:
            self.strangers.stop()

    def _type(self, step: Step) -> None:
        listener = self._platform.listeners[step.listener]
        if len(step.deaths) > 1:
            self.commands += self._platform.start_at_once(len(step.deaths), *step.arguments, deaths=step.deaths)
            return
        self.commands.append(
            self._platform.start(
                *step.arguments, listener=listener, death=step.deaths[0], ahead_seconds=step.ahead_seconds
            )
        )

    def _running(self) -> int:
        return sum(child.is_alive for child in self.commands)

    def _pause(self, seconds: float) -> None:
        ends = time.monotonic() + seconds
        self._pass_time_while(lambda: time.monotonic() < ends)

    def _pass_time_while(self, holds: Callable[[], bool]) -> None:
        ends = time.monotonic() + 120
        while holds():
            if time.monotonic() > ends:
                raise Hangs(child for child in self.commands if child.is_alive)
            for number, listener in enumerate(self._platform.listeners):
                self._bring_back(number, listener)
            self._platform.pass_time()

    def _bring_back(self, number: int, listener: Listener) -> None:
        """Start a listener again some time after its death, for its next life."""
        if listener.is_alive:
            return
        if listener.child is not None:
            if not listener.child.was_killed:
                words = listener.child.out.read_text() + listener.child.err.read_text()[-2000:]
                raise Violated([f"the listener ended by itself with status {listener.child.status}: {words}"])
            listener.child = None
            self.listeners_died += 1
            self._back_at[number] = time.monotonic() + self._current[number].away_seconds
        if time.monotonic() >= self._back_at[number]:
            self._current[number] = next(self._lives[number], Life("", 0))
            self._platform.start_listener(listener, self._current[number].death)


class Strangers(threading.Thread):
    """Posts callbacks that M-Pesa never sent, and remembers those that were answered with 200."""

    def __init__(self, platform: Platform, posts: Sequence[Post]) -> None:
        super().__init__(name="strangers")
        self._platform = platform
        self._posts = posts
        self._stopping = threading.Event()
        self.thanked: list[str] = []

    def run(self) -> None:
        with httpx.Client(timeout=10, trust_env=False) as http:
            for post in self._posts:
                if self._stopping.wait(post.pause_seconds):
                    return
                url = self._platform.listeners[post.listener].url + post.path
                try:
                    answer = http.post(url, content=body_of(post))
                except httpx.HTTPError:  # nobody listens just now, or whoever did has died
                    continue
                if answer.status_code == 200:
                    self.thanked.append(post.marker)

    def stop(self) -> None:
        self._stopping.set()
        self.join()


def body_of(post: Post) -> bytes:
    """What a stranger sends: rubbish, or a success that never was."""
    match post.kind:
        case "forged rent":
            items = [{"Name": "Amount", "Value": 1311}, {"Name": "MpesaReceiptNumber", "Value": "FORGED0001"}]
            told = {"ResultCode": 0, "ResultDesc": post.marker, "CallbackMetadata": {"Item": items}}
            ids = {"MerchantRequestID": "1-2-3", "CheckoutRequestID": "ws_CO_1"}
            return json.dumps({"Body": {"stkCallback": ids | told}}).encode()
        case "forged payout":
            ids = {"ConversationID": "AG_1", "OriginatorConversationID": "1-2-3", "TransactionID": "FORGED0002"}
            return json.dumps({"Result": {"ResultType": 0, "ResultCode": 0, "ResultDesc": post.marker, **ids}}).encode()
        case "bytes":
            return b"\x00\xff\xfe{" + post.marker.encode()
        case "deep":
            return b"[" * 5000 + post.marker.encode()
    return json.dumps({"hello": post.marker}).encode()


# --- the calm --------------------------------------------------------------------------------------------------------


class Calm:
    """No fault strikes any more: chase what is quiet as time goes on, then rule on what M-Pesa cannot tell."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._url = platform.database_url
        self.commands: list[Child] = []
        self.rulings = 0

    def settle(self) -> None:
        """Go on until nothing changes any more."""
        for minutes in CLOCKS_MINUTES:
            self._platform.move_clock(minutes * 60)
            self._until_nothing_changes(self._chase)
        self._refuse_what_chasing_should_have_settled()
        self._until_nothing_changes(self._operate)

    def _until_nothing_changes(self, act: Callable[[], None]) -> None:
        for _ in range(MOST_ROUNDS):
            before = self._snapshot()
            act()
            self._wait_until_quiet()
            if self._snapshot() == before:
                return
        raise Violated(
            [f"it does not come to rest in {MOST_ROUNDS} rounds: something is sent or asked again and again"]
        )

    def _chase(self) -> None:
        self._run([("chase", "--wait", "--timeout", "20")])

    def _refuse_what_chasing_should_have_settled(self) -> None:
        """M-Pesa answers every question now, so that only attempts which it never gave an id may be open."""
        still = [
            row
            for row in statement.attempts(self._url)
            if row["state"] not in ("moved", "not_moved")
            and (row["originator_conversation_id"] or row["checkout_request_id"])
        ]
        if still:
            raise Violated([f"chasing did not settle attempt {r['id']} of payment {r['of_payment']}" for r in still])

    def _operate(self) -> None:
        """Do what an operator does: rule with the statement in hand, send again what failed, send what is due."""
        known = Statement(statement.payments(self._url), statement.attempts(self._url), [], self._platform.ledger(), {})
        rulings = [ruling for payment in known.payments if (ruling := ruling_on(known, payment))]
        self.rulings += len(rulings)
        self._run(rulings, must_succeed=True)
        current = statement.payments(self._url)
        if any(payment["disbursement_status"] == "failed" for payment in current):
            self._run([("retry-failed", "--include", "mend-first")])
        if not self._platform.auto:
            self._run([("disburse", str(payment["id"])) for payment in current if _is_due(payment)])

    def _run(self, commands: Sequence[tuple[str, ...]], *, must_succeed: bool = False) -> None:
        done = self._platform.run_all(commands)
        self.commands += done
        refused = [child for child in done if child.status != 0]
        if must_succeed and refused:
            raise Violated([f"{child.name} was refused: {child.out.read_text()}" for child in refused])

    def _wait_until_quiet(self) -> None:
        """Wait until every callback was read and nothing has moved for a while."""
        ends = time.monotonic() + 20
        last, since = None, time.monotonic()
        while time.monotonic() < ends:
            seen, now = self._snapshot(), time.monotonic()
            if seen != last or self._is_busy():
                last, since = seen, now
            if now - since > self._platform.delay + 0.2:
                return
            time.sleep(0.05)

    def _is_busy(self) -> bool:
        unread = statement.rows(self._url, "SELECT count(*) AS n FROM inbox WHERE state = 'new'")[0]["n"]
        due = self._platform.auto and any(_is_due(payment) for payment in statement.payments(self._url))
        return bool(unread or due)

    def _snapshot(self) -> list[tuple[object, ...]]:
        payments = [
            (p["id"], p["status"], p["receipt"], p["disbursement_status"]) for p in statement.payments(self._url)
        ]
        return [*payments, *((a["id"], a["state"], a["receipt"]) for a in statement.attempts(self._url))]


def ruling_on(known: Statement, payment: Row) -> tuple[str, ...] | None:
    """What an operator rules about a payment that is in doubt, by the ledger; None if it is in no doubt."""
    if payment["status"] == "pending" or (payment["status"] == "success" and payment["receipt"] is None):
        found = known.collected_for(payment["id"])
    elif payment["disbursement_status"] == "processing":
        found = known.payouts_of(payment)
    elif payment["disbursement_status"] == "failed" and payment["advice"] == "ask":
        found = []
    else:
        return None
    verdict = ("--paid", str(found[0]["receipt"])) if found else ("--not-paid",)
    return ("resolve", str(payment["id"]), *verdict, "--reason", "by the statement", "--yes")


def _is_due(payment: Row) -> bool:
    return payment["disbursement_status"] == "pending" and payment["receipt"] is not None


# --- a run -----------------------------------------------------------------------------------------------------------


class Violated(Exception):
    """A promise was broken before the end."""

    def __init__(self, violations: list[str]) -> None:
        super().__init__("; ".join(violations))
        self.violations = violations


@dataclass
class Outcome:
    """What became of a run."""

    seed: int
    folder: Path
    violations: list[str] = field(default_factory=list)
    seconds: float = 0.0
    payments: int = 0
    transfers: int = 0
    faults: int = 0
    killed: int = 0
    listeners_died: int = 0
    rulings: int = 0
    posts: int = 0

    def __str__(self) -> str:
        figures = (
            f"{self.payments} payments, {self.transfers} transfers, {self.faults} faults, {self.killed} commands and "
            f"{self.listeners_died} listeners killed, {self.rulings} rulings, {self.posts} strangers' callbacks kept"
        )
        if not self.violations:
            return f"seed {self.seed}: good in {self.seconds:.0f} s ({figures})"
        broken = "".join(f"\n  BROKEN {violation}" for violation in self.violations)
        return f"seed {self.seed}: BROKEN after {self.seconds:.0f} s ({figures}){broken}\n  kept: {self.folder}"


def run(seed: int, database_url: str, folder: Path, nursery: Nursery) -> Outcome:
    """One run on a fresh database; raises `CannotRun` if it could not be set up."""
    began = time.monotonic()
    plan = draw_plan(seed, listeners=1 if database_url.startswith("sqlite") else 2)
    (folder / "plan.json").write_text(json.dumps(asdict(plan), indent=1))
    outcome = Outcome(seed, folder)
    with Platform(
        folder,
        database_url,
        nursery,
        seed=seed,
        delay=plan.delay_seconds,
        auto=plan.auto_disbursement,
        listeners=plan.listeners,
    ) as platform:
        _register(platform, plan)
        storm, calm = Storm(platform, plan), Calm(platform)
        try:
            storm.rage()
            outcome.faults = platform.clear_faults()
            calm.settle()
        except Violated as violated:
            outcome.violations += violated.violations
        except Hangs as hanging:
            outcome.violations.append(str(hanging))
        outcome.violations += _look(platform, storm, calm)
        outcome.payments = len(statement.payments(database_url))
        outcome.transfers = len(platform.ledger())
        outcome.killed = sum(child.was_killed for child in storm.commands)
        outcome.listeners_died, outcome.rulings = storm.listeners_died, calm.rulings
        outcome.posts = len(storm.strangers.thanked)
    outcome.seconds = time.monotonic() - began
    return outcome


def _register(platform: Platform, plan: Plan) -> None:
    platform.do(*(arguments for arguments in plan.register if arguments[0] == "owner"))
    platform.do(*(arguments for arguments in plan.register if arguments[0] == "property"))
    platform.lay_faults(plan.faults)


def _look(platform: Platform, storm: Storm, calm: Calm) -> list[str]:
    """Every promise that is broken now that all is calm."""
    report = platform.run("report", "ledger").json()
    found = Statement.read(platform.database_url, platform.ledger(), report)
    return [
        *found.violations(),
        *(f"invariant {each.invariant.number}: {each}" for each in broken_rows(platform.database_url)),
        *statement.what_was_acknowledged_and_lost(
            platform.database_url, storm.strangers.thanked, platform.callbacks_delivered()
        ),
        *(words for child in (*storm.commands, *calm.commands) for words in broken_manners(child)),
        *(words for child in storm.commands for words in told_and_not_known(found, child)),
    ]


def broken_rows(database_url: str) -> list[Breach]:
    """The invariants that the database breaks."""
    with closing(readonly.open_if_there(database_url)) as reader:
        return [*breaches(reader)]


def broken_manners(child: Child) -> Iterator[str]:
    """How a command must end that was not killed: with a status that scripts know, and one JSON document."""
    if "Traceback" in child.err.read_text():
        yield f"{child.name} printed a traceback"
    if child.was_killed:
        return
    if child.status not in EXPECTED_STATUSES:
        yield f"{child.name} ended with {child.status}: {child.out.read_text()}"
    if "success" not in child.json():
        yield f"{child.name} did not print one JSON document"


def told_and_not_known(found: Statement, child: Child) -> Iterator[str]:
    """Ids of M-Pesa's that a command told its operator whole, and that the database does not have."""
    told = child.json()
    for name, column in (
        ("checkoutRequestId", "checkout_request_id"),
        ("disbursementConversationId", "conversation_id"),
    ):
        told_id = told.get(name, "")
        if told_id and "***" not in told_id and all(attempt[column] != told_id for attempt in found.attempts):
            yield f"{child.name} told of {told_id}, which the database does not have"


# --- many runs -------------------------------------------------------------------------------------------------------


@contextmanager
def databases(kind: str, folder: Path) -> Iterator[Callable[[], AbstractContextManager[str]]]:
    """Makes new databases of the kind, each with the current schema, and each gone after its use."""
    if kind == "postgresql":
        with own_server(folder) as server:
            yield lambda: copies(server)
        return

    @contextmanager
    def new_file() -> Iterator[str]:
        with tempfile.TemporaryDirectory(dir=folder) as place:
            url = f"sqlite:///{place}/rentpay.db"
            schema.create_or_upgrade(url, "simulator")
            yield url

    yield new_file


def run_many(kind: str, seeds: Sequence[int], *, keep: bool) -> int:
    """Run one seed after the other and return how many broke a promise."""
    server_folder = Path(tempfile.mkdtemp(prefix="rentpay-chaos-server-"))
    nursery = Nursery()
    broken = 0
    try:
        with databases(kind, server_folder) as new_database:
            for seed in seeds:
                folder = Path(tempfile.mkdtemp(prefix=f"rentpay-chaos-{kind}-{seed}-"))
                with new_database() as url:
                    outcome = run(seed, url, folder, nursery)
                    if outcome.violations:
                        _keep_database(url, folder)
                say(str(outcome))
                broken += bool(outcome.violations)
                if not outcome.violations and not keep:
                    shutil.rmtree(folder)
    finally:
        nursery.close()
        shutil.rmtree(server_folder, ignore_errors=True)
    return broken


KEPT = (
    *("payment", "money_in", "payable", "disbursement", "disbursement_member", "hold", "attempt", "enquiry", "inbox"),
    *("journal", "finding", "payout_stop"),
)


def _keep_database(url: str, folder: Path) -> None:
    """Put what the database says beside the logs of a run that broke a promise."""
    for table in KEPT:
        kept = statement.rows(url, f"SELECT * FROM {table} ORDER BY id")
        (folder / f"{table}.json").write_text("\n".join(json.dumps(row, default=str) for row in kept))


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - this is a command


def main() -> int:
    """Run from the command line; 0 if no promise was broken, 1 if one was, 2 if a run could not be set up."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.processes", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=None, help="of the first run; the next run has the next number")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--keep", action="store_true", help="keep the folders of good runs, too")
    chosen = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the processes of a run end with it
    first = random.SystemRandom().randrange(1_000_000) if chosen.seed is None else chosen.seed
    say(f"{chosen.runs} runs on {chosen.database}, seeds {first} to {first + chosen.runs - 1}")
    try:
        broken = run_many(chosen.database, range(first, first + chosen.runs), keep=chosen.keep)
    except CannotRun as error:
        say(f"ERROR {error}")
        return 2
    say(f"{broken} of {chosen.runs} runs broke a promise")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
