"""`rentpay backup` and `restore`: what a copy holds, who may read it, and what going back never does."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rentpay_cli.core.evidence import Moved
from rentpay_cli.errors import RuleRefused
from rentpay_cli.flows import backup, register
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import schema
from tests.cli.conftest import Books, Cli
from tests.support.terminal import ROOT, in_a_terminal
from tests.support.world import settings_for


@pytest.fixture
def database(database_url: str) -> Path:
    return Path(database_url.removeprefix("sqlite:///"))


def names(path: Path) -> list[str]:
    connection = sqlite3.connect(path)
    try:
        return [name for (name,) in connection.execute("SELECT name FROM owner ORDER BY id")]
    finally:
        connection.close()


def setting(path: Path, name: str) -> str | None:
    connection = sqlite3.connect(path)
    try:
        row = connection.execute("SELECT value FROM setting WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])
    finally:
        connection.close()


def test_a_backup_is_one_plain_file_that_its_owner_alone_can_read(
    cli: Cli, books: Books, database: Path, tmp_path: Path
) -> None:
    books.paid()
    before = set(tmp_path.iterdir())
    content = cli.json("backup", "copy.db")
    assert content["payments"] == 1
    assert content["sizeBytes"] == Path("copy.db").stat().st_size
    assert content["upTo"].endswith("Z")
    assert {path.name for path in set(tmp_path.iterdir()) - before} == {"copy.db"}
    assert stat.S_IMODE(Path("copy.db").stat().st_mode) == 0o600
    assert names(Path("copy.db")) == ["Wanjiru Kamau"]


def test_the_time_of_the_last_backup_is_remembered_and_told_in_the_journal(
    cli: Cli, books: Books, database: Path
) -> None:
    assert setting(database, "last_backup_at") is None
    cli("backup", "copy.db")
    first = int(setting(database, "last_backup_at") or 0)
    cli("backup", "copy.db", "--yes")
    assert int(setting(database, "last_backup_at") or 0) >= first > 1_700_000_000_000
    events = [row["event"] for row in books.rt.reader.rows("SELECT event FROM journal ORDER BY id")]
    assert events.count("backup made") == 2


def test_a_backup_made_while_others_write_is_whole(cli: Cli, books: Books, rt: Runtime) -> None:
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            register.add_owner(rt, name=f"Owner {number}")

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for number in range(5):
            assert cli("backup", f"{number}.db").status == 0
    finally:
        stop.set()
        thread.join()
    kept = [names(Path(f"{number}.db")) for number in range(5)]
    assert [len(each) for each in kept] == sorted(len(each) for each in kept)
    assert kept[-1][1:] == [f"Owner {number}" for number in range(1, len(kept[-1]))]


def test_a_copy_in_many_steps_sees_one_moment_although_others_write(
    books: Books, rt: Runtime, database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rentpay_cli.store.backup.PAGES_A_STEP", 1)
    seen: list[tuple[int, int]] = []

    def write(done: int, total: int) -> None:
        seen.append((done, total))
        if len(seen) < 20:  # each step of the copy, were it not for its transaction, would begin anew
            register.add_owner(rt, name=f"Owner {len(seen)}")

    backup.back_up(books.rt, tmp_path / "copy.db", overwrite=False, on_progress=write)
    assert names(tmp_path / "copy.db") == ["Wanjiru Kamau"]
    assert [done for done, _ in seen] == list(range(1, len(seen) + 1))
    assert seen[-1] == (len(seen), len(seen))
    assert len(names(database)) == 20


def test_ctrl_c_leaves_no_half_file_and_keeps_the_one_that_was_there(
    cli: Cli, books: Books, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    @contextmanager
    def progress() -> Iterator[Callable[..., None]]:
        yield interrupt

    (tmp_path / "old.db").write_text("precious")
    before = set(tmp_path.iterdir())
    monkeypatch.setattr("rentpay_cli.cli.backup._progress", progress)
    for target in ("copy.db", "old.db"):
        assert cli("backup", target, "--yes", "--json").refusal == (130, "interrupted")
    assert set(tmp_path.iterdir()) == before
    assert (tmp_path / "old.db").read_text() == "precious"


def test_a_copy_that_takes_long_shows_a_bar_in_a_terminal_and_nowhere_else(cli: Cli, books: Books) -> None:
    books.rt.close()
    slowly = (
        "import time; from rentpay_cli.cli import backup as command; from rentpay_cli.store import backup;"
        " command.PATIENCE_SECONDS = 0.1; check = backup._check_integrity;"
        " backup._check_integrity = lambda *all: (time.sleep(0.5), check(*all))[1];"
        " from rentpay_cli.cli.app import main; main(['backup', 'copy.db', '--yes'])"
    )
    status, screen = in_a_terminal([], [], python=["-c", slowly])
    assert status == 0
    assert "Checking" in screen
    patiently = slowly.replace("PATIENCE_SECONDS = 0.1", "PATIENCE_SECONDS = 30")
    assert "Checking" not in in_a_terminal([], [], python=["-c", patiently])[1]
    piped = subprocess.run(
        [sys.executable, "-c", slowly],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": ROOT},
    )
    assert "Checking" not in piped.stdout + piped.stderr


def test_an_existing_file_is_replaced_only_with_a_yes(cli: Cli, books: Books) -> None:
    Path("copy.db").write_text("precious")
    assert cli("backup", "copy.db", "--json").refusal == (2, "wrong_use")
    assert Path("copy.db").read_text() == "precious"
    assert cli("backup", "copy.db", "--yes").status == 0
    assert names(Path("copy.db")) == ["Wanjiru Kamau"]


def test_a_file_that_appears_meanwhile_is_not_overwritten(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backup, "check_target", lambda *_: Path("copy.db").write_text("precious"))
    with pytest.raises(RuleRefused):
        backup.back_up(books.rt, Path("copy.db"), overwrite=False)
    assert Path("copy.db").read_text() == "precious"


def test_a_backup_never_follows_a_link_or_hits_the_database_itself(cli: Cli, books: Books, database: Path) -> None:
    Path("other.txt").write_text("precious")
    Path("link.db").symlink_to("other.txt")
    Path("folder").mkdir()
    for target in ("link.db", str(database), "folder", "nowhere/copy.db"):
        assert cli("backup", target, "--yes", "--json").refusal == (2, "wrong_use"), target
    assert Path("other.txt").read_text() == "precious"
    assert names(database) == ["Wanjiru Kamau"]


def test_a_restore_goes_back_and_keeps_what_was_there(cli: Cli, books: Books, database: Path) -> None:
    cli("backup", "copy.db")
    cli("owner", "add", "--name", "Later")
    books.rt.close()
    content = cli.json("restore", "copy.db", "--yes")
    assert names(database) == ["Wanjiru Kamau"]
    assert names(Path(content["kept"])) == ["Wanjiru Kamau", "Later"]
    assert Path(content["kept"]).parent == database.parent
    assert content["backTo"].endswith("Z")
    for path in (database, Path(content["kept"])):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert names(Path("copy.db")) == ["Wanjiru Kamau"]
    assert cli.json("owner", "list")["owners"][0]["name"] == "Wanjiru Kamau"
    assert not [path for path in database.parent.iterdir() if path.name.startswith(".")]


def test_what_was_paid_out_after_the_copy_cannot_be_sent_again_unseen(cli: Cli, books: Books) -> None:
    number = books.paid()
    cli("backup", "copy.db")
    books.rt.close()
    assert cli("restore", "copy.db", "--yes").status == 0
    ran = cli("disburse", str(number), "--yes", "--json")
    assert ran.status == 1
    assert "Restored from a backup" in ran.json["error"]["message"] + ran.json["error"]["hint"]


def test_a_restore_asks_first_and_without_a_yes_changes_nothing(cli: Cli, books: Books, database: Path) -> None:
    cli("backup", "copy.db")
    cli("owner", "add", "--name", "Later")
    books.rt.close()
    assert cli("restore", "copy.db", "--json").refusal == (2, "wrong_use")
    assert names(database) == ["Wanjiru Kamau", "Later"]


def test_a_restore_is_refused_while_somebody_has_the_database_open(cli: Cli, books: Books, database: Path) -> None:
    cli("backup", "copy.db")
    register.add_owner(books.rt, name="Later")
    ran = cli("restore", "copy.db", "--yes", "--json")
    assert ran.refusal == (1, "in_use")
    assert "serve-callbacks" in ran.json["error"]["hint"]
    assert names(database) == ["Wanjiru Kamau", "Later"]
    assert not list(database.parent.glob("*before-restore*"))


def test_what_only_the_write_ahead_log_holds_is_kept_with_the_old_one(cli: Cli, books: Books, database: Path) -> None:
    cli("backup", "copy.db")
    register.add_owner(books.rt, name="Only in the log")
    for beside in ("", "-wal"):  # as a process leaves them that was killed
        shutil.copy(f"{database}{beside}", f"killed.db{beside}")
    books.rt.close()
    cli.configure(RENTPAY_DATABASE_URL=f"sqlite:///{Path('killed.db').absolute()}")
    content = cli.json("restore", "copy.db", "--yes")
    assert not Path(f"{content['kept']}-wal").exists()
    assert names(Path(content["kept"])) == ["Wanjiru Kamau", "Only in the log"]
    assert names(Path("killed.db")) == ["Wanjiru Kamau"]


def test_a_damaged_database_is_set_aside_with_its_log(cli: Cli, books: Books, database: Path) -> None:
    cli("backup", "copy.db")
    Path("broken.db").write_bytes(b"no database at all" * 500)
    Path("broken.db-wal").write_bytes(b"log")
    cli.configure(RENTPAY_DATABASE_URL=f"sqlite:///{Path('broken.db').absolute()}")
    content = cli.json("restore", "copy.db", "--yes")
    assert Path(content["kept"]).read_bytes().startswith(b"no database")
    assert Path(f"{content['kept']}-wal").read_bytes() == b"log"
    assert names(Path("broken.db")) == ["Wanjiru Kamau"]


def test_a_restore_where_there_was_no_database_makes_it(cli: Cli, books: Books, elsewhere: Path) -> None:
    cli("backup", "copy.db")
    cli.configure(RENTPAY_DATABASE_URL=f"sqlite:///{elsewhere}")
    assert cli.json("restore", "copy.db", "--yes")["kept"] is None
    assert names(elsewhere) == ["Wanjiru Kamau"]


def test_only_a_sound_database_of_ours_and_of_this_environment_is_restored(
    cli: Cli, books: Books, database: Path
) -> None:
    cli("backup", "copy.db")
    books.rt.close()
    whole = Path("copy.db").read_bytes()
    Path("text.db").write_text("these are my notes")
    Path("torn.db").write_bytes(whole[: len(whole) // 2])
    sqlite3.connect("foreign.db").close()
    schema.create_or_upgrade("sqlite:///sandbox.db", "sandbox")
    shutil.copy("copy.db", "newer.db")
    with sqlite3.connect("newer.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    for name, refusal in (
        ("nothing.db", (3, "not_found")),
        ("text.db", (1, "foreign")),
        ("torn.db", (1, None)),
        ("foreign.db", (1, "foreign")),
        ("sandbox.db", (4, "database")),
        ("newer.db", (4, "database")),
        (str(database), (2, "wrong_use")),
    ):
        status, code = cli("restore", name, "--yes", "--json").refusal
        assert (status, code if refusal[1] else None) == refusal, name
    assert names(database) == ["Wanjiru Kamau"]
    assert not [path for path in database.parent.iterdir() if path.name.startswith(".")]


def test_a_restore_says_what_time_it_goes_back_to(cli: Cli, books: Books) -> None:
    from datetime import UTC, datetime

    books.at(datetime(2027, 11, 1, 9, 0, tzinfo=UTC))
    books.learn(books.asked(), Moved("SKN0000009", None))
    cli("backup", "copy.db")
    books.rt.close()
    shown = cli("restore", "copy.db", "--yes").out
    assert "01 Nov 2027 12:00:00 EAT" in shown
    assert "stopped" in shown


def test_on_postgresql_its_own_tools_are_named_and_the_password_is_not(cli: Cli) -> None:
    cli.configure(RENTPAY_DATABASE_URL="postgresql://rent:s3cret@db.example/rent?sslmode=require&password=s3cret")
    for command, tool in (("backup", "pg_dump --format=custom"), ("restore", "pg_restore --clean")):
        ran = cli(command, "copy.dump", "--json")
        assert ran.refusal == (1, "postgresql")
        assert tool in ran.json["error"]["hint"]
        assert "postgresql://rent@db.example/rent?sslmode=require" in ran.json["error"]["hint"]
        assert "copy.dump" in ran.json["error"]["hint"]
        assert ("rentpay payouts stop" in ran.json["error"]["hint"]) == (command == "restore")
        assert "s3cret" not in ran.out + cli(command, "copy.dump").err


def test_settings_that_name_a_file_by_a_link_are_refused(books: Books, database: Path, tmp_path: Path) -> None:
    from rentpay_cli.errors import WrongUse

    backup.back_up(books.rt, tmp_path / "copy.db", overwrite=False)
    link = tmp_path / "link.db"
    link.symlink_to(database)
    rt = Runtime(settings_for(f"sqlite:///{link}"))
    with pytest.raises(WrongUse):
        backup.restore(rt, tmp_path / "copy.db", lambda _: None)


def test_what_is_no_database_cannot_be_restored_and_the_disk_is_not_blamed(cli: Cli, tmp_path: Path) -> None:
    for content in (b"rent-server\n", b""):
        (tmp_path / "hostname").write_bytes(content)
        ran = cli("restore", "hostname", "--yes", "--json")
        assert ran.refusal == (1, "foreign")
        assert "hostname is no database of rentpay's" in ran.json["error"]["message"]
        assert ran.json["error"]["hint"] == "Name a file that `rentpay backup` has made."


@pytest.mark.parametrize("command", ["backup", "restore"])
def test_a_place_that_the_system_lets_nobody_look_at_is_told_in_a_sentence(cli: Cli, command: str) -> None:
    ran = cli(command, "x" * 300, "--yes", "--json")
    assert ran.refusal == (1, "refused")
    assert ran.json["error"]["message"].endswith("cannot be used: File name too long.")
    assert ran.json["error"]["hint"].startswith("Name a file ")


def test_a_yes_that_nobody_can_give_is_asked_for_with_its_question(cli: Cli, books: Books) -> None:
    cli("backup", "copy.db")
    message = cli("backup", "copy.db", "--json").json["error"]["message"]
    assert message == "This needs a yes, and there is no terminal to ask at: copy.db exists. Replace it?"
