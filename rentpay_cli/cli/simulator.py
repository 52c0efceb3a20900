"""`rentpay simulator`: start a local M-Pesa and say how to reach it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rentpay_cli.cli.common import talk

if TYPE_CHECKING:
    from rentpay_cli.simulator.options import Options
    from rentpay_cli.simulator.server import Started


def simulator(
    port: Annotated[
        int, typer.Option(min=0, max=65535, metavar="N", help="Port to listen on; 0 picks a free one.")
    ] = 8600,
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="Address to listen on.")] = "127.0.0.1",
    delay: Annotated[
        float, typer.Option(min=0, metavar="S", help="Seconds until a result is sent, or a prompt is answered.")
    ] = 0.5,
    seed: Annotated[int, typer.Option(metavar="N", help="Seed of everything that happens by chance.")] = 0,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SPEC",
            help="Something that goes wrong: PRODUCT:FAULT, and what is said about it above; repeatable.",
        ),
    ] = None,
    working: Annotated[int, typer.Option(min=0, metavar="N", help="Float of the short code, in shillings.")] = 0,
    short_code: Annotated[str, typer.Option(metavar="N", help="The platform's paybill.")] = "174379",
    passkey: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Passkey of the short code, if not the sandbox's.")
    ] = None,
    consumer_key: Annotated[
        str | None, typer.Option(metavar="TEXT", help="The only key accepted; any, unless given.")
    ] = None,
    consumer_secret: Annotated[
        str | None, typer.Option(metavar="TEXT", help="The only secret accepted; any, unless given.")
    ] = None,
    initiator_name: Annotated[str, typer.Option(metavar="TEXT", help="Name of the B2B operator.")] = "testapi",
    initiator_password: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Password of the operator, if not the sandbox's.")
    ] = None,
    accept_any_credential: Annotated[
        bool, typer.Option("--accept-any-credential", help="Do not check security credentials.")
    ] = False,
    unknown_paybill: Annotated[
        list[str] | None, typer.Option(metavar="N", help="A paybill that does not exist, besides 999999; repeatable.")
    ] = None,
    name: Annotated[
        list[str] | None,
        typer.Option(metavar="N=NAME", help='Name of an organisation, such as 600000="Sunset Homes"; repeatable.'),
    ] = None,
    prompt_gap: Annotated[
        float, typer.Option(min=0, metavar="S", help="Seconds in which a phone gets no second prompt.")
    ] = 60,
    token_lifetime: Annotated[int, typer.Option(min=0, metavar="S", help="Seconds that a token lasts.")] = 3599,
    callback_port: Annotated[
        int, typer.Option(min=1, max=65535, metavar="N", help="Port of the callback addresses that are printed.")
    ] = 8000,
    home: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of the key pair, if not the user's data folder.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No log.")] = False,
) -> None:
    """It prints the settings of a client, ready for a .env file, and serves
    until Ctrl-C. GET /simulator/ledger tells what really happened, POST
    /simulator/accounts sets a float, /simulator/faults lays, lists and
    clears faults.

    Phones: the last two digits choose how an STK prompt ends. 01 cancelled,
    02 too little money, 03 wrong PIN, 04 paid but no callback, 05 not
    reached, 06 callback twice, 07 callback before the answer, anything else
    paid.

    Faults: PRODUCT is oauth, stk, stk-query, b2b, status, balance or any.
    FAULT is lost, 503-before, 503-after, html, empty, spike, slow,
    no-callback, callback-twice, callback-early, callback-late,
    queue-timeout, result, other-name, not-found or pending. After commas
    may follow times=N (1 unless a probability is given), probability=P, and
    code=C for result, seconds=S for slow and callback-late, moved=true for
    queue-timeout. To POST one: {"fault": "b2b:lost"}, or {"faults":
    ["b2b:lost", "stk:no-callback"]}.

    Examples:

    rentpay simulator > .env

    rentpay simulator --port 0 --delay 0 --working 50000 --fault b2b:lost --fault b2b:no-callback

    rentpay simulator --fault stk:503-after,probability=0.1 --seed 7
    """
    from rentpay_cli.cli.show import wants_json
    from rentpay_cli.simulator import options as defaults
    from rentpay_cli.simulator.server import run

    with _in_our_words():
        settings = defaults.Options(
            host=host,
            port=port,
            callback_port=callback_port,
            home=home,
            short_code=short_code,
            passkey=defaults.SANDBOX_PASSKEY if passkey is None else passkey,
            consumer_key=consumer_key,
            consumer_secret=consumer_secret,
            initiator_name=initiator_name,
            initiator_password=defaults.SANDBOX_INITIATOR_PASSWORD
            if initiator_password is None
            else initiator_password,
            accept_any_credential=accept_any_credential,
            working=working,
            unknown_paybills=frozenset(unknown_paybill or ()),
            names=dict(defaults.read_name(text) for text in name or ()),
            delay_seconds=delay,
            prompt_gap_seconds=prompt_gap,
            token_lifetime_seconds=token_lifetime,
            seed=seed,
            faults=tuple(fault or ()),
        )
        as_json = wants_json()
        with _log_on_standard_error(quiet):
            run(settings, announce=lambda started: _announce(settings, started, as_json=as_json, quiet=quiet))


def _announce(settings: Options, started: Started, *, as_json: bool, quiet: bool) -> None:
    """The settings go to standard output at once, because a script is waiting for them."""
    from rentpay_cli.simulator.announce import environment_block, environment_json

    show = environment_json if as_json else environment_block
    sys.stdout.write(show(started.environment, started.base_url))
    sys.stdout.flush()
    if not quiet:
        talk(f"A local M-Pesa for {settings.short_code} listens on {started.base_url}. Ctrl-C stops it.")


@contextmanager
def _in_our_words() -> Iterator[None]:
    """What the simulator refuses, as the errors that every command ends with."""
    from rentpay_cli.errors import BadConfiguration, RuleRefused, WrongUse
    from rentpay_cli.simulator.faults import BadFault
    from rentpay_cli.simulator.keys import BadKeys
    from rentpay_cli.simulator.options import BadOption
    from rentpay_cli.simulator.server import CannotListen

    try:
        yield
    except (BadFault, BadOption) as wrong:
        raise WrongUse(str(wrong)) from wrong
    except CannotListen as taken:
        hint = "Choose another port with --port, or --port 0 for a free one."
        raise RuleRefused(str(taken), hint, code="port_taken") from taken
    except BadKeys as trouble:
        raise BadConfiguration(str(trouble), "Name a folder that you may write with --home.") from trouble


@contextmanager
def _log_on_standard_error(quiet: bool) -> Iterator[None]:
    """One line an event, unless quiet."""
    import logging
    from datetime import datetime

    from rentpay_cli.core.clock import EAT

    log = logging.getLogger("rentpay.simulator")
    before = log.level, log.propagate
    handler: logging.Handler = logging.NullHandler() if quiet else logging.StreamHandler(sys.stderr)
    formatter = logging.Formatter("%(asctime)s %(message)s", datefmt="%H:%M:%S EAT")
    formatter.converter = lambda seconds: datetime.fromtimestamp(seconds or 0, EAT).timetuple()
    handler.setFormatter(formatter)
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(before[0])
        log.propagate = before[1]
