"""A held callback is read again only by the same rules, with a reason, and the journal keeps who did it."""

from __future__ import annotations

import json
from ipaddress import ip_network

import pytest

from rentpay_cli.errors import NotFound, RuleRefused, WrongUse
from rentpay_cli.flows import collect
from rentpay_cli.flows.read_inbox import read_again, read_inbox
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import inbox, reads
from tests.support.world import World


def test_a_callback_from_an_address_that_is_allowed_now_is_believed(world: World) -> None:
    world.let()
    world.with_settings(allowed_networks=(ip_network("10.0.0.0/8"),))
    asked = collect.initiate(world.rt, property_reference="1", phone="0722000111")
    world.read_until(lambda: bool(world.held()))
    assert read_again(world.rt, 1, "nothing has changed").state == "held"
    assert world.payment(asked.payment_id)["status"] == "pending"
    world.with_settings(allowed_networks=(ip_network("127.0.0.0/8"),))
    reading = read_again(world.rt, 1, "the addresses were mended")
    assert (reading.state, reading.payment_id) == ("read", asked.payment_id)
    assert world.payment(asked.payment_id)["status"] == "success"
    newest = next(iter(reads.journal(world.rt.reader, event="callback released")))
    assert newest["actor"] == "tester"
    assert json.loads(newest["detail"])["reason"] == "the addresses were mended"
    with pytest.raises(RuleRefused, match="not held"):
        read_again(world.rt, 1, "once more")


def test_a_callback_without_our_token_stays_held_whatever_the_reason(rt: Runtime) -> None:
    inbox.append(rt.database, [("collection", None, None, b"{}")], rt.now())
    read_inbox(rt)
    assert read_again(rt, 1, "please").state == "held"
    row = reads.callback(rt.reader, 1)
    assert row is not None
    assert (row["state"], bytes(row["body"])) == ("held", b"{}")


def test_a_callback_that_is_not_held_or_not_there_is_refused_and_nothing_is_written(rt: Runtime) -> None:
    inbox.append(rt.database, [("collection", None, None, b"{}")], rt.now())
    with pytest.raises(RuleRefused):
        read_again(rt, 1, "it is new")
    with pytest.raises(NotFound):
        read_again(rt, 2, "it is not there")
    with pytest.raises(WrongUse):
        read_again(rt, 1, " ")
    assert "callback released" not in {entry["event"] for entry in reads.journal(rt.reader)}
