"""Standard output and error: in the order in which things happened, and with words of their own for a failed write.

A full disk or a closed stream must not be taken for a failure of the command, which may have sent money. Whatever
goes to standard error (talk, logs, what Python itself says of a thread that died) leaves without secrets.

In a pipe, answers wait for each other until there are many, because a list may be long. What is said leaves at once,
and takes along the answers that came before it; so both are in order wherever they meet.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import Any

from rentpay_cli.core.redact import without_secrets


class OutputLost(OSError):
    """Something could not be written on standard output or standard error."""


class _Stream:
    """A standard stream whose failures are `OutputLost`."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write the text; raises `OutputLost`."""
        try:
            return int(self._stream.write(text))
        except OSError as error:
            raise OutputLost(error.errno, error.strerror) from error

    def flush(self) -> None:
        """Write what waits; raises `OutputLost`."""
        try:
            self._stream.flush()
        except OSError as error:
            raise OutputLost(error.errno, error.strerror) from error


class _Answers(_Stream):
    """Standard output, whose loss while something else is said is told when it is next written or flushed."""

    def __init__(self, stream: Any) -> None:
        super().__init__(stream)
        self._lost: OutputLost | None = None

    def write(self, text: str) -> int:
        """Write the text; raises `OutputLost`."""
        self._tell_loss()
        return super().write(text)

    def flush(self) -> None:
        """Write what waits; raises `OutputLost`."""
        self._tell_loss()
        super().flush()

    def go_first(self) -> None:
        """Write what waits before something is said elsewhere, which must be said even if this is lost."""
        try:
            super().flush()
        except OutputLost as lost:
            self._lost = lost

    def _tell_loss(self) -> None:
        lost, self._lost = self._lost, None
        if lost is not None:
            raise lost


class _Talk(_Stream):
    """Standard error, on which no secret is written, and nothing before the answers that came before it."""

    def __init__(self, stream: Any, answers: _Answers) -> None:
        super().__init__(stream)
        self._answers = answers

    def write(self, text: str) -> int:
        """Write the text without secrets, at once; raises `OutputLost`."""
        self._answers.go_first()
        super().write(without_secrets(text))
        self.flush()
        return len(text)


def guard() -> None:
    """Watch the standard streams, and open those that we were started without, so that no file of ours becomes one.

    What cannot be said on standard error is lost; what cannot be answered on standard output is a failure.
    """
    for name, flag, mode in (("stdin", os.O_RDONLY, "r"), ("stdout", os.O_RDONLY, "w"), ("stderr", os.O_WRONLY, "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, flag), mode))
    answers = _Answers(sys.stdout)
    sys.stdout, sys.stderr = answers, _Talk(sys.stderr, answers)


def flush() -> None:
    """Write what waits on both streams; raises `OutputLost`."""
    sys.stdout.flush()
    sys.stderr.flush()


def tell(lost: OutputLost, more: str) -> None:
    """Say on standard error, if that can be written, that the answer could not be."""
    with suppress(OutputLost):  # nobody is left to be told; the exit status still says it
        sys.stderr.write(f"Error: The answer could not be written ({lost.strerror}). {more}".strip() + "\n")
        sys.stderr.flush()


def forget() -> None:
    """Let what waits on a stream that cannot be written go nowhere, or else Python itself complains at the end."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OutputLost:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)
