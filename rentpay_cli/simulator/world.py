"""Everything a running simulator knows: its books, its faults, its operator, what it has been asked."""

from __future__ import annotations

import logging
import random
import secrets
import time
from dataclasses import dataclass, field
from datetime import datetime

from rentpay_cli.simulator import ids
from rentpay_cli.simulator.bodies import FAILURE_SHAPES, FailureShape
from rentpay_cli.simulator.books import CENTS, Books, Transfer
from rentpay_cli.simulator.faults import Faults
from rentpay_cli.simulator.keys import Keys
from rentpay_cli.simulator.options import UNKNOWN_PAYBILL, Options, name_of

log = logging.getLogger("rentpay.simulator")
log.addHandler(logging.NullHandler())

WRONG_PASSWORDS_ALLOWED = 3
MOST_CENTS = 250_000 * CENTS
OTHER_PAYBILL = "600000"
OTHER_PAYBILL_FLOAT_CENTS = 1_000_000 * CENTS


@dataclass
class Prompt:
    """An STK prompt on a phone. `code` is empty until the customer, or time, has decided."""

    merchant_request_id: str
    checkout_request_id: str
    phone: str
    receiver: str
    amount_cents: int
    account_reference: str
    callback_url: str
    fate: str
    """The result code it will end with."""
    code: str = ""
    transfer: Transfer | None = None


@dataclass
class Payout:
    """A B2B request that was accepted. `transfer` is there when money moved."""

    originator_conversation_id: str
    conversation_id: str
    sender: str
    receiver: str
    amount_cents: int
    account_reference: str
    pay_bill: bool
    asked_at: datetime
    code: str = ""
    transfer: Transfer | None = None


@dataclass
class World:
    """The state of one simulator. Only its event loop changes it, and never across a wait."""

    options: Options
    keys: Keys
    books: Books = field(init=False)
    faults: Faults = field(init=False)
    prompts: dict[str, Prompt] = field(default_factory=dict)
    payouts: dict[str, Payout] = field(default_factory=dict)
    """By originator conversation id; one that was never processed is not here."""
    wrong_passwords: int = 0

    def __post_init__(self) -> None:
        """Open the books with the float that was asked for."""
        self.books = Books(ids.new_receipt, ids.utc_now)
        self.books.open(OTHER_PAYBILL).working_cents = OTHER_PAYBILL_FLOAT_CENTS
        self.books.open(self.options.short_code).working_cents = self.options.working * CENTS
        self.faults = Faults(self.options.faults, self.options.seed)
        # Apart from the faults' chance, so that how a failure looks never changes which faults strike.
        self._shapes = random.Random(self.options.seed)  # noqa: S311
        self._tokens: dict[str, float] = {}
        self._prompted: dict[str, float] = {}
        self._known_good: set[str] = set()

    # --- tokens

    def new_token(self) -> str:
        """Hand out an access token, and forget the expired ones."""
        now = time.monotonic()
        if len(self._tokens) > 1000:
            self._tokens = {token: until for token, until in self._tokens.items() if until > now}
        token = secrets.token_urlsafe(21)
        self._tokens[token] = now + self.options.token_lifetime_seconds
        return token

    def token_is_good(self, token: str) -> bool:
        """Whether we handed this token out and it has not expired."""
        return self._tokens.get(token, 0.0) > time.monotonic()

    def expire_tokens(self) -> int:
        """Make every token handed out so far useless; says how many there were."""
        count = len(self._tokens)
        self._tokens.clear()
        return count

    # --- the operator

    def operator_trouble(self, initiator: str, credential: str) -> str:
        """The result code that stops this operator, or the empty text.

        Three wrong passwords in a row lock the operator: then even the right one gets 8006.
        """
        if self.wrong_passwords >= WRONG_PASSWORDS_ALLOWED:
            return "8006"
        if initiator != self.options.initiator_name:
            return "2001"
        if not self._credential_is_good(credential):
            self.wrong_passwords += 1
            return "2001"
        self.wrong_passwords = 0
        return ""

    def _credential_is_good(self, credential: str) -> bool:
        if self.options.accept_any_credential or credential in self._known_good:
            return True
        good = self.keys.opens_to(credential, self.options.initiator_password)
        if good and len(self._known_good) < 1000:
            self._known_good.add(credential)  # a client sends the same one every time; decrypting is slow
        return good

    # --- organisations

    def name(self, short_code: str) -> str:
        """The name of an organisation."""
        return name_of(short_code, self.options.names)

    def public_name(self, short_code: str) -> str:
        """An organisation as results name it: 600000 - Organisation 600000."""
        return f"{short_code} - {self.name(short_code)}"

    def is_unknown(self, short_code: str) -> bool:
        """Whether no such paybill exists."""
        return short_code == UNKNOWN_PAYBILL or short_code in self.options.unknown_paybills

    # --- prompts

    def prompted_lately(self, phone: str) -> bool:
        """Whether this phone has had a prompt too short a time ago."""
        last = self._prompted.get(phone)
        return last is not None and time.monotonic() - last < self.options.prompt_gap_seconds

    def remember(self, prompt: Prompt) -> None:
        """Note a prompt that is now on its way to a phone."""
        self.prompts[prompt.checkout_request_id] = prompt
        self._prompted[prompt.phone] = time.monotonic()

    def unused_checkout_id(self, phone: str) -> str:
        """A checkout request id that no prompt has."""
        checkout_id = ids.new_checkout_id(phone)
        while checkout_id in self.prompts:
            checkout_id = ids.new_checkout_id(phone)
        return checkout_id

    def failure_shape(self) -> FailureShape:
        """How the next failure result will look."""
        return self._shapes.choice(FAILURE_SHAPES)
