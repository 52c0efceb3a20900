"""What is kept and shown carries no secret and no whole phone number."""

from __future__ import annotations

import json
import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Iterator
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rentpay_cli.core import redact as redacting
from rentpay_cli.core.redact import know_secrets, printable, redact, without_secrets

CREDENTIAL = "qW3/rT+y" * 42 + "abcdefg="  # 344 characters, as an encrypted password has
TOKEN = "c9SQxWWhmdVRlyh0zh8gZDTkubVF"
SECRET = "8e1f0a2b" * 4


def test_the_made_up_credential_is_as_long_as_a_real_one() -> None:
    assert len(CREDENTIAL) == 344


@pytest.mark.parametrize(
    "name",
    [
        "SecurityCredential",
        "Password",
        "InitiatorPassword",
        "access_token",
        "ConsumerSecret",
        "Passkey",
        "securitycredential",
        "PASSWORD",
    ],
)
@pytest.mark.parametrize("gap", ["", " ", "\n  "])
def test_a_secret_field_loses_its_value_and_keeps_its_name(name: str, gap: str) -> None:
    text = f'{{"{name}":{gap}"{SECRET}","Amount":{gap}5}}'
    assert SECRET not in redact(text)
    assert json.loads(redact(text)) == {name: "[removed]", "Amount": 5}


def test_a_secret_with_quotes_in_it_goes_as_a_whole() -> None:
    text = json.dumps({"Password": 'be"fore and \\ after', "Remarks": "rent"})
    assert json.loads(redact(text)) == {"Password": "[removed]", "Remarks": "rent"}


def test_a_secret_that_was_cut_off_in_the_middle_goes_too() -> None:
    assert "abc" not in redact('{"Password": "abcdef')


@pytest.mark.parametrize(
    "text",
    [
        f"Authorization: Bearer {TOKEN}",
        f"authorization: bearer {TOKEN}",
        f"Authorization: Basic {TOKEN}==",
        f"{{'Authorization': 'Bearer {TOKEN}'}}",
        f"Bearer  {TOKEN}.and-more_~+/=",
    ],
)
def test_tokens_in_headers_are_removed(text: str) -> None:
    assert TOKEN not in redact(text)


@pytest.mark.parametrize(
    "text",
    [
        f"Error Occurred - Invalid Access Token - {TOKEN}",
        f'{{"errorMessage": "Error Occurred - Invalid Access Token - {TOKEN}"}}',
        f"invalid access token -{TOKEN}",
        f"Invalid Access Token - Bearer {TOKEN}",
    ],
)
def test_the_token_that_mpesa_echoes_is_removed(text: str) -> None:
    assert TOKEN not in redact(text)
    assert "access token" in redact(text).lower()


@pytest.mark.parametrize(
    "address",
    [
        "https://rent.example.co.ke/api/payments/callback/{}",
        "https://rent.example.co.ke/api/payments/b2b-callback/{}",
        "https://rent.example.co.ke/api/payments/b2b-callback/{}/timeout",
        "https://rent.example.co.ke/behind/api/payments/callback/{}?x=1",
        "POST /api/payments/callback/{} 200",
        '"ResultURL": "https://rent.example.co.ke/api/payments/b2b-callback/{}",',
    ],
)
def test_the_secret_part_of_a_callback_address_is_removed(address: str) -> None:
    shown = redact(address.format(SECRET))
    assert SECRET not in shown
    assert shown == address.format("[removed]")


def test_a_long_run_of_base64_is_taken_for_a_credential_wherever_it_stands() -> None:
    assert redact(f"it was {CREDENTIAL} yesterday") == "it was [removed] yesterday"
    assert redact(f"SecurityCredential={CREDENTIAL}") == "SecurityCredential=[removed]"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("the phone 254712345678 did not answer", "the phone 254712***678 did not answer"),
        ("+254112345678", "+254112***678"),
        ("254712345678 - JANE DOE", "254712***678 - JANE DOE"),
        ('{"PhoneNumber": 254712345678}', '{"PhoneNumber": 254712***678}'),
        ("254712345678, 254713345679", "254712***678, 254713***679"),
        ("ws_CO_23112026101530440712345678", "ws_CO_23112026101530440712***678"),
        ("ws_CO_231120261015302112345678", "ws_CO_231120261015302112***678"),
        ("ws_CO_23112026101530440254712345678", "ws_CO_23112026101530440254712***678"),
        ("he called from 0712345678.", "he called from 0712***678."),
        ("he called from 0712 345 678, twice", "he called from 0712***678, twice"),
        ("he called from +254 712 345 678", "he called from +254 712***678"),
        ("0112-345-678", "0112***678"),
    ],
)
def test_phone_numbers_are_masked_in_texts_and_in_checkout_ids(text: str, shown: str) -> None:
    assert redact(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "20261123101530",
        "600000",
        "AG_20261123_2010759fd5662ef6d054",
        "ws_CO_23112026101530440",
        "ws_CO_DMZ_291417540_23112026145720246",
        "KES 254,712",
        "PROP0712345678",
        "1-0712345678-1",
        "07123456789",
        "25471234567890123",
        "SKN1TEST01",
    ],
)
def test_what_is_no_phone_number_is_left_as_it_is(text: str) -> None:
    assert redact(text) == text


@pytest.fixture
def known() -> Iterator[str]:
    value = "be/fore+and %after" + SECRET
    know_secrets("test", {value, "short"})
    yield value
    know_secrets("test", set())


@pytest.mark.parametrize(
    "write",
    [
        str,
        lambda text: text.encode().hex(),
        lambda text: text.encode().hex().upper(),
        lambda text: quote(text, safe=""),
        quote_plus,
        json.dumps,
        lambda text: json.dumps(text).replace("/", "\\/"),
    ],
)
def test_a_value_that_is_known_is_removed_however_it_is_written(known: str, write: Callable[[str], str]) -> None:
    assert redact(f"before {write(known)} after").replace('"', "") == "before [removed] after"


@pytest.mark.parametrize("before", ["", "1", "12", "174379"])
def test_a_value_that_is_known_is_removed_from_inside_of_base64(known: str, before: str) -> None:
    for coded in (b64encode, urlsafe_b64encode):
        password = coded(f"{before}{known}20261123101530".encode()).decode()
        kept = redact(f"it was {password}")
        assert "[removed]" in kept
        longest = max(len(part) for part in re.split(r"\[removed\]| ", kept))
        assert longest <= len("20261123101530") * 2


def test_a_value_too_short_to_be_a_secret_is_left_where_it_stands(known: str) -> None:
    assert redact("a short text") == "a short text"


def test_values_that_are_told_anew_take_the_place_of_the_old_ones(known: str) -> None:
    know_secrets("test", {"another-secret"})
    assert redact(f"{known} another-secret") == f"{known} [removed]"


def test_a_request_of_ours_that_is_shown_has_no_secret_and_is_json_still() -> None:
    request = {
        "Initiator": "rentapi",
        "SecurityCredential": CREDENTIAL,
        "CommandID": "BusinessPayBill",
        "Amount": 9500,
        "PartyB": "600001",
        "ResultURL": f"https://rent.example.co.ke/api/payments/b2b-callback/{SECRET}",
    }
    for text in (json.dumps(request, indent=1), json.dumps(request).replace("/", "\\/")):
        shown = without_secrets(text)
        assert CREDENTIAL[:20] not in shown.replace("\\/", "/")
        document = json.loads(shown)
        assert document["SecurityCredential"] == "[removed]"
        assert {name: document[name] for name in ("CommandID", "Amount", "PartyB")} == {
            "CommandID": "BusinessPayBill",
            "Amount": 9500,
            "PartyB": "600001",
        }
    assert SECRET not in without_secrets(json.dumps(request))


pieces = st.lists(
    st.one_of(
        st.text(max_size=8),
        st.sampled_from(
            [
                "254712345678",
                "0712 345 678",
                "rp_1_" + "0123456789abcdef" * 2,
                "mailto://user:password@",
                "?password=",
                "254712",
                "ws_CO_23112026101530440712345678",
                "ws_CO_",
                "Bearer ",
                "Basic ",
                "Invalid Access Token - ",
                TOKEN,
                '"Password": "',
                '"SecurityCredential":',
                '"',
                "\\",
                "/api/payments/callback/",
                "/api/payments/b2b-callback/",
                "[removed]",
                CREDENTIAL,
            ]
        ),
    ),
    max_size=8,
).map("".join)


@given(pieces)
@example("254100254712345678")
def test_what_was_redacted_once_is_not_changed_by_doing_it_again(text: str) -> None:
    assert redact(redact(text)) == redact(text)
    assert without_secrets(without_secrets(text)) == without_secrets(text)


@given(st.text(alphabet=st.characters()))
def test_no_text_trips_the_redaction(text: str) -> None:
    assert isinstance(redact(text), str)
    assert isinstance(printable(text), str)


def test_outside_text_cannot_drive_a_terminal() -> None:
    assert printable("a\x1b[2Jb\rc\x07\x9bd\u202ee") == "a[2Jbcde"
    assert printable("two\nlines\tand a tab") == "two lines and a tab"


def test_outside_text_can_be_stored_as_utf8() -> None:
    assert printable("half a pair \ud800 and the other \udfff").encode()


def test_outside_text_is_bounded() -> None:
    assert printable("x" * 300) == "x" * 300
    assert printable("x" * 301) == "x" * 299 + "…"
    assert len(printable("x" * 10_000, 40)) == 40


@given(st.from_regex(redacting._PLAIN, fullmatch=True))
@example("rp_1_" + "0" * 31)
def test_no_rule_finds_anything_in_what_is_taken_for_plain(text: str) -> None:
    assert [name for name, (pattern, _) in redacting.RULES.items() if pattern.search(text)] == []


def test_the_shortest_access_token_is_not_taken_for_plain() -> None:
    assert without_secrets("rp_1_" + "0" * 32) == "[removed]"
