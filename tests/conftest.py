"""What the tests share: both databases, a runtime, and a whole world with a simulator and a listener."""

from __future__ import annotations

import functools
import os
import re
import secrets
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import certifi
import pytest

from rentpay_cli.core import access
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import readonly, schema
from rentpay_cli.store.read.invariants import breaches
from tests.chaos.nursery import Nursery
from tests.support.beginnings import Begin, Beginnings
from tests.support.databases import ServerUrl, copies, own_server
from tests.support.processes import Processes
from tests.support.stage import Simulators, Stage, built, serving
from tests.support.warm import build_commands_once, compile_sql_once
from tests.support.world import World, settings_for

ROOM_BYTES = 4 * 2**30
MOST_CORES = 8  # each process has a PostgreSQL of its own
LONG_RUN_SECONDS = 30
PLACES_SHOWN = 12

os.environ.pop("NO_COLOR", None)
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # without bytecode each process that is started takes five times longer
sys.dont_write_bytecode = False


def roomy_memory() -> str | None:
    """A folder in memory with room to spare, in which programs may be started; None if there is none."""
    folder = "/dev/shm"
    try:
        free = shutil.disk_usage(folder).free
        found = re.search(r"MemAvailable:\s*(\d+) kB", Path("/proc/meminfo").read_text())
        may_start = not os.statvfs(folder).f_flag & os.ST_NOEXEC and os.access(folder, os.W_OK | os.X_OK)
    except OSError:
        return None
    return folder if found and may_start and min(free, int(found[1]) * 1024) > ROOM_BYTES else None


if memory := roomy_memory():  # where nobody waits for a disk: SQLite writes each commit through to it
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", memory)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int | None:
    """One process more than there are cores, since many tests wait for others or for time to pass."""
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None
    return min(len(os.sched_getaffinity(0)), MOST_CORES) + 1


@pytest.fixture(scope="session", autouse=True)
def one_certificate_is_enough(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nothing here speaks TLS, but each client of httpx reads all the world's certificates, which takes it 20 ms."""
    first, end, _ = Path(certifi.where()).read_text().partition("-----END CERTIFICATE-----")
    path = tmp_path_factory.mktemp("certificates") / "one.pem"
    path.write_text(first + end)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(certifi, "where", lambda: str(path))
        patch.setenv("SSL_CERT_FILE", str(path))  # which some machines have set, and which processes inherit
        yield


@pytest.fixture(scope="session", autouse=True)
def warm() -> Iterator[None]:
    """Tests run in a process that has done everything before."""
    with pytest.MonkeyPatch.context() as patch:
        compile_sql_once(patch)
        build_commands_once(patch)
        yield


@pytest.fixture(autouse=True)
def nothing_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests see no settings, no folders and no terminal of the person who runs them."""
    for name in list(os.environ):
        if name.startswith(("MPESA_", "RENTPAY_", "PLATFORM_FEE", "AUTO_DISBURSEMENT")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite database with the current schema, to be copied."""
    path = tmp_path_factory.mktemp("template") / "template.db"
    schema.create_or_upgrade(f"sqlite:///{path}", "simulator")
    return path


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[ServerUrl]:
    """A real PostgreSQL server, one for this test process.

    Its files are kept out of pytest's own folder, which every pytest that starts closes to other users.
    """
    folder = Path(tempfile.mkdtemp(prefix="rentpay-tests-", dir=memory))
    with own_server(folder) as server:
        yield server
    shutil.rmtree(folder)


@pytest.fixture
def new_sqlite(sqlite_template: Path, tmp_path: Path) -> Callable[[], str]:
    """Makes an SQLite database with the current schema."""

    def make() -> str:
        path = tmp_path / f"{secrets.token_hex(4)}.db"
        shutil.copy(sqlite_template, path)
        return f"sqlite:///{path}"

    return make


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """A database as new, with the current schema: the test runs once on each kind."""
    if request.param == "sqlite":
        yield request.getfixturevalue("new_sqlite")()
        return
    server: ServerUrl = request.getfixturevalue("postgresql_server")
    with copies(server) as url:
        yield url


@pytest.fixture(autouse=True)
def rows_agree(request: pytest.FixtureRequest, nothing_of_this_machine: None) -> Iterator[None]:
    """Whatever a test did to its database, nothing is broken at its end, unless it is marked `forges`."""
    if "database_url" not in request.fixturenames or request.node.get_closest_marker("forges"):
        yield
        return
    url = request.getfixturevalue("database_url")
    yield
    if url.startswith("sqlite"):
        with closing(readonly.open_if_there(url)) as reader:
            found = [*breaches(reader)]
    else:
        found = [*breaches(request.getfixturevalue("postgresql_server").in_use[url].reader())]
    assert [str(breach) for breach in found] == []


@pytest.fixture(scope="session")
def openssl() -> str:
    """The program, for tests that are marked `system`."""
    found = shutil.which("openssl")
    if found is None:
        pytest.skip("openssl is not installed")
    return found


@pytest.fixture(scope="session")
def beginnings(tmp_path_factory: pytest.TempPathFactory) -> Beginnings:
    """What many tests begin with."""
    return Beginnings(tmp_path_factory.mktemp("beginnings"))


@pytest.fixture
def begin(database_url: str, beginnings: Beginnings) -> Begin:
    """Let the test's database hold what a function builds there, which it does once for all tests."""
    return functools.partial(beginnings.begin, database_url)


@pytest.fixture(scope="session")
def hashed_once() -> Iterator[None]:
    """The hash of a token's secret takes long, as it must; here the same one is made only once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(access, "secret_hash", functools.cache(access.secret_hash))
        yield


@pytest.fixture(scope="session")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    """Runs commands in processes of their own."""
    nursery = Nursery()
    yield Processes(nursery, tmp_path_factory.mktemp("processes"))
    nursery.close()


@pytest.fixture(scope="session")
def simulators(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulators]:
    """The address of all simulators of this test process."""
    with serving(tmp_path_factory.mktemp("simulators")) as opened:
        yield opened


@pytest.fixture(scope="session")
def stage(simulators: Simulators) -> Iterator[Stage]:
    """The simulators and a listener, for all worlds of this test process."""
    with built(simulators) as opened:
        yield opened


@pytest.fixture
def world(database_url: str, stage: Stage) -> Iterator[World]:
    """A simulator, a listener and a runtime on the database; callbacks are read when the test says so."""
    with World.open(database_url, stage) as opened:
        yield opened


@pytest.fixture
def rt(database_url: str) -> Iterator[Runtime]:
    """A runtime on the database whose M-Pesa nobody answers for."""
    runtime = Runtime(settings_for(database_url), actor="tester")
    yield runtime
    runtime.close()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """After a long run, tell where its time went, so that whoever makes it slower sees it."""
    seconds, tests = Counter[str](), Counter[str]()
    for report in (each for reports in terminalreporter.stats.values() for each in reports):
        if isinstance(report, pytest.TestReport):
            place = "/".join(report.nodeid.partition("::")[0].split("/")[:2])
            seconds[place] += report.duration
            tests[place] += report.when == "call"
    if seconds.total() < LONG_RUN_SECONDS:
        return
    terminalreporter.section("where the time went, in seconds of one process")
    for place, each in seconds.most_common(PLACES_SHOWN):
        terminalreporter.write_line(f"{each:8.1f}  {tests[place]:5} tests  {place}")
