"""What tests share is as new for each: whoever comes after somebody who left a mess finds nothing of it."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import psycopg
import pytest

from rentpay_cli.flows import collect
from rentpay_cli.runtime import Runtime
from rentpay_cli.simulator.options import Options
from tests.support.databases import Copy, ServerUrl, connect, copies, definitions, tables
from tests.support.stage import Stage
from tests.support.world import World, settings_for

PUSH = "/mpesa/stkpush/v1/processrequest"


def everything_in(url: str) -> dict[str, Any]:
    """All rows of all tables, how much room they take, and where the counting stands."""
    with connect(url) as database:
        found = {name: database.execute(f"SELECT * FROM {name}".encode()).fetchall() for name in tables(database)}
        room = {name: database.execute("SELECT pg_relation_size(%s)", [name]).fetchall() for name in found}
        counting = database.execute("SELECT sequencename, last_value FROM pg_sequences ORDER BY 1").fetchall()
    return {**found, "room": room, "counting": counting}


def test_a_database_holds_nothing_of_whoever_had_it_before(postgresql_server: ServerUrl, stage: Stage) -> None:
    unused = Copy(postgresql_server)
    new = everything_in(unused.url)
    unused.drop()
    urls = set()
    for _ in range(3):
        with copies(postgresql_server) as url:
            urls.add(url)
            assert everything_in(url) == new
            with World.open(url, stage) as world:
                world.let()
                world.paid_rent()
            with connect(url) as database:
                database.execute("DELETE FROM setting")
            dirty = everything_in(url)
            assert sum(dirty[table] != new[table] for table in new) > 8
    assert len(urls) == 1, "it was not used again"


def test_who_still_writes_into_a_database_is_put_out_before_the_next_one_has_it(postgresql_server: ServerUrl) -> None:
    with copies(postgresql_server) as url:
        late = connect(url)
        late.execute("BEGIN")
        late.execute("INSERT INTO setting VALUES ('left', 'open')")
    with copies(postgresql_server) as again:
        assert again == url
        with pytest.raises(psycopg.OperationalError):
            late.execute("COMMIT")
        late.close()


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TRIGGER owner_kept ON owner",
        "ALTER TABLE payment DISABLE TRIGGER ALL",
        "DROP INDEX one_notice",
        "ALTER TABLE notice DROP CONSTRAINT notice_state",
        "ALTER TABLE tenant ADD COLUMN nickname text",
        "ALTER TABLE tenant ALTER COLUMN name DROP NOT NULL",
        "CREATE TABLE rents (amount integer)",
        "CREATE OR REPLACE FUNCTION refuse_owner_kept() RETURNS trigger AS 'BEGIN RETURN OLD; END' LANGUAGE plpgsql",
    ],
)
def test_a_database_in_which_more_than_rows_was_changed_is_not_used_again(
    postgresql_server: ServerUrl, statement: str
) -> None:
    with copies(postgresql_server) as url, connect(url) as database:
        assert definitions(database) == postgresql_server.definitions
        database.execute("BEGIN")
        database.execute(statement.encode())
        assert definitions(database) != postgresql_server.definitions
        database.execute("ROLLBACK")


@pytest.mark.parametrize("statement", ["DROP TABLE notice", "ALTER TABLE tenant ADD COLUMN nickname text"])
def test_after_whoever_changed_more_than_rows_there_is_a_new_database(
    postgresql_server: ServerUrl, statement: str
) -> None:
    with copies(postgresql_server) as url, connect(url) as database:
        database.execute(statement.encode())
    with copies(postgresql_server) as other:
        assert other != url
        rt = Runtime(settings_for(other))
        assert list(rt.reader.rows("SELECT * FROM notice")) == []
        rt.close()


def test_a_simulator_knows_nothing_of_the_one_before_it(stage: Stage) -> None:
    account = {"shortCode": "174379", "working": 1}
    ask = ("/oauth/v1/generate?grant_type=client_credentials", ("key", "secret"))
    addresses, tokens, ledgers = set(), list[str](), list[Any]()
    for _ in range(3):
        with (
            stage.playing(Options(working=50_000), lambda _: None) as simulator,
            httpx.Client(base_url=simulator.base_url) as client,
        ):
            addresses.add(simulator.base_url)
            ledgers.append(client.get("/simulator/ledger").json())
            assert client.get("/simulator/faults").json() == {"faults": []}
            for old in tokens:
                answer = client.post(PUSH, headers={"Authorization": f"Bearer {old}"}, json={"BusinessShortCode": 1})
                assert answer.json()["errorCode"] == "404.001.03", "the token is known"
            tokens.append(client.get(ask[0], auth=ask[1]).json()["access_token"])
            client.post("/simulator/accounts", json=account).raise_for_status()
            client.post("/simulator/faults", json={"fault": "b2b:lost"}).raise_for_status()
            assert client.get("/simulator/ledger").json() != ledgers[-1]
    assert len(addresses) == 1
    assert ledgers[0] == ledgers[1] == ledgers[2]


def test_what_is_on_its_way_when_a_world_ends_does_not_arrive_in_the_next_one(
    stage: Stage, new_sqlite: Callable[[], str]
) -> None:
    for _ in range(3):
        with World.open(new_sqlite(), stage) as world:
            time.sleep(0.1)  # what the one before asked for would be there by now
            assert list(world.rt.reader.rows("SELECT * FROM inbox")) == []
            world.let()
            collect.initiate(world.rt, property_reference="1", phone="0722000111")


def test_what_has_arrived_when_a_world_ends_is_stored_in_it_or_nowhere(stage: Stage) -> None:
    for _ in range(10):
        mine: list[Any] = []
        with stage.playing(Options(), mine.extend), socket.create_connection(stage.listener_address) as sender:
            sender.sendall(b"POST /api/payments/callback HTTP/1.1\r\nHost: here\r\nContent-Length: 4\r\n\r\nlate")
        others: list[Any] = []
        with stage.playing(Options(), others.extend):
            httpx.post(f"{stage.listener_url}/api/payments/callback", content=b"own")
        assert [body for *_, body in others] == [b"own"]


def test_a_request_that_the_simulator_is_slow_to_answer_does_not_hold_up_the_next_world(stage: Stage) -> None:
    with ThreadPoolExecutor() as pool:
        with stage.playing(Options(faults=("oauth:slow,seconds=60",)), lambda _: None) as simulator:
            address = f"{simulator.base_url}/oauth/v1/generate?grant_type=client_credentials"
            answer = pool.submit(httpx.get, address, auth=("key", "secret"), timeout=30)
            while not simulator.world.faults.listed()[0].struck:
                time.sleep(0.002)
        assert answer.result(5).status_code == 200
