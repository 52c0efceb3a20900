"""Every failure an operator can meet: one tree, where the class carries the exit status.

    RentpayError
    ├── RuleRefused       1   M-Pesa or a rule said no; nothing is in doubt
    │   └── MpesaUnreachable  nothing was sent: no token, no connection
    ├── WrongUse          2   the command was called in a way that has no meaning
    ├── NotFound          3   no such thing
    ├── BadConfiguration  4   a setting is missing or wrong
    │   └── BadDatabase       the database cannot be used as it is
    ├── OutcomeUnknown    5   sent; whether money moved is not known; do not send again
    ├── NeedsAttention    6   partly failed, or something needs a person
    └── NotAllowed        7   who asks may not do this

A message is one sentence for a person; the hint says what to do next. `code` is what scripts see in `--json`.
"""

from __future__ import annotations


class RentpayError(Exception):
    """Something an operator can be told in a sentence."""

    exit_status = 1
    code = "error"

    def __init__(self, message: str, hint: str = "", *, code: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if code:
            self.code = code


class RuleRefused(RentpayError):
    """M-Pesa or a rule of ours said no, and nothing is in doubt."""

    exit_status = 1
    code = "refused"


class MpesaUnreachable(RuleRefused):
    """M-Pesa could not be asked: nothing was sent."""

    code = "mpesa_unreachable"


class WrongUse(RentpayError):
    """The command was called in a way that has no meaning."""

    exit_status = 2
    code = "wrong_use"


class NotFound(RentpayError):
    """There is no such thing."""

    exit_status = 3
    code = "not_found"


class BadConfiguration(RentpayError):
    """A setting is missing or wrong."""

    exit_status = 4
    code = "configuration"


class BadDatabase(BadConfiguration):
    """The database cannot be used as it is."""

    code = "database"


class OutcomeUnknown(RentpayError):
    """It was sent, and whether money moved is not known yet."""

    exit_status = 5
    code = "outcome_unknown"


class NeedsAttention(RentpayError):
    """Something needs a person, or a run failed in part."""

    exit_status = 6
    code = "needs_attention"


class NotAllowed(RentpayError):
    """Who asks may not do this."""

    exit_status = 7
    code = "not_allowed"
