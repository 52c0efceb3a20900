"""What it takes to start: whole processes, from their birth to their death, against Python that does nothing.

Both sides are the same Python with the same installed packages and compiled bytecode, one after the other, at least
thirty times each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from tests.benchmarks import databases
from tests.benchmarks.databases import Size
from tests.benchmarks.shared import Bench, Figure, in_turn, mpesa, ratio, whole_process

PASS = "python -c pass"
Command = Callable[[int], Sequence[object]]


def smallest_commands(bench: Bench) -> Iterator[Figure]:
    """Commands that open no database."""
    nothing = _seconds(bench, [bench.python, "-c", "pass"])
    for what, arguments, status, limit in (
        ("rentpay --version", ["--version"], 0, 8.0),
        ("a usage error", ["no-such-command"], 2, 8.0),
        ("rentpay --help", ["--help"], 0, 14.0),
    ):
        ours = _seconds(bench, [bench.rentpay, *arguments], statuses=(status,))
        yield Figure(what, PASS, ratio(in_turn(_rounds(bench), ours, nothing)), limit)


def commands_that_look(bench: Bench) -> Iterator[Figure]:
    """Commands that are typed most, on SQLite with 100,000 payments; and a well-known tool that only shows its help."""
    path = databases.sqlite(bench, "look", Size(bench.few_or(100_000, few=1_000)))
    url = f"sqlite:///{path}"
    nothing = _seconds(bench, [bench.python, "-c", "pass"])
    peer = _seconds(bench, [bench.peer("sqlite-utils"), "--help"])
    for arguments in (["status", "500"], ["payments"], ["health"], ["history", "2"]):
        ours = _seconds(bench, [bench.rentpay, *arguments], url=url, statuses=(0, 6))  # 6: health found something
        what = f"rentpay {' '.join(arguments)}"
        yield Figure(what, PASS, ratio(in_turn(_rounds(bench), ours, nothing)), 9.0)
        yield Figure(what, "sqlite-utils --help", ratio(in_turn(_rounds(bench), ours, peer)), 0.9)


WRITES = "import typer, dotenv, sqlmodel, sqlalchemy.dialects.sqlite"
SENDS = f"{WRITES}, platformdirs, httpx"


def commands_that_write(bench: Bench) -> Iterator[Figure]:
    """Commands that write or send, against a process that only imports the libraries that they need."""
    rounds = _rounds(bench)
    source = Size(bench.few_or(100_000, few=1_000), due=rounds + 1)
    path = databases.sqlite(bench, "write", source)
    url = f"sqlite:///{path}"
    with mpesa(bench) as address:
        for what, libraries, command in (
            (
                "rentpay record-payment",
                WRITES,
                lambda _: ["record-payment", "--property", "1", "--amount", "10000", "--method", "cash"],
            ),
            (
                "rentpay initiate",
                SENDS,
                lambda number: ["initiate", "--property", "1", "--phone", f"0110{number + 1:06d}"],
            ),
            ("rentpay disburse", SENDS, lambda number: ["disburse", source.due_ids[number + 1]]),
        ):
            ours = _seconds(bench, [bench.rentpay], command, url=url, address=address)
            imports = _seconds(bench, [bench.python, "-c", libraries])
            yield Figure(what, f"python -c '{libraries}'"[:43], ratio(in_turn(rounds, ours, imports)), 1.15)


def _rounds(bench: Bench) -> int:
    return bench.few_or(31, few=2)


def _seconds(
    bench: Bench,
    program: Sequence[object],
    arguments: Command = lambda _: (),
    *,
    url: str = "",
    address: str = "http://127.0.0.1:9",
    statuses: Sequence[int] = (0,),
) -> Callable[[int], float]:
    environment = bench.environment(url, address)
    return lambda number: whole_process([*program, *arguments(number)], environment, statuses=statuses).wall_seconds
