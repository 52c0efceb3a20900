"""One redaction for everything that is kept or shown: secrets out, phone numbers masked."""

from __future__ import annotations

import re

_SECRET_FIELDS = r"SecurityCredential|Password|InitiatorPassword|access_token|ConsumerSecret|Passkey"
_IN_JSON = re.compile(rf'("(?:{_SECRET_FIELDS})"\s*:\s*)"(?:[^"\\]|\\.)*"?', re.IGNORECASE)
_TOKEN_ECHO = re.compile(r"(Invalid Access Token\s*-\s*)[^\s\"'<]+", re.IGNORECASE)
_BEARER = re.compile(r"\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]+", re.IGNORECASE)
_CALLBACK_TOKEN = re.compile(r"(/api/payments/(?:b2b-)?callback/)[^/\s\"'?]+")
_PHONE = re.compile(r"(254[17]\d{2}|ws_CO_\d{14,}[17]\d{2})\d{3}(\d{3})(?!\d|\*{3}\d)")
_BLOB = re.compile(r"[A-Za-z0-9+/]{200,}={0,2}")


def without_secrets(text: str) -> str:
    """The text without credentials, tokens, and the secret part of callback addresses."""
    text = _BLOB.sub("[removed]", text)
    text = _IN_JSON.sub(r'\1"[removed]"', text)
    text = _BEARER.sub(r"\1 [removed]", text)
    text = _TOKEN_ECHO.sub(r"\1[removed]", text)
    return _CALLBACK_TOKEN.sub(r"\1[removed]", text)


def redact(text: str) -> str:
    """The text without secrets, and with phone numbers masked wherever they stand (also in checkout ids)."""
    return _PHONE.sub(r"\1***\2", without_secrets(text))


def body_without_secrets(body: bytes) -> bytes:
    """A callback's bytes as they may be stored: a queue-timeout may echo our own credential (Daraja, 5.3)."""
    lowered = body.lower()
    if not any(word in lowered for word in (b"credential", b"password", b"access")):
        return body
    return without_secrets(body.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")


_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str, limit: int = 300) -> str:
    """Outside text made safe for a terminal or a log: no control characters, one line, bounded."""
    flat = _CONTROL.sub("", text.replace("\n", " ").replace("\t", " "))
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"
