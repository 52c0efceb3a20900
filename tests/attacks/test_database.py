"""A database file that is damaged, full, locked, read-only or no database: a clear sentence, and nothing is lost."""

# ruff: noqa: F811 - fixtures of another folder are imported by name

from __future__ import annotations

import json
import os
import resource
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from random import Random

import httpx
import pytest

from rentpay_cli.cli.app import main
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import engine
from tests.attacks.target import environment, serving
from tests.cli.conftest import Books, Cli, Ran, cli, database_url, quick, two_properties  # noqa: F401
from tests.support.beginnings import Begin

pytestmark = pytest.mark.forges  # files that are damaged, or no database at all

COMMANDS = (
    ("payments",),
    ("status", "1"),
    ("history", "1"),
    ("health",),
    ("report", "revenue"),
    ("journal",),
    ("owner", "add", "--name", "Somebody"),
    ("callbacks", "list"),
)
KNOWN_CODES = {"database", "configuration", "not_found", "needs_attention", "refused", "taken"}


def three_rents(rt: Runtime) -> None:
    """Three rents that were paid, and whose shares were paid out."""
    two_properties(rt)
    books = Books(rt)
    for _ in range(3):
        books.completed()


@pytest.fixture
def file(cli: Cli, begin: Begin, database_url: str) -> Path:
    """A database file with some history, closed."""
    begin(three_rents)
    path = engine.sqlite_path(database_url)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


def said(cli: Cli, capsys: pytest.CaptureFixture[str], *arguments: str) -> Ran:
    """What a command says, with the mistakes of our own that `main` would show."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--json"])
    captured = capsys.readouterr()
    return Ran(int(ended.value.code or 0), captured.out, captured.err)


def is_clear(ran: Ran) -> bool:
    """Whether it worked, or said in a sentence that the database cannot be used."""
    document = ran.json
    if document["success"]:
        return ran.status in (0, 6)
    return ran.status in (1, 3, 4) and document["error"]["code"] != "internal" and "Traceback" not in ran.err


@pytest.mark.parametrize("seed", range(12))
def test_flipped_bytes_never_make_a_command_stumble(
    file: Path,
    cli: Cli,
    capsys: pytest.CaptureFixture[str],
    seed: int,
) -> None:
    chance = Random(seed)
    content = bytearray(file.read_bytes())
    for _ in range(chance.choice((1, 20, 400))):
        content[chance.randrange(len(content))] ^= chance.randrange(1, 256)
    for command in COMMANDS:
        file.write_bytes(content)
        ran = said(cli, capsys, *command)
        assert is_clear(ran), (command, ran)


@pytest.mark.parametrize("part", [0, 1, 99, 100, 4096, 0.3, 0.9])
def test_a_file_that_was_cut_short_is_said_to_be_damaged_or_made_anew(
    file: Path,
    cli: Cli,
    capsys: pytest.CaptureFixture[str],
    part: float,
) -> None:
    whole = file.read_bytes()
    size = int(len(whole) * part) if isinstance(part, float) else part
    for command in COMMANDS:
        file.write_bytes(whole[:size])
        ran = said(cli, capsys, *command)
        assert is_clear(ran), (command, ran)


def a_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def a_link_to_nothing(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/null")


def a_newer_database(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()


def some_text(path: Path) -> None:
    path.write_text("These are the rents of November.\n" * 1000)


def another_database(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE rents (amount)")


@pytest.mark.parametrize(
    "spoil", [a_directory, a_link_to_nothing, a_newer_database, some_text, another_database], ids=lambda f: f.__name__
)
@pytest.mark.parametrize("command", [*COMMANDS, ("serve-callbacks", "--port", "0")], ids=" ".join)
def test_what_is_no_database_of_ours_is_refused(
    file: Path,
    cli: Cli,
    capsys: pytest.CaptureFixture[str],
    spoil: Callable[[Path], None],
    command: tuple[str, ...],
) -> None:
    spoil(file)
    before = file.read_bytes() if file.is_file() else None
    ran = said(cli, capsys, *command)
    assert (ran.status, ran.json["error"]["code"]) == (4, "database"), ran
    assert ran.json["error"]["hint"]
    assert before == (file.read_bytes() if file.is_file() else None)


def test_a_locked_database_is_waited_for(file: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "BUSY_TIMEOUT_SECONDS", 0.2)
    with closing(sqlite3.connect(file, isolation_level=None)) as locker:
        locker.execute("BEGIN IMMEDIATE")
        assert cli("payments").status == 0, "reading goes on"
        ran = cli("owner", "add", "--name", "Somebody", "--json")
        assert ran.refusal == (4, "database")
        assert "locked" in ran.json["error"]["message"]
        locker.execute("ROLLBACK")
    assert cli("owner", "add", "--name", "Somebody").status == 0


# --- the listener ----------------------------------------------------------------------------------------------------


def post(url: str, body: bytes, token: str = "0" * 32) -> int:
    return httpx.post(f"{url}/api/payments/callback/{token}", content=body, timeout=20).status_code


def stored(path: Path) -> int:
    with closing(sqlite3.connect(path, timeout=20)) as connection:
        return int(connection.execute("SELECT COUNT(*) FROM inbox").fetchone()[0])


def limited(process: subprocess.Popen[str], size: int) -> None:
    """From now on the process cannot write files beyond the size, as on a full disk."""
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def test_a_callback_that_finds_the_disk_full_is_refused_and_stored_when_it_comes_again(
    file: Path,
    database_url: str,
    tmp_path: Path,
) -> None:
    with serving(database_url, tmp_path / "log") as (process, url):
        assert post(url, b"first") == 200
        limited(process, 1)
        assert [post(url, b"second" + b"x" * 9000) for _ in range(3)] == [503] * 3
        assert process.poll() is None
        limited(process, resource.RLIM_INFINITY)
        assert post(url, b"second" + b"x" * 9000) == 200
    assert stored(file) == 2
    assert sqlite3.connect(file).execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_command_that_finds_the_disk_full_says_so(
    file: Path,
    database_url: str,
) -> None:
    def full() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1, 1))

    ran = subprocess.run(
        [sys.executable, "-m", "rentpay_cli", "owner", "add", "--name", "Somebody", "--json"],
        env=environment(database_url) | {"PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        preexec_fn=full,
        check=False,
    )
    assert ran.returncode == 4, ran
    assert json.loads(ran.stdout)["error"]["code"] == "database"


def test_a_callback_that_meets_a_locked_database_is_stored_as_soon_as_it_is_free(
    file: Path,
    database_url: str,
    tmp_path: Path,
) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with serving(database_url, tmp_path / "log") as (_, url), ThreadPoolExecutor(5) as pool:
        assert post(url, b"first") == 200
        with closing(sqlite3.connect(file, isolation_level=None, timeout=20)) as locker:
            locker.execute("BEGIN IMMEDIATE")
            waiting = [pool.submit(post, url, f"body {number}".encode()) for number in range(5)]
            time.sleep(2)  # how long the database stays locked
            assert not any(each.done() for each in waiting)
            assert httpx.get(f"{url}/healthz").status_code == 200
            locker.execute("ROLLBACK")
        assert {each.result() for each in waiting} == {200}
    assert stored(file) == 6


def test_the_listener_lives_on_when_its_database_is_overwritten(
    file: Path,
    database_url: str,
    tmp_path: Path,
) -> None:
    with serving(database_url, tmp_path / "log") as (process, url):
        assert post(url, b"first") == 200
        size = file.stat().st_size
        with file.open("r+b") as opened:
            opened.seek(0)
            opened.write(os.urandom(size))
        answers = {post(url, f"body {number}".encode()) for number in range(5)}
        assert answers <= {200, 503}
        assert process.poll() is None
        log = (tmp_path / "log").read_text()
    assert "Traceback" not in log


@pytest.fixture
def read_only(file: Path) -> Iterator[Path]:
    """The file, which even the administrator cannot write, where the file system can do that."""
    made = subprocess.run(["chattr", "+i", str(file)], check=False, capture_output=True)
    if made.returncode:
        file.chmod(0o400)
        file.parent.chmod(0o500)
        if os.access(file, os.W_OK):
            file.parent.chmod(0o700)
            pytest.skip("this user can write everything, and this file system knows no immutable files")
    yield file
    file.parent.chmod(0o700)
    subprocess.run(["chattr", "-i", str(file)], check=False, capture_output=True)


def test_a_read_only_database_can_be_looked_at_and_says_so_when_written(read_only: Path, cli: Cli) -> None:
    ran = cli("owner", "add", "--name", "Somebody", "--json")
    assert ran.refusal == (4, "database")
    ran = cli("serve-callbacks", "--port", "0", "--json")
    assert ran.refusal == (4, "database")
