"""The access token: one for all processes of the machine, renewed early, and never in the way."""

from __future__ import annotations

import json
import multiprocessing
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from rentpay_cli.daraja.auth import RENEW_BEFORE_SECONDS, Token, TokenCache, lifetime

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
URL, KEY = "https://sandbox.example", "a-made-up-key"


class Mint:
    """Gives out tokens t1, t2, … and counts them."""

    def __init__(self, good_for: timedelta = timedelta(minutes=58), now: datetime = NOW) -> None:
        self.count = 0
        self.good_until = now + good_for

    def __call__(self) -> Token:
        self.count += 1
        return Token(f"t{self.count}", self.good_until)


def cache(folder: Path, url: str = URL, key: str = KEY) -> TokenCache:
    return TokenCache(folder, url, key)


def kept_file(folder: Path) -> Path:
    (path,) = folder.glob("token-*.json")
    return path


def test_a_token_is_fetched_once_and_then_kept(tmp_path: Path) -> None:
    mint = Mint()
    tokens = cache(tmp_path)
    assert [tokens.get(NOW, mint).value for _ in range(5)] == ["t1"] * 5
    assert mint.count == 1


def test_two_objects_share_one_token(tmp_path: Path) -> None:
    mint = Mint()
    assert cache(tmp_path).get(NOW, mint).value == "t1"
    assert cache(tmp_path).get(NOW, mint).value == "t1"
    assert mint.count == 1


def test_the_file_is_readable_by_its_owner_alone_and_leaves_no_drafts(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    tokens = cache(folder)
    tokens.get(NOW, Mint())
    tokens.get(NOW, Mint(), refused="t1")
    assert kept_file(folder).stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.suffix for path in folder.iterdir()} == {".json", ".lock"}
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert KEY not in "".join(path.name for path in folder.iterdir())


@pytest.mark.parametrize(("url", "key"), [(URL, "another-key"), ("https://production.example", KEY)])
def test_another_app_or_another_host_has_its_own_token(tmp_path: Path, url: str, key: str) -> None:
    mint = Mint()
    cache(tmp_path).get(NOW, mint)
    assert cache(tmp_path, url, key).get(NOW, mint).value == "t2"
    assert cache(tmp_path).get(NOW, mint).value == "t1"


def test_a_token_is_used_until_it_is_renewed_and_not_a_moment_longer(tmp_path: Path) -> None:
    mint = Mint(good_for=timedelta(minutes=10))
    tokens = cache(tmp_path)
    tokens.get(NOW, mint)
    assert tokens.get(NOW + timedelta(minutes=10, microseconds=-1), mint).value == "t1"
    assert tokens.get(NOW + timedelta(minutes=10), mint).value == "t2"


def test_a_token_that_mpesa_refused_is_replaced(tmp_path: Path) -> None:
    mint = Mint()
    tokens = cache(tmp_path)
    assert tokens.get(NOW, mint).value == "t1"
    assert tokens.get(NOW, mint, refused="t1").value == "t2"
    assert tokens.get(NOW, mint).value == "t2"


def test_a_token_that_another_process_already_replaced_is_not_replaced_again(tmp_path: Path) -> None:
    mint = Mint()
    cache(tmp_path).get(NOW, mint)
    assert cache(tmp_path).get(NOW, mint, refused="t1").value == "t2"
    assert cache(tmp_path).get(NOW, mint, refused="t1").value == "t2"
    assert mint.count == 2


GOOD_UNTIL = (NOW + timedelta(hours=1)).isoformat()


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"text"',
        b"5",
        b"{}",
        b'{"value": "old"}',
        b'{"goodUntil": "2099-01-01T00:00:00+00:00"}',
        b'{"value": "old", "goodUntil": "soon"}',
        b'{"value": "old", "goodUntil": 5}',
        b'{"value": "old", "goodUntil": null}',
        b'{"value": "old", "goodUntil": "2026-01-01T00:00:00"}',
        b"\xff\xfe\x00",
        b"[" * 200_000,
    ],
)
def test_a_damaged_file_is_ignored_and_replaced(tmp_path: Path, damage: bytes) -> None:
    mint = Mint()
    cache(tmp_path).get(NOW, mint)
    kept_file(tmp_path).write_bytes(damage)
    assert cache(tmp_path).get(NOW, mint).value == "t2"
    assert json.loads(kept_file(tmp_path).read_text())["value"] == "t2"


def test_a_folder_that_cannot_be_made_costs_only_the_sharing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    mint = Mint()
    tokens = cache(tmp_path / "file" / "folder")
    assert tokens.get(NOW, mint).value == "t1"
    assert tokens.get(NOW, mint, refused="t1").value == "t2"


def test_a_place_that_cannot_be_written_costs_only_the_sharing(tmp_path: Path) -> None:
    mint = Mint()
    tokens = cache(tmp_path)
    tokens.get(NOW, mint)
    path = kept_file(tmp_path)
    path.unlink()
    path.mkdir()
    assert tokens.get(NOW, mint).value == "t2"
    assert tokens.get(NOW, mint).value == "t3"


def test_a_lock_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    tokens = cache(tmp_path)
    tokens.get(NOW, Mint())
    (lock,) = tmp_path.glob("*.lock")
    lock.unlink()
    lock.symlink_to(tmp_path / "elsewhere")
    assert tokens.get(NOW, Mint(), refused="t1") is not None
    assert not (tmp_path / "elsewhere").exists()


def test_a_fetch_that_fails_is_told_and_leaves_no_lock_behind(tmp_path: Path) -> None:
    def fail() -> Token:
        raise RuntimeError("no token today")

    with pytest.raises(RuntimeError, match="no token today"):
        cache(tmp_path).get(NOW, fail)
    assert list(tmp_path.glob("*.json")) == []
    assert cache(tmp_path).get(NOW, Mint()).value == "t1"


def test_a_fetch_that_fails_in_a_folder_that_cannot_be_made_is_told_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    def fail() -> Token:
        raise OSError("no network")

    with pytest.raises(OSError, match="no network"):
        cache(tmp_path / "file" / "folder").get(NOW, fail)


class RacingCache(TokenCache):
    """A cache that looks for a token, finds none, and goes on only when all the others have found none either."""

    def race(self, wait_for_the_others: Callable[[], object]) -> RacingCache:
        self._wait: Callable[[], object] | None = wait_for_the_others
        return self

    def _read(self) -> Token | None:
        token = super()._read()
        if self._wait is not None:
            assert token is None
            wait, self._wait = self._wait, None
            wait()
        return token


def test_eight_threads_that_ask_at_once_fetch_one_token(tmp_path: Path) -> None:
    mint = Mint()
    barrier = threading.Barrier(8, timeout=30)
    got: list[str] = []

    def ask() -> None:
        got.append(RacingCache(tmp_path, URL, KEY).race(barrier.wait).get(NOW, mint).value)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert got == ["t1"] * 8
    assert mint.count == 1


def _ask_in_a_process(folder: str, wait: Callable[[], object]) -> str:
    def fetch() -> Token:
        with (Path(folder) / "fetches").open("a") as file:
            file.write("x")
        return Token("shared", NOW + timedelta(hours=1))

    return RacingCache(Path(folder) / "tokens", URL, KEY).race(wait).get(NOW, fetch).value


def _run(folder: str, barrier: Any, answers: Any) -> None:
    answers.put(_ask_in_a_process(folder, barrier.wait))


def test_eight_processes_that_ask_at_once_fetch_one_token(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    barrier, answers = spawn.Barrier(8, timeout=60), spawn.Queue()
    workers = [spawn.Process(target=_run, args=(str(tmp_path), barrier, answers)) for _ in range(8)]
    for worker in workers:
        worker.start()
    got = [answers.get(timeout=60) for _ in workers]
    for worker in workers:
        worker.join(timeout=60)
    answers.close()
    answers.join_thread()
    assert got == ["shared"] * 8
    assert (tmp_path / "fetches").read_text() == "x"


def test_a_token_does_not_show_itself() -> None:
    token = Token("very-secret", NOW)
    assert "very-secret" not in f"{token} {token!r} {[token]}"


@pytest.mark.parametrize(
    ("expires_in", "seconds"),
    [
        ("3599", 3599 - RENEW_BEFORE_SECONDS),
        (3599, 3599 - RENEW_BEFORE_SECONDS),
        (" 3599 ", 3599 - RENEW_BEFORE_SECONDS),
        (None, 3599 - RENEW_BEFORE_SECONDS),
        ("", 3599 - RENEW_BEFORE_SECONDS),
        ("soon", 3599 - RENEW_BEFORE_SECONDS),
        (True, 3599 - RENEW_BEFORE_SECONDS),
        ([], 3599 - RENEW_BEFORE_SECONDS),
        ("100", 50),
        (60, 30),
        (0, 0),
        (-5, 0),
    ],
)
def test_a_token_is_renewed_before_its_end(expires_in: object, seconds: int) -> None:
    assert lifetime(expires_in) == timedelta(seconds=seconds)


@pytest.mark.parametrize("expires_in", ["99999999999999999999", 10**12, "86400"])
def test_no_token_is_trusted_longer_than_mpesas_hour(expires_in: object) -> None:
    assert lifetime(expires_in) <= timedelta(hours=1)
