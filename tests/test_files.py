"""Files with secrets or personal data in them: closed to others from their first moment, and never written through."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rentpay_cli.config import load_settings
from rentpay_cli.daraja.auth import Token, TokenCache
from rentpay_cli.errors import BadDatabase
from rentpay_cli.flows.doctor import Result, examine
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import readonly
from tests.cli.conftest import OFFLINE
from tests.support.world import settings_for

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _others_may_read_what_is_made() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.fixture
def modes(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """The mode that every file which is made gets at its first moment."""
    seen: list[tuple[str, int]] = []
    really = os.open

    def watched(path: object, flags: int, mode: int = 0o777, **rest: object) -> int:
        if flags & os.O_CREAT:
            seen.append((str(path), mode))
        return really(path, flags, mode, **rest)  # type: ignore[call-overload, no-any-return]

    monkeypatch.setattr(os, "open", watched)
    return seen


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_database_is_closed_to_others_at_every_moment(tmp_path: Path, modes: list[tuple[str, int]]) -> None:
    path = tmp_path / "kept" / "rentpay.db"
    rt = Runtime(settings_for(f"sqlite:///{path}"))
    with rt.database.transaction() as session:
        session.connection()
    assert {mode for name, mode in modes if name.startswith(str(path))} == {0o600}
    assert {mode_of(each) for each in path.parent.iterdir()} == {0o600}
    assert path.with_name("rentpay.db-wal").exists()
    assert mode_of(path.parent) == 0o700
    rt.close()


def test_the_token_cache_is_closed_to_others_at_every_moment(tmp_path: Path, modes: list[tuple[str, int]]) -> None:
    folder = tmp_path / "cache"
    TokenCache(folder, "https://example.com", "key").get(NOW, lambda: Token("T", NOW + timedelta(hours=1)))
    assert {mode for _, mode in modes} == {0o600}
    assert {mode_of(each) for each in folder.iterdir()} == {0o600}
    assert mode_of(folder) == 0o700


def test_the_token_is_never_written_through_a_link(tmp_path: Path) -> None:
    cache = TokenCache(tmp_path, "https://example.com", "key")
    cache.get(NOW, lambda: Token("T", NOW + timedelta(hours=1)))
    (kept,) = tmp_path.glob("token-*.json")
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    kept.unlink()
    kept.symlink_to(victim)
    cache.get(NOW, lambda: Token("T2", NOW + timedelta(hours=1)))
    assert victim.read_text() == "untouched"
    assert not kept.is_symlink()
    kept.with_suffix(".lock").unlink()
    kept.with_suffix(".lock").symlink_to(victim)
    cache.get(NOW, lambda: Token("T3", NOW + timedelta(hours=1)), refused="T2")
    assert victim.read_text() == "untouched"


@pytest.mark.parametrize("leads_to", ["nothing", "another database"])
def test_a_database_is_never_written_through_a_link(tmp_path: Path, leads_to: str) -> None:
    victim, link = tmp_path / "victim.db", tmp_path / "rentpay.db"
    if leads_to == "another database":
        Runtime(settings_for(f"sqlite:///{victim}")).database.close()
    before = victim.read_bytes() if victim.exists() else None
    link.symlink_to(victim)
    rt = Runtime(settings_for(f"sqlite:///{link}"))
    for use in (
        lambda: rt.database,
        lambda: rt.reader,
        lambda: readonly.ensure(rt.settings.database_url, "simulator", str),
    ):
        with pytest.raises(BadDatabase, match="symbolic link"):
            use()
    assert (victim.read_bytes() if victim.exists() else None) == before


def test_doctor_names_each_file_that_others_can_read_with_the_command_that_mends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from platformdirs import user_cache_path, user_data_path

    from rentpay_cli.flows.backup import back_up

    for name, value in OFFLINE.items():
        monkeypatch.setenv(name, value)
    rt = Runtime(load_settings(), actor="tester")
    path = user_data_path("rentpay") / "simulator.db"
    with rt.database.transaction() as session:
        session.connection()
    back_up(rt, tmp_path / "copy.db", overwrite=False)
    cache = user_cache_path("rentpay")
    TokenCache(cache, "https://example.com", "key").get(NOW, lambda: Token("T", NOW + timedelta(hours=1)))
    (token,) = cache.glob("token-*.json")
    kept = path.with_name("simulator.db.before-restore-20261123-090000")
    kept.touch(0o600)

    def complaints() -> set[str]:
        return {check.mend for check in examine(rt, [], offline=True) if "Others may read" in check.text}

    assert complaints() == set()
    open_now = [path, path.with_name("simulator.db-wal"), kept, tmp_path / "copy.db", token]
    for each in open_now:
        each.chmod(0o644)
    for folder in (cache, path.parent):
        folder.chmod(0o755)
    wanted = {f"chmod 600 {each}" for each in open_now} | {f"chmod 700 {each}" for each in (cache, path.parent)}
    assert complaints() == wanted
    assert all(c.result is Result.WRONG for c in examine(rt, [], offline=True) if c.mend in wanted)
    rt.close()


def test_templates_are_never_written_through_a_link(tmp_path: Path) -> None:
    from rentpay_cli.cli.app import run
    from rentpay_cli.core.notices import TEMPLATES

    folder, victim = tmp_path / "notices", tmp_path / "victim"
    folder.mkdir()
    (folder / next(iter(TEMPLATES))).symlink_to(victim)
    assert run(["notify", "templates", "--write", str(folder), "--json"]) == 1
    assert not victim.exists()
