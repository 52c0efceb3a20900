"""The simulator's own endpoints: its ledger, its accounts, its faults, its operator, its certificate."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rentpay_cli.simulator.books import CENTS
from rentpay_cli.simulator.delivery import as_bytes
from rentpay_cli.simulator.faults import BadFault, parse
from rentpay_cli.simulator.fields import Refused, parse_json
from rentpay_cli.simulator.options import is_short_code
from rentpay_cli.simulator.world import World, log

Handler = Callable[[Request], Awaitable[Response]]


class BadOrder(ValueError):
    """A control request that has no meaning; the message says why in one sentence."""


def control_routes(world: World) -> list[Route]:
    """The routes under /simulator."""
    control = Control(world)
    return [
        Route("/simulator/ledger", control.ledger, methods=["GET"]),
        Route("/simulator/accounts", control.set_account, methods=["POST"]),
        Route("/simulator/faults", control.faults, methods=["GET", "POST", "DELETE"]),
        Route("/simulator/unlock", control.unlock, methods=["POST"]),
        Route("/simulator/expire-tokens", control.expire_tokens, methods=["POST"]),
        Route("/simulator/certificate", control.certificate, methods=["GET"]),
    ]


class Control:
    """The handlers of the control endpoints."""

    def __init__(self, world: World) -> None:
        self.world = world

    async def ledger(self, request: Request) -> Response:
        """Everything that really happened."""
        return _json(self.world.books.as_json())

    async def set_account(self, request: Request) -> Response:
        """Set what an account holds, opening it if it is new."""
        try:
            order = await _order(request, _ACCOUNT_EXAMPLE)
            short_code = str(order.get("shortCode", ""))
            if not is_short_code(short_code):
                raise BadOrder("shortCode must have 5 to 7 digits, such as 174379.")
            amounts = {key: _cents(key, order[key]) for key in ("working", "utility", "charges") if key in order}
        except BadOrder as wrong:
            return _wrong(wrong)
        account = self.world.books.open(short_code)
        for key, cents in amounts.items():
            setattr(account, f"{key}_cents", cents)
        log.info("account %s set by hand", short_code)
        return _json({"shortCode": short_code, **account.as_json()})

    async def faults(self, request: Request) -> Response:
        """List the faults, lay one or several in wait, or take all away."""
        if request.method == "DELETE":
            return _json({"cleared": self.world.faults.clear()})
        if request.method == "POST":
            try:
                specs = _specs(await _order(request, _FAULTS_EXAMPLE))
                for spec in specs:
                    parse(spec)  # all of them, before the first is laid
            except (BadOrder, BadFault) as wrong:
                return _wrong(wrong)
            for spec in specs:
                self.world.faults.add(spec)
                log.info("fault laid: %s", spec)
        return _json({"faults": [fault.as_json() for fault in self.world.faults.listed()]})

    async def unlock(self, request: Request) -> Response:
        """Unlock the operator, as the business administrator would."""
        self.world.wrong_passwords = 0
        log.info("operator unlocked")
        return _json({"unlocked": True})

    async def expire_tokens(self, request: Request) -> Response:
        """Make every token handed out so far useless."""
        return _json({"expired": self.world.expire_tokens()})

    async def certificate(self, request: Request) -> Response:
        """The certificate that security credentials are made with."""
        return Response(self.world.keys.certificate_pem, media_type="application/x-pem-file")


_FAULTS_EXAMPLE = '{"fault": "b2b:lost"} or {"faults": ["b2b:lost", "stk:no-callback"]}'
_ACCOUNT_EXAMPLE = '{"shortCode": "174379", "working": 50000}'


async def _order(request: Request, example: str) -> dict[str, object]:
    try:
        order = parse_json(await request.body())
    except Refused:
        order = None
    if not isinstance(order, dict):
        raise BadOrder(f"The body must be a JSON object, such as {example}.")
    return order


def _specs(order: dict[str, object]) -> list[str]:
    """The fault specs in an order: {"fault": SPEC}, {"faults": [SPEC, ...]}, or the parts of one by name."""
    several = order.get("faults", [order.get("fault")])
    if "product" in order:
        settings = [f"{key}={_plain(value)}" for key, value in order.items() if key not in ("product", "fault")]
        several = [",".join([f"{order['product']}:{order.get('fault', '')}", *settings])]
    if not isinstance(several, list) or not all(isinstance(spec, str) for spec in several) or not several:
        raise BadOrder(f"Say {_FAULTS_EXAMPLE}.")
    return several


def _plain(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _cents(key: str, value: object) -> int:
    number = value if isinstance(value, Decimal) else Decimal(value) if type(value) is int else None
    if number is not None and abs(number) < 10**12:
        cents = number * CENTS
        if cents == cents.to_integral_value():
            return int(cents)
    raise BadOrder(f"{key} must be a number of shillings, with at most two decimals.")


def _wrong(wrong: ValueError) -> Response:
    return _json({"error": str(wrong)}, 400)


def _json(body: object, http_status: int = 200) -> Response:
    return Response(as_bytes(body), http_status, media_type="application/json")
