"""The credential never stays in a body, however its key is written, and all around it stays as it came."""

from __future__ import annotations

import json
import time
from typing import Any
from urllib.parse import parse_qs, quote, urlencode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rentpay_cli.core.blank import without_credential

SECRET = "qW3/rT+y" * 42 + "abcdefg="  # 344 characters, as an encrypted password has
PIECE = 12


def is_left(body: bytes) -> bool:
    """Whether a piece of the secret is still in the body."""
    flat = body.replace(b"\0", b"")
    return any(SECRET[at : at + PIECE].encode() in flat for at in range(0, len(SECRET) - PIECE, PIECE))


def blanked(body: bytes) -> bytes:
    kept = without_credential(body)
    assert len(kept) == len(body)
    assert without_credential(kept) == kept
    return kept


KEYS = ("SecurityCredential", "securitycredential", "SECURITYCREDENTIAL", "securityCredential")


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("indent", [None, 0, 4])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-16-le", "utf-32", "utf-32-be"])
def test_a_request_of_ours_loses_the_credential_and_nothing_else(key: str, indent: int | None, encoding: str) -> None:
    request = {"Initiator": "rentapi", key: SECRET, "Amount": 9500, "Remarks": "für Ä", "PartyB": "600001"}
    for document in (request, [{"a": {"b": [request]}}, request]):
        body = json.dumps(document, indent=indent, ensure_ascii=False).encode(encoding)
        expected = json.loads(json.dumps(document).replace(SECRET, "*" * len(SECRET)))
        assert json.loads(blanked(body)) == expected


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_a_credential_in_a_text_that_is_json_goes_too(depth: int) -> None:
    text = json.dumps({"SecurityCredential": SECRET, "Amount": 5})
    for _ in range(depth):
        text = json.dumps({"said": text})
    kept = blanked(text.encode()).decode()
    for _ in range(depth):
        kept = json.loads(kept)["said"]
    assert json.loads(kept) == {"SecurityCredential": "*" * len(SECRET), "Amount": 5}


@pytest.mark.parametrize(
    "written",
    [
        r'{"\u0053ecurityCredential": "%s"}',
        r'{"Security\u0043REDENTIAL": "%s"}',
        r'{"said": "{\"\\u0053ecurityCredential\": \"%s\"}"}',
        r'{"said": "{\u0022SecurityCredential\u0022\u003a\u0022%s\u0022}"}',
        '{"SecurityCredential": "%s',
        '{"SecurityCredential" : \n\t "%s", and here it breaks',
        'rubbish "SecurityCredential":"%s" rubbish',
        "{'SecurityCredential': '%s'}",
        '{SecurityCredential: "%s"}',
        '{"SecurityCredential" => "%s"}',
        '{"SecurityCredential": {"first": ["%s"], "second": 7}}',
        '{"SecurityCredential": ["%s", {"a": "%s',
        "SecurityCredential: %s",
        "SecurityCredential=%s&Amount=5",
        "Amount=5&%53ecurity%63redential=%s",
        "<Request><SecurityCredential>%s</SecurityCredential></Request>",
        '<Request SecurityCredential="%s"/>',
        '--x\r\nContent-Disposition: form-data; name="SecurityCredential"\r\n\r\n%s\r\n--x--',
        '{"Items": [{"Key": "SecurityCredential", "Value": "%s"}]}',
        '{"Items": [{"Name":"securitycredential","Value":"%s"}]}',
        '{"Items": [{"Value": "%s", "Key": "SecurityCredential"}]}',
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32-be"])
def test_it_goes_however_the_key_is_written(written: str, encoding: str) -> None:
    body = written.replace("%s", SECRET).encode(encoding)
    assert is_left(body)
    assert not is_left(blanked(body))
    escaped = written.replace("%s", SECRET.replace("/", r"\/")).encode(encoding)
    assert not is_left(blanked(escaped))


def test_a_form_keeps_its_other_fields() -> None:
    body = urlencode(
        {"Initiator": "rentapi", "SecurityCredential": SECRET, "Request[SecurityCredential]": SECRET, "A": 5}
    )
    fields = parse_qs(blanked(body.encode()).decode())
    assert (fields["Initiator"], fields["A"]) == (["rentapi"], ["5"])
    assert set("".join(fields["SecurityCredential"] + fields["Request[SecurityCredential]"])) == {"*"}


def test_json_in_a_form_keeps_its_other_keys() -> None:
    kept = blanked(quote(json.dumps({"SecurityCredential": SECRET, "A": "b"})).encode()).decode()
    assert kept.endswith("%22%2C%20%22A%22%3A%20%22b%22%7D")
    assert SECRET[:PIECE] not in kept
    assert quote(SECRET)[:PIECE] not in kept


def test_a_value_with_quotes_in_it_goes_as_a_whole() -> None:
    document = {"SecurityCredential": f'be"fore\\ {SECRET}\\', "Remarks": "rent"}
    assert json.loads(blanked(json.dumps(document).encode()))["Remarks"] == "rent"
    nested = blanked(json.dumps({"said": json.dumps(document)}).encode())
    assert not is_left(nested)
    assert b"fore" not in nested


@pytest.mark.parametrize("value", [None, True, False, "", 7, -12.5, 10**30, [], {}, [1, "x"], {"a": {"b": "x]}"}}])
def test_json_stays_json_whatever_the_value(value: object) -> None:
    body = json.dumps({"SecurityCredential": value, "Amount": 5}).encode()
    kept = json.loads(blanked(body))
    assert kept["Amount"] == 5
    assert type(kept["SecurityCredential"]) is type(value) or isinstance(value, float)
    assert "x" not in str(kept)


@pytest.mark.parametrize(
    "body",
    [
        b'{"Body": {"stkCallback": {"ResultCode": 0, "PhoneNumber": 254712345678}}}\r\n\xff\x00',
        b'{"Password": "not the one that is looked for", "access_token": "nor this"}',
        b'{"ResultDesc": "The SecurityCredential is wrong", "Credential": "x", "Security": "y"}',
        b'{"SecurityCredentials": "another key"}',
        json.dumps({"said": "Authorization: Bearer abc, https://u:password@host, 254712345678 " + SECRET}).encode(),
        bytes(range(256)) * 4,
        b"",
    ],
)
def test_what_has_no_credential_is_kept_byte_for_byte(body: bytes) -> None:
    assert without_credential(body) is body


documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from([SECRET, *KEYS, "Value", "Key", '"', "\\"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text() | st.sampled_from(["Amount", "Value", "Remarks"]), inner, max_size=3)
    ),
    max_leaves=8,
)


def without(document: Any, places: list[Any]) -> Any:
    """The document with the key and a secret wherever there is an object."""
    if isinstance(document, dict):
        changed = {name: without(value, places) for name, value in document.items()}
        places.append(changed)
        return changed | {"SecurityCredential": "the credential"}
    return [without(each, places) for each in document] if isinstance(document, list) else document


@given(documents, st.sampled_from([None, 1]), st.booleans())
def test_in_json_the_values_of_the_key_go_and_no_other(document: Any, indent: int | None, ascii_only: bool) -> None:
    found: list[Any] = []
    asked = {"all": without(document, found), "SecurityCredential": "the credential"}
    text = json.dumps(asked, indent=indent, ensure_ascii=ascii_only)
    kept = json.loads(blanked(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass"))
    expected = json.loads(text.replace("the credential", "*" * len("the credential")))
    if any(name in text for name in KEYS[1:]) or text.count(KEYS[0]) > len(found) + 1 or "%" in text or "\\" in text:
        return  # a text that looks like the key may cost what stands beside it
    assert kept == expected


pieces = st.lists(
    st.one_of(
        st.binary(max_size=6),
        st.sampled_from([b'"SecurityCredential"', b"securitycredential", b'"Value":"', b'"Key":"', b"%53", b"\\u0053"]),
        st.sampled_from([b":", b'"', b'\\"', b"\\", b"[", b"{", b"}", b"]", b",", b"=", b"'", b"&", b"%22", b"null"]),
        st.sampled_from([b"\0", b"\r\n\r\n", b"12", b" "]),
    ),
    max_size=30,
).map(b"".join)


@given(pieces)
@example(b"SecurityCredential=[")
@example(b'"SecurityCredential":"')
def test_no_bytes_trip_it_and_doing_it_again_changes_nothing(body: bytes) -> None:
    blanked(body)


@pytest.mark.parametrize(
    "body",
    [
        b"SecurityCredential:[" * 3200,
        b'SecurityCredential:\\"' * 3000,
        b"SecurityCredential" + b" " * 65_000,
        b"SecurityCredential" + b'"' * 65_000,
        b"SecurityCredential" + b"\\n" * 32_000,
        b"SecurityCredential=" + b"[" * 65_000,
        b"SecurityCredential," * 3400,
        b"\\" * 64_000 + b"\\u00",
        b"\0x" * 32_000,
        b'"Value":"x",' * 5400 + b"%",
        b'"Value":"' + b"\\" * 64_000 + b"%",
        b"\\u0053" * 10_900,
    ],
)
def test_no_body_takes_long(body: bytes) -> None:
    began = time.perf_counter()
    without_credential(body)
    assert time.perf_counter() - began < 1  # some 10 ms; what grew with the square of the length would take minutes
