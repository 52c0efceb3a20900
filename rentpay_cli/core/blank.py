r"""Blank the security credential in a callback's body: the one thing of it that is not stored as it came.

When its queue times out M-Pesa may post our own request back, and with it our encrypted password (Daraja, 5.3). The
value of the key `SecurityCredential` is overwritten where it stands, byte for byte, so that all around it stays as it
came and whoever could read the body can read it still. No setting has a say in it.

The key is looked for in every way of writing it that some reader would understand: in any case and at any depth, in
JSON that is whole, cut off or inside of a text, as `Key` of M-Pesa's pairs, in forms and in XML, with letters escaped
(`\u0053`, `%53`), in UTF-16 and UTF-32. Where its value has no end, all that follows is taken for it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

_SIGNS_OF_IT = (b"credential", b"\\u00", b"%", b"\0")
"""A body with none of these cannot have the key in it, however it is written; most are known so at once."""


def _written(character: str) -> str:
    codes = "|".join(f"{ord(each):02x}" for each in (character.lower(), character.upper()))
    return rf"(?:{character}|(?:\\{{1,9}}u00|%)(?:{codes}))"


_QUOTE = r"(?:\\{0,9}[\"']|%2[27]|\\{1,9}u002[27]|&quot;)"
_GAP = r"(?:\s|\\{1,9}[nrt]|\+|%(?:20|0[9ad]))*"
_NAME = "".join(map(_written, "securitycredential"))
_IS = rf"{_GAP}(?:[:=>]{{1,2}}|%3[ad]|\\{{1,9}}u003[ad]|,{_GAP}{_QUOTE}Value{_QUOTE}{_GAP}:){_GAP}"
_VALUE = (
    r"(?:\"(?P<plain>(?:[^\"\\]|\\.)*)"
    r"|(?P<quote>\\{1,9}[\"']|'|%2[27]|\\{1,9}u002[27]|&quot;)(?P<quoted>.*?)(?:(?<!\\)(?=(?P=quote))|\Z)"
    r"|(?P<nested>[{\[])"
    r"|(?P<number>-?[0-9][0-9.e+-]*)(?=\s*[,}\]])"
    r"|(?!(?:null|true|false)\b)(?P<bare>[^\s&,;<>\"'{}\[\]]+))"
)
_KEY_AND_VALUE = re.compile(rf"{_NAME}(?:{_QUOTE}|\]|%5d)*(?:{_IS}|\r?\n\r?\n){_VALUE}", re.IGNORECASE | re.DOTALL)
_VALUE_AND_KEY = re.compile(
    rf"\"Value\"\s*:\s*\"(?P<plain>(?:[^\"\\]|\\.)*)\"\s*,\s*\"(?:Key|Name)\"\s*:\s*\"{_NAME}\"",
    re.IGNORECASE | re.DOTALL,
)
_JSON = json.JSONDecoder(strict=False)


def without_credential(body: bytes) -> bytes:
    """The body with the credential overwritten in its place; the very same object if there is none in it."""
    lowered = body.lower()
    if not any(sign in lowered for sign in _SIGNS_OF_IT):
        return body
    places = [place for place, byte in enumerate(body) if byte]  # without the zeros that UTF-16 and UTF-32 put between
    text = bytes(map(body.__getitem__, places)).decode("latin-1")
    blanked = bytearray(body)
    for start, instead in _credentials(text):
        for place, character in zip(places[start : start + len(instead)], instead, strict=False):
            blanked[place] = ord(character)
    return body if blanked == body else bytes(blanked)


def _credentials(text: str) -> Iterator[tuple[int, str]]:
    """Where the values of the key begin, and what stands there instead: of the same length, and JSON where they are."""
    for pattern in (_KEY_AND_VALUE, _VALUE_AND_KEY):
        place = 0
        while found := pattern.search(text, place):
            kind = found.lastgroup or ""
            start, place = found.span(kind)
            if kind == "nested":
                place = _end_of_nested(text, start)
            yield start, _instead(kind, text[start:place])


def _end_of_nested(text: str, start: int) -> int:
    try:
        return _JSON.raw_decode(text, start)[1]
    except (ValueError, RecursionError):
        return len(text)


def _instead(kind: str, value: str) -> str:
    if kind == "nested":
        return value[0] + " " * (len(value) - 2) + value[-1:]
    return "0".ljust(len(value)) if kind == "number" else "*" * len(value)
