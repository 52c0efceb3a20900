"""One redaction for everything that is shown or written of what came: secrets out, phone numbers masked.

A callback's body alone is kept as it came (but for `core.blank`), and passes through here when it is shown.

Two nets, either of which would do for most of it: `RULES` knows what secrets look like and where they stand, and
`know_secrets` is told the very values of this process, which are then found wherever they stand and however they are
written. The values are the only state in this layer: they are told once, and change nothing but what is left out.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable
from urllib.parse import quote

REMOVED = "[removed]"
SHORTEST_SECRET = 8
"""A known value that is shorter is no secret to be looked for: it would be found in the middle of words."""

_FIELDS = r"SecurityCredential|Password|InitiatorPassword|access_token|Consumer_?Secret|Consumer_?Key|Passkey"
RULES: dict[str, tuple[re.Pattern[str], str]] = {
    "long base64": (re.compile(r"[A-Za-z0-9+/]{200,}={0,2}"), REMOVED),
    "secret field": (re.compile(rf'("(?:{_FIELDS})"\s*:\s*)"(?:[^"\\]|\\.)*"?', re.IGNORECASE), rf'\1"{REMOVED}"'),
    "secret field in a text": (
        re.compile(rf'(\\"(?:{_FIELDS})\\"\s*:\s*\\")[^"\\]*', re.IGNORECASE),
        rf"\1{REMOVED}",
    ),
    "authorization": (re.compile(r"\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]+", re.IGNORECASE), rf"\1 {REMOVED}"),
    "echoed token": (re.compile(r"(Invalid Access Token\s*-\s*)[^\s\"'<]+", re.IGNORECASE), rf"\1{REMOVED}"),
    "callback address": (re.compile(r"(/api/payments/(?:b2b-)?callback/)[^/\s\"'?\\]+"), rf"\1{REMOVED}"),
    "access token": (re.compile(r"\brp_[0-9]+_[0-9a-f]{32}\b", re.IGNORECASE), REMOVED),
    "address with a password": (
        re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s:/@\"']*:)[^\s/\"']+@", re.IGNORECASE),
        rf"\1{REMOVED}@",
    ),
    "address with a key": (re.compile(r"(\batalk://[^\s@/\"']*@)[^\s/?\"']+", re.IGNORECASE), rf"\1{REMOVED}"),
    "query with a password": (
        re.compile(r"([?&](?:pass|password|passwd|token|secret|apikey|key)=)[^\s&\"']+", re.IGNORECASE),
        rf"\1{REMOVED}",
    ),
}
"""What secrets look like, by name: the pattern, and what stands in its place."""
_PLAIN = re.compile(r"[A-Za-z0-9_.:-]{0,36}")
"""Too short and too plain for any rule, as most columns are: without this look first, a callback takes much longer."""

_PHONE = re.compile(r"(254[17]\d{2}|ws_CO_\d{14,}[17]\d{2})\d{3}(\d{3})(?!\d|\*{3}\d)")
_TYPED_PHONE = re.compile(r"(?<![\w-])((?:0|\+?254[ -])[17]\d{2})[ -]?\d{3}[ -]?(\d{3})(?![\w-])")

_known: dict[str, frozenset[str]] = {}
_forms: tuple[str, ...] = ()


def know_secrets(whose: str, values: Iterable[str]) -> None:
    """Leave these values out from now on, instead of those that were known of the same source before."""
    global _forms
    wanted = frozenset(value for value in values if len(value) >= SHORTEST_SECRET)
    if _known.get(whose, frozenset()) == wanted:
        return
    _known[whose] = wanted
    forms = {form for secrets in list(_known.values()) for secret in secrets for form in _written(secret)}
    _forms = tuple(sorted(forms, key=len, reverse=True))


def _written(secret: str) -> set[str]:
    """The ways in which a secret may be written: as it is, escaped, in hex, and inside of base64."""
    raw = secret.encode("utf-8", "surrogateescape")
    escaped = json.dumps(secret)[1:-1]
    forms = {secret, escaped, escaped.replace("/", "\\/"), quote(raw, safe=""), quote(raw)}
    forms |= {form.replace("%20", "+") for form in forms} | {raw.hex(), raw.hex().upper()}
    for before in range(3):  # what stands before it decides how its bytes are cut into groups of three
        coded = base64.b64encode(b"\0" * before + raw).decode()
        inner = coded[(0, 2, 3)[before] : len(coded) - (0, 3, 2)[(before + len(raw)) % 3]]
        forms |= {inner, inner.replace("+", "-").replace("/", "_"), inner.replace("/", "\\/")}
    return forms


def _without_known(text: str) -> str:
    found = [form for form in _forms if form in text]
    if not found:
        return text
    return re.sub("|".join(map(re.escape, found)), REMOVED, text)


def without_secrets(text: str) -> str:
    """The text without credentials, tokens, passwords, and the secret part of callback addresses."""
    text = _without_known(text)
    if _PLAIN.fullmatch(text):
        return text
    for pattern, instead in RULES.values():
        text = pattern.sub(instead, text)
    return text


def redact(text: str) -> str:
    """The text without secrets, and with phone numbers masked wherever they stand (also in checkout ids)."""
    return masked(without_secrets(text))


def masked(text: str) -> str:
    """The text with phone numbers masked, also in checkout ids and as people type them."""
    return _TYPED_PHONE.sub(_middle_masked, _PHONE.sub(_middle_masked, text))


def _middle_masked(number: re.Match[str]) -> str:
    return f"{number[1]}***{number[2]}"


_CONTROL = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff\U000e0000-\U000e007f]"
)


def harmless(text: str) -> str:
    """Outside text without what steers a terminal or hides in it; its lines stay lines."""
    if text.isprintable():  # most is; nothing that is taken out below is printable
        return text
    return _CONTROL.sub("", text.replace("\t", " "))


def printable(text: str, limit: int = 300) -> str:
    """Outside text made safe for a terminal or a log: no control characters, one line, bounded."""
    flat = harmless(text.replace("\n", " "))
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"
