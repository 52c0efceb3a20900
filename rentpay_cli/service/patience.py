"""Patience with connections: how long they may keep us waiting, how much they may send, how many there may be.

They keep us waiting while they connect, send a request or take an answer, not while we work on one. That has an end,
however they trickle; and when too many wait, the one goes that has kept us waiting longest, so that somebody who opens
thousands of connections does not lock out a callback.

A `Connection` stands between asyncio and the server's own protocol: to asyncio it is the protocol, to the server the
transport. It knows nothing of HTTP, and of the server only that the task of a request begins while bytes are handed to
it. So the task inherits the context in which they are, and finds its connection named in it.
"""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

WAIT_SECONDS = 30.0
MAX_WAITING = 1000
MAX_HEAD_BYTES = 32 * 1024
MAX_SENT_BYTES = 128 * 1024  # a body with all around it, and what is sent ahead before it is answered
MAX_SENT_AHEAD = 16
READ_BYTES = 4096  # at once, and so all that the server may begin with before it pauses somebody who sends ahead

_current: ContextVar[Connection] = ContextVar("connection")


class Patience:
    """Who keeps a server waiting; wrapped around its application, it learns when they do."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.waiting: dict[Connection, None] = {}  # who has kept us waiting longest comes first

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        connection = _current.get()

        async def receive_whole() -> Message:
            message = await receive()
            if not message.get("more_body"):
                connection.wait_no_more()
            return message

        async def send_answer(message: Message) -> None:
            connection.wait()
            await send(message)

        with connection:
            await self._app(scope, receive_whole, send_answer)


class Connection(asyncio.BufferedProtocol):
    """One connection, between asyncio and the server's protocol for it; entered for each request."""

    def __init__(self, patience: Patience, server: Any) -> None:
        self.transport: Any = None
        self._patience, self._server = patience, server
        self._loop = asyncio.get_running_loop()
        self._buffer = memoryview(bytearray(READ_BYTES))
        self._alarm: asyncio.TimerHandle | None = None
        self._begun, self._is_handing, self._is_ending = 0, False, False
        self._answers = self._last_words = b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.wait()
        self._server.connection_made(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.wait_no_more()
        self._server.connection_lost(exc)
        self._server = None  # which holds this: they need not wait for the garbage collector

    def wait(self) -> None:
        """From now on they keep us waiting: for a request, or to take an answer."""
        self.wait_no_more()
        self._sent_bytes, self._most_bytes = 0, MAX_HEAD_BYTES
        if not self.transport.is_closing():
            self._patience.waiting[self] = None
            self._alarm = self._loop.call_later(WAIT_SECONDS, self.cut_off)
        if len(self._patience.waiting) > MAX_WAITING:
            next(iter(self._patience.waiting)).cut_off()

    def wait_no_more(self) -> None:
        """They do not keep us waiting now."""
        if self._alarm:
            self._alarm.cancel()
            self._alarm = None
        self._patience.waiting.pop(self, None)

    def cut_off(self) -> None:
        """Close at once and without a word."""
        self.wait_no_more()
        self.transport.abort()

    def __enter__(self) -> None:
        self._sent_bytes, self._most_bytes = 0, MAX_SENT_BYTES
        self._begun += 1
        if self._begun > MAX_SENT_AHEAD:
            self.cut_off()

    def __exit__(self, *_: object) -> None:
        if self not in self._patience.waiting:
            self.wait()  # nothing was answered
        if self._is_ending:
            self._loop.call_soon(self._settle)

    def eof_received(self) -> Any:
        return self._server.eof_received()

    def pause_writing(self) -> None:
        self._server.pause_writing()

    def resume_writing(self) -> None:
        self._server.resume_writing()

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        if self._is_ending:
            return
        if self in self._patience.waiting:
            self._begun = 0
        self._sent_bytes += nbytes
        self._is_handing, before = True, _current.set(self)
        self._server.data_received(bytes(self._buffer[:nbytes]))
        _current.reset(before)
        self._is_handing = False
        if self._sent_bytes > self._most_bytes:
            self._loop.call_soon(self._settle)

    def _settle(self) -> None:
        """Draw the consequences, once a task has begun for each request that the server was handed."""
        if self._sent_bytes > self._most_bytes:
            self.cut_off()
        elif self._is_ending and self in self._patience.waiting:
            self._answers += self._last_words
            self._flush()
            self.transport.close()

    def _flush(self) -> None:
        if not self.transport.is_closing():
            self.transport.write(self._answers)
        self._answers = b""

    def __getattr__(self, name: str) -> Any:
        return getattr(self.transport, name)

    def is_closing(self) -> bool:
        """Whether nothing more is answered."""
        return self.transport.is_closing() or (self._is_ending and not self._last_words)

    def write(self, data: bytes) -> None:
        """Write soon; what the server says while it is handed bytes, as that they are rubbish, waits for answers."""
        if self._is_handing:
            self._last_words += data
        else:
            if not self._answers:
                self._loop.call_soon(self._flush)  # one system call for head and body
            self._answers += data

    def close(self) -> None:
        """Close soon, after the last words."""
        self._is_ending = True
        self._loop.call_soon(self._settle)
