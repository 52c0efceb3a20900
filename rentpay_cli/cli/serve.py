"""`rentpay serve-callbacks`: the listener and its worker in one process."""

from __future__ import annotations

import errno
import gc
import logging
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rentpay_cli.cli import show, terminal
from rentpay_cli.cli.common import runtime, talk

if TYPE_CHECKING:
    import uvicorn

    from rentpay_cli.runtime import Runtime


def serve_callbacks(
    host: Annotated[
        str, typer.Option(help="Address to listen on; a reverse proxy stands in front of it.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 picks a free one.")] = 8000,
) -> None:
    """Every callback is stored before it is answered. Then a payment becomes success or failed, a disbursement
    completed or failed, and, if AUTO_DISBURSEMENT=true, the owner's share is sent. One log line an event goes to
    standard error. Ctrl-C and SIGTERM finish what is in hand. GET /healthz tells a monitor whether all is well, and GET
    /metrics, to this machine alone, what `rentpay health` says.

    Examples:
    rentpay serve-callbacks
    rentpay serve-callbacks --host 0.0.0.0 --port 8080
    """
    with runtime(is_lasting=True) as rt:
        _serve(rt, host, port)


_LISTEN_HINTS = {
    errno.EADDRINUSE: "Is another listener running there? Choose another --port.",
    errno.EADDRNOTAVAIL: "This machine does not have that address: --host takes one of its own, such as 127.0.0.1.",
    errno.EACCES: "Ports under 1024 are for the administrator: choose another --port.",
}


def _serve(rt: Runtime, host: str, port: int) -> None:
    from rentpay_cli.errors import RuleRefused
    from rentpay_cli.flows.notices import notifier_of
    from rentpay_cli.runtime import Runtime
    from rentpay_cli.service.group_commit import GroupCommit
    from rentpay_cli.service.listener import build_app, listen_on, server_of
    from rentpay_cli.service.metrics import metrics_route
    from rentpay_cli.service.worker import Teller, Worker
    from rentpay_cli.store import health_reads, inbox, signs

    log = _logger()
    database = rt.database
    with database.transaction() as session:
        signs.prove_writable(session)
    notifier = notifier_of(rt)
    try:
        bound = listen_on(host, port)
    except OSError as error:
        raise RuleRefused(
            f"Cannot listen on {host} port {port}: {os.strerror(error.errno) if error.errno else error}.",
            _LISTEN_HINTS.get(error.errno or 0, "Check --host and --port."),
            code="port_taken" if error.errno == errno.EADDRINUSE else "cannot_listen",
        ) from error
    worker = Worker(rt, log)
    tellers_rt = Runtime(rt.settings)  # connections of its own: those for reading belong to one thread
    teller = Teller(tellers_rt, notifier, log)

    def append(arrivals: Any) -> None:
        try:
            inbox.append(database, arrivals, rt.now())
        except Exception as error:
            log("callbacks not stored", count=len(arrivals), error=str(error))
            raise
        worker.wake()

    app = build_app(GroupCommit(append).store, worker.health, metrics_route(lambda: _metrics(rt, log)))
    server = server_of(app, [str(network) for network in rt.settings.trusted_proxies])
    _announce(rt, host, bound.getsockname()[1], health_reads.open_work(rt.reader))
    log("listening", port=bound.getsockname()[1], environment=rt.settings.environment)
    worker.start()
    teller.start()
    try:
        with _web_server_heard(log):
            run(server, bound)
    finally:
        worker.stop()
        teller.stop()
        tellers_rt.close()
        log("stopped")


OPEN_FILES = 4096
"""More than the connections at which the listener answers that it has too much in hand."""


def run(server: uvicorn.Server, bound: socket.socket) -> None:
    """Serve until SIGINT or SIGTERM, and answer what is in hand before returning."""
    _allow_open_files()
    gc.freeze()  # what is there by now stays, and no callback waits while the collector looks through it
    with _stopped_by_signals(server):
        server.run(sockets=[bound])


def _allow_open_files() -> None:
    """Ask for room for all connections: without it, a crowd of them keeps the database from opening its files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


@contextmanager
def _stopped_by_signals(server: uvicorn.Server) -> Iterator[None]:
    """A signal ends the serving and no more: uvicorn raises it again when it is done, and here it is done with."""

    def stop(*_: object) -> None:
        server.should_exit = True

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _metrics(rt: Runtime, log: Callable[..., None]) -> str | None:
    """Prometheus' text, read by a connection of its own, which no lost connection spoils; None if it cannot be read."""
    from contextlib import closing

    from rentpay_cli.errors import RentpayError
    from rentpay_cli.flows.health import metrics_now
    from rentpay_cli.runtime import Runtime

    try:
        with closing(Runtime(rt.settings)) as own:
            return metrics_now(own)
    except RentpayError as error:
        log("metrics not read", error=error.message)
        return None


def _announce(rt: Runtime, host: str, port: int, work: dict[str, Any]) -> None:
    shown = "127.0.0.1" if host in ("", "0.0.0.0") else host  # noqa: S104
    url = f"http://{shown}:{port}"
    auto = rt.settings.auto_disbursement
    if show.wants_json():
        show.document(url=url, environment=rt.settings.environment, autoDisbursement=auto, **work)
        sys.stdout.flush()
        return
    talk(f"Environment: {rt.settings.environment}. Listening on {url}")
    if auto:
        talk(f"AUTO_DISBURSEMENT=true: {work['pending']} pending disbursements will be sent, and every new one.")
    else:
        talk(f"AUTO_DISBURSEMENT=false: nothing is sent by itself; {work['pending']} disbursements are pending.")


def _logger() -> Callable[..., None]:
    """One line an event on standard error: JSON unless a person watches; redacted in this one place."""
    import structlog

    from rentpay_cli.core.redact import printable, redact

    def clean(_: Any, __: str, event: Any) -> Any:
        return {
            key: printable(redact(value)) if isinstance(value, str) else value
            for key, value in event.items()
            if value is not None
        }

    person = sys.stderr.isatty()
    for_people = structlog.dev.ConsoleRenderer(colors=terminal.has_colours(err=True))
    logger = structlog.wrap_logger(
        structlog.PrintLogger(sys.stderr),
        processors=[
            clean,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            for_people if person else structlog.processors.JSONRenderer(),
        ],
    ).bind()

    def log(event: str, **fields: Any) -> None:
        with suppress(OSError):  # a full disk under the log must not stop callbacks from being answered
            logger.info(event, **fields)

    return log


@contextmanager
def _web_server_heard(log: Callable[..., None]) -> Iterator[None]:
    """Log what the web server says as long as it serves."""
    heard = _WebServersWords(log)
    logging.getLogger("uvicorn").addHandler(heard)
    try:
        yield
    finally:
        logging.getLogger("uvicorn").removeHandler(heard)


REPEATED_WORDS_SECONDS = 60.0


class _WebServersWords(logging.Handler):
    """Passes on what the web server says, such as that somebody does not speak HTTP, as events like all others.

    The same words again are only counted for a minute, so that rubbish cannot fill the disk with them.
    """

    def __init__(self, log: Callable[..., None]) -> None:
        super().__init__(logging.WARNING)
        self._log = log
        self._said: dict[str, tuple[float, int]] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Log it in one line, without the traceback."""
        said_at, unsaid = self._said.get(record.msg, (float("-inf"), 0))
        if record.created - said_at < REPEATED_WORDS_SECONDS:
            self._said[record.msg] = (said_at, unsaid + 1)
            return
        self._said[record.msg] = (record.created, 0)
        error = record.exc_info[1] if record.exc_info else None
        self._log(
            "web server",
            text=record.getMessage().strip(),
            error=repr(error) if error else None,
            also_since_last_said=unsaid or None,
        )
