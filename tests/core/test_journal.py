"""The journal as a chain: what a hash covers, what may follow what, what the tables must hold."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from rentpay_cli.core.journal import (
    BEGINNING,
    LONGEST_TEXT,
    WATCHED,
    Entry,
    changes_in,
    difference,
    entry_hash,
    kept,
    told,
    why_not_next,
)

FIRST = Entry(1, 1_795_000_000_000, "mwangi@server", "rent asked", 12, 31, '{"amount_cents": 100}')


def chained(*entries: Entry) -> list[Entry]:
    before, result = BEGINNING, []
    for entry in entries:
        before = entry_hash(before, entry)
        result.append(dataclasses.replace(entry, hash=before))
    return result


def test_a_hash_is_what_an_outsider_computes_with_a_shell() -> None:
    """As the module's docstring says it, in other words: printf '%s\\n%s' BEFORE CONTENT | sha256sum."""
    content = '[1,1795000000000,"mwangi@server","rent asked",12,31,"{\\"amount_cents\\": 100}"]'
    assert entry_hash(BEGINNING, FIRST) == hashlib.sha256(f"{'0' * 64}\n{content}".encode()).hexdigest()


def test_what_is_beyond_ascii_and_what_is_empty_have_one_form() -> None:
    entry = Entry(2, 0, "Wanjirũ", "é", None, None, "{}")
    content = '[2,0,"Wanjir\\u0169","\\u00e9",null,null,"{}"]'
    assert entry_hash("a", entry) == hashlib.sha256(f"a\n{content}".encode()).hexdigest()


@pytest.mark.parametrize(
    "changes",
    [
        {"at": FIRST.at + 1},
        {"actor": "mwangi@servers"},
        {"event": "rent Asked"},
        {"payment_id": 13},
        {"payment_id": None},
        {"attempt_id": 32},
        {"detail": '{"amount_cents": 101}'},
        {"detail": b'{"amount_cents": 100}'},
        {"hash": "0" * 64},
    ],
)
def test_every_part_of_an_entry_is_covered(changes: dict[str, Any]) -> None:
    first, second = chained(FIRST, dataclasses.replace(FIRST, id=2))
    assert (why_not_next(None, first), why_not_next(first, second)) == ("", "")
    forged = dataclasses.replace(first, **changes)
    assert why_not_next(None, forged).startswith("Entry 1 of the journal does not fit")
    mended = dataclasses.replace(forged, hash=entry_hash(BEGINNING, forged))
    if mended.hash != first.hash:
        assert why_not_next(mended, second).startswith("Entry 2 of the journal does not fit")


def test_a_gap_is_named() -> None:
    entries = chained(*(dataclasses.replace(FIRST, id=number) for number in range(1, 6)))
    assert why_not_next(entries[0], entries[2]) == "In the journal entry 2 is missing."
    assert why_not_next(entries[0], entries[4]) == "In the journal entries 2 to 4 are missing."
    assert why_not_next(None, entries[1]) == "In the journal entry 1 is missing."


def test_what_is_told_is_masked_and_bounded_but_a_digest_stays_whole() -> None:
    digest = "2547" + "1" * 60
    assert told({"phone": "254712345678", "sha256": digest, "n": [254712345678, None]}) == {
        "phone": "254712***678",
        "sha256": digest,
        "n": [254712345678, None],
    }
    assert len(told("x " * 5000)) == LONGEST_TEXT
    assert told("a\x1b[2Jb") == "a[2Jb"


def test_a_column_is_kept_whole_so_that_no_change_of_it_can_hide() -> None:
    assert kept("254712345678") == "254712345678"
    assert kept("PROP\x00001") == "PROP\x00001"
    assert kept(b"body") == hashlib.sha256(b"body").hexdigest()
    assert kept(datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)) == 1000
    assert "eyJ0" not in str(kept("Bearer eyJ0"))
    with pytest.raises(TypeError):
        kept(1.5)


def test_the_rows_that_an_entry_changed_are_read_from_it() -> None:
    detail = {"changes": {"payment 12": {"status": "success"}, "destination_change 3": {"state": "held"}, "moon 1": {}}}
    entry = dataclasses.replace(FIRST, detail=json.dumps(detail))
    assert list(changes_in(entry)) == [
        ("payment", 12, {"status": "success"}),
        ("destination_change", 3, {"state": "held"}),
    ]
    assert list(changes_in(FIRST)) == []


def test_a_forgotten_body_has_the_digest_that_its_forgetting_tells() -> None:
    entry = dataclasses.replace(FIRST, event="tenant forgotten", detail='{"inbox": {"7": "abc"}}')
    assert list(changes_in(entry)) == [("inbox", 7, {"body": "abc"})]
    assert list(changes_in(dataclasses.replace(entry, event="something else"))) == []


def test_a_difference_names_the_column_and_both_values() -> None:
    row = dict.fromkeys(WATCHED["payout_stop"])
    assert difference("payout_stop", {"in_force": 1}, {**row, "in_force": 1}) == ""
    assert difference("payout_stop", {"in_force": 1}, row) == (
        "the journal says that its in force is 1, but the table says empty"
    )
    assert "owner is empty, but the table says 4" in difference("payout_stop", {}, {**row, "owner_id": 4})
