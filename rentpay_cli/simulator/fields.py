"""Reading the fields of a request as strictly, and as loosely, as Safaricom does.

Numbers may come as numbers or as text, identifiers likewise. What is wrong is named in the error body.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from urllib.parse import urlsplit

from rentpay_cli.simulator.books import CENTS
from rentpay_cli.simulator.options import is_short_code

_WHOLE = re.compile(r"[0-9]{1,12}(\.0{1,4})?", re.ASCII)
_MSISDN = re.compile(r"254[17][0-9]{8}", re.ASCII)


class Refused(Exception):
    """The gateway says no: nothing was processed."""

    def __init__(self, http_status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.http_status = http_status
        self.code = code
        self.message = message


def invalid(field: str) -> Refused:
    """The refusal that names a bad field."""
    return Refused(400, "400.002.02", f"Bad Request - Invalid {field}")


class Fields:
    """The fields of one request; each reader raises Refused when its field will not do."""

    def __init__(self, values: dict[str, object]) -> None:
        self._values = values

    def optional(self, name: str) -> str:
        """A text or a whole number as text; empty when absent."""
        value = self._values.get(name)
        if value is None:
            return ""
        if isinstance(value, str):
            if any("\ud800" <= character <= "\udfff" for character in value):
                raise invalid(name)  # half a character: JSON can carry it, text cannot
            return value
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        if isinstance(value, Decimal) and value == value.to_integral_value() and abs(value) < 10**15:
            return str(int(value))
        raise invalid(name)

    def text(self, name: str, *, named: str = "", longest: int = 1000) -> str:
        """A text with content."""
        value = self.optional(name)
        if not value.strip() or len(value) > longest:
            raise invalid(named or name)
        return value

    def one_of(self, name: str, allowed: Iterable[str]) -> str:
        """One of the allowed values. Blanks around it do no harm: a widely used client sends one."""
        value = self.optional(name).strip()
        if value not in allowed:
            raise invalid(name)
        return value

    def amount_cents(self) -> int:
        """`Amount` in cents. Whole shillings from 1, however they are written: 10, "10", 10.0, "10.0"."""
        value = self._values.get("Amount")
        written = "" if isinstance(value, bool) else str(value)
        if isinstance(value, Decimal) and value.is_finite() and abs(value) < 10**12:
            written = f"{value:f}"
        if not _WHOLE.fullmatch(written) or int(Decimal(written)) < 1:
            raise invalid("Amount")
        return int(Decimal(written)) * CENTS

    def short_code(self, name: str) -> str:
        """A paybill or till number: 5 to 7 digits."""
        value = self.optional(name)
        if not is_short_code(value):
            raise invalid(name)
        return value

    def msisdn(self, name: str) -> str:
        """A Kenyan mobile number as 2547XXXXXXXX or 2541XXXXXXXX."""
        value = self.optional(name)
        if not _MSISDN.fullmatch(value):
            raise invalid(name)
        return value

    def timestamp(self) -> str:
        """`Timestamp`: 14 digits that are a date and a time, in any zone and of any age."""
        value = self.optional("Timestamp")
        try:
            if len(value) != 14 or not (value.isascii() and value.isdigit()):
                raise ValueError(value)
            datetime.strptime(value, "%Y%m%d%H%M%S")  # noqa: DTZ007 - only its form matters
        except ValueError:
            raise invalid("Timestamp") from None
        return value

    def url(self, name: str) -> str:
        """An absolute address to call back."""
        value = self.optional(name)
        try:
            parts = urlsplit(value)
            good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            good = False
        if not good or len(value) > 2000 or any(ord(character) <= 32 for character in value):
            raise invalid(name)
        return value

    def credential(self, *, any_text: bool) -> str:
        """`SecurityCredential`: base64, unless any text will do."""
        value = self.text("SecurityCredential", longest=4096)
        if not any_text:
            try:
                base64.b64decode(value, validate=True)
            except (binascii.Error, ValueError):
                raise invalid("SecurityCredential") from None
        return value


def read_json(body: bytes, content_type: str, first_field: str) -> Fields:
    """The fields in a request body. A missing content type gets Safaricom's misleading answer."""
    if "json" not in content_type.lower():
        raise invalid(first_field)
    values = parse_json(body)
    if not isinstance(values, dict):
        raise Refused(400, "400.002.05", "Invalid Request Payload")
    return Fields(values)


def parse_json(body: bytes) -> object:
    """JSON with exact numbers. Raises Refused."""
    try:
        return json.loads(body, parse_float=Decimal, parse_constant=_no_constant)
    except (ValueError, ArithmeticError, RecursionError):
        raise Refused(400, "400.002.05", "Invalid Request Payload") from None


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")
