"""The command line on PostgreSQL: a database that is still empty, and one that goes away."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from rentpay_cli.errors import BadDatabase
from rentpay_cli.runtime import Runtime
from tests.cli.conftest import Cli
from tests.support.databases import ServerUrl, copies
from tests.support.world import settings_for


@pytest.fixture
def empty(postgresql_server: ServerUrl) -> Iterator[str]:
    """A database without a single table."""
    name = f"empty_{secrets.token_hex(6)}"
    postgresql_server.execute(f"CREATE DATABASE {name}")
    yield postgresql_server.database(name)
    postgresql_server.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.parametrize(
    "command",
    [
        ("database", "upgrade"),
        ("owner", "add", "--name", "Wanjiru Kamau"),
        ("init", "--environment", "simulator"),
    ],
)
def test_an_empty_database_is_set_up(
    cli: Cli,
    empty: str,
    command: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("here"))
    cli.configure(RENTPAY_DATABASE_URL=empty)
    assert cli(*command, "--json").status == 0
    assert cli.json("owner", "list")["success"] is True


def test_a_command_that_looks_refuses_an_empty_database_and_names_the_way(cli: Cli, empty: str) -> None:
    cli.configure(RENTPAY_DATABASE_URL=empty)
    ran = cli("payments", "--json")
    assert ran.refusal == (4, "database")
    assert "rentpay init" in ran.json["error"]["hint"]


def test_a_connection_that_is_lost_is_said_in_a_sentence(postgresql_server: ServerUrl) -> None:
    with copies(postgresql_server) as url:
        rt = Runtime(settings_for(url))
        assert rt.reader.one("SELECT 1 AS n") == {"n": 1}
        name = urlsplit(url).path.lstrip("/")
        postgresql_server.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
        with pytest.raises(BadDatabase, match="The PostgreSQL database cannot be used"):
            rt.reader.one("SELECT 1 AS n")
        rt.close()
