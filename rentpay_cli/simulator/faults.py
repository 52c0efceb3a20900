"""Faults on demand: what goes wrong, for which product, how often.

A request meets at most one fault at each stage: the first in the list that still applies. So `b2b:lost` and
`b2b:no-callback` together lose both the answer and the result of one payout, while two `b2b:lost` lose the
answers of two. Only a request that was in order (good token, good fields) draws: a refused one uses nothing up.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, cast

Product = Literal["oauth", "stk", "stk-query", "b2b", "status", "balance"]
Stage = Literal["pace", "answer", "outcome", "callback", "name"]

PRODUCTS: tuple[Product, ...] = ("oauth", "stk", "stk-query", "b2b", "status", "balance")
_ALL = frozenset[Product](PRODUCTS)
_CALLING_BACK = frozenset[Product](("stk", "b2b", "status", "balance"))
_RESULT_ENVELOPE = frozenset[Product](("b2b", "status", "balance"))


@dataclass(frozen=True)
class Kind:
    """One kind of fault: where it strikes and which products know it."""

    stage: Stage
    products: frozenset[Product]
    says: str


KINDS: dict[str, Kind] = {
    "lost": Kind("answer", _ALL, "processed, then the connection is dropped without an answer"),
    "503-before": Kind("answer", _ALL, "HTTP 503, and nothing is processed"),
    "503-after": Kind("answer", _ALL, "processed, then HTTP 503"),
    "html": Kind("answer", _ALL, "processed, then a page of HTML with status 200"),
    "empty": Kind("answer", _ALL, "processed, then an acknowledgement with all values empty"),
    "spike": Kind("answer", _ALL, "the gateway's spike arrest, and nothing is processed"),
    "slow": Kind("pace", _ALL, "processed at once, answered after `seconds` (5 unless given)"),
    "no-callback": Kind("callback", _CALLING_BACK, "the result is never sent"),
    "callback-twice": Kind("callback", _CALLING_BACK, "the result is sent twice at the same moment"),
    "callback-early": Kind("callback", _CALLING_BACK, "the result arrives before the answer"),
    "callback-late": Kind("callback", _CALLING_BACK, "the result arrives `seconds` later (5 unless given)"),
    "queue-timeout": Kind(
        "callback",
        _RESULT_ENVELOPE,
        "the request is posted to QueueTimeOutURL; with `moved=true` it was done",
    ),
    "result": Kind("outcome", _ALL - {"oauth"}, "the result code `code`, and no money moves"),
    "other-name": Kind("name", frozenset(("b2b",)), "paid, and the result names another organisation as the receiver"),
    "not-found": Kind("outcome", frozenset(("status",)), "the status query finds no such transaction"),
    "pending": Kind("outcome", frozenset(("stk-query",)), "HTTP 500, The transaction is being processed"),
}

DEFAULT_SECONDS = 5.0
_TIMED = ("slow", "callback-late")


class BadFault(ValueError):
    """A fault that cannot be understood; the message says why in one sentence."""


@dataclass
class Fault:
    """A fault lying in wait. `left` counts down to 0; None means it is drawn by probability alone."""

    product: Product | Literal["any"]
    name: str
    left: int | None = 1
    probability: float = 1.0
    code: str = ""
    seconds: float = DEFAULT_SECONDS
    moved: bool = False
    struck: int = 0

    @property
    def stage(self) -> Stage:
        """Where it strikes."""
        return KINDS[self.name].stage

    def concerns(self, product: Product) -> bool:
        """Whether a request for this product could meet it."""
        return self.left != 0 and self.product in (product, "any") and product in KINDS[self.name].products

    def as_json(self) -> dict[str, object]:
        """The fault as `GET /simulator/faults` lists it."""
        shown: dict[str, object] = {
            "product": self.product,
            "fault": self.name,
            "left": self.left,
            "probability": self.probability,
            "struck": self.struck,
        }
        if self.name == "result":
            shown["code"] = self.code
        if self.name in _TIMED:
            shown["seconds"] = self.seconds
        if self.name == "queue-timeout":
            shown["moved"] = self.moved
        return shown


@dataclass(frozen=True)
class Struck:
    """The faults one request has met, by stage."""

    by_stage: dict[Stage, Fault] = field(default_factory=dict)

    def at(self, stage: Stage) -> str:
        """The name of the fault at this stage, or the empty text."""
        fault = self.by_stage.get(stage)
        return fault.name if fault else ""

    @property
    def names(self) -> tuple[str, ...]:
        """All of them, for the log."""
        return tuple(fault.name for fault in self.by_stage.values())

    @property
    def slow_seconds(self) -> float:
        """How long to hold the answer back."""
        fault = self.by_stage.get("pace")
        return fault.seconds if fault else 0.0

    @property
    def late_seconds(self) -> float:
        """How much later than usual the result is sent."""
        fault = self.by_stage.get("callback")
        return fault.seconds if fault and fault.name == "callback-late" else 0.0

    @property
    def result_code(self) -> str:
        """The result code that was ordered, or the empty text."""
        fault = self.by_stage.get("outcome")
        return fault.code if fault and fault.name == "result" else ""

    @property
    def moved(self) -> bool:
        """Whether a request that timed out in the queue was done nevertheless."""
        fault = self.by_stage.get("callback")
        return fault is None or fault.name != "queue-timeout" or fault.moved


class Faults:
    """The faults lying in wait, and the one source of chance that all draws come from."""

    def __init__(self, specs: Iterable[str] = (), seed: int = 0) -> None:
        self._random = random.Random(seed)  # noqa: S311 - repeatable chance is the point; nothing secret here
        self._waiting: list[Fault] = [parse(spec) for spec in specs]

    def add(self, spec: str) -> Fault:
        """Lay one more fault in wait. Raises BadFault."""
        fault = parse(spec)
        self._waiting.append(fault)
        return fault

    def clear(self) -> int:
        """Take all faults away; says how many there were."""
        count = len(self._waiting)
        self._waiting.clear()
        return count

    def listed(self) -> list[Fault]:
        """The faults, used up or not."""
        return list(self._waiting)

    def strike(self, product: Product) -> Struck:
        """Which faults the next request for this product meets."""
        met: dict[Stage, Fault] = {}
        for fault in self._waiting:
            if fault.stage in met or not fault.concerns(product) or not self._drawn(fault):
                continue
            met[fault.stage] = fault
            if fault.name in ("503-before", "spike"):
                met = {"answer": fault}  # nothing is processed, so nothing else can go wrong: keep it for later
                break
        for fault in met.values():
            fault.struck += 1
            if fault.left is not None:
                fault.left -= 1
        return Struck(met)

    def _drawn(self, fault: Fault) -> bool:
        return fault.probability >= 1 or self._random.random() < fault.probability


def parse(spec: str) -> Fault:
    """Read `PRODUCT:FAULT[,times=N][,probability=P][,code=C][,seconds=S][,moved=true]`. Raises BadFault."""
    head, *settings = (part.strip() for part in spec.split(","))
    product, colon, name = head.partition(":")
    if not colon:
        raise BadFault(f"{spec!r} is not a fault: write PRODUCT:FAULT, such as b2b:lost or stk:no-callback,times=2.")
    if product != "any" and product not in PRODUCTS:
        raise BadFault(f"{product!r} is not a product: choose one of {', '.join(PRODUCTS)} or any.")
    if name not in KINDS:
        raise BadFault(f"{name!r} is not a fault: choose one of {', '.join(KINDS)}.")
    if product != "any" and product not in KINDS[name].products:
        raise BadFault(f"{product} has no fault {name!r}.")
    fault = Fault(product=cast(Literal["any"] | Product, product), name=name)
    given = set[str]()
    for setting in settings:
        given.add(_set(fault, setting))
    if "probability" in given and "times" not in given:
        fault.left = None
    if name == "result" and not fault.code:
        raise BadFault(f"{head} needs the code that M-Pesa answers, such as {head},code=17.")
    return fault


def _set(fault: Fault, setting: str) -> str:
    """Apply one `key=value` to a fault; says which key it was."""
    key, equals, value = setting.partition("=")
    if not equals:
        raise BadFault(f"{setting!r} is not a setting of a fault: write key=value, such as times=2.")
    match key, fault.name:
        case "times", _:
            fault.left = _times(value)
        case "probability", _:
            fault.probability = _number(key, value, upper=1)
        case "seconds", _ if fault.name in _TIMED:
            fault.seconds = _number(key, value, upper=3600)
        case "code", "result":
            fault.code = _code(value)
        case "moved", "queue-timeout" if value in ("true", "false"):
            fault.moved = value == "true"
        case "moved", "queue-timeout":
            raise BadFault(f"moved={value} is neither moved=true nor moved=false.")
        case _:
            raise BadFault(f"{key!r} is not a setting of the fault {fault.name}.")
    return key


def _times(value: str) -> int:
    if not (value.isascii() and value.isdigit() and len(value) <= 9 and int(value) > 0):
        raise BadFault(f"times={value} is not a number of times: it is a whole number from 1.")
    return int(value)


def _code(value: str) -> str:
    if not (value.isascii() and value.replace("_", "").isalnum() and len(value) <= 20):
        raise BadFault(f"code={value} is not a result code, such as 17 or SFC_IC0003.")
    if value.isdigit() and int(value) == 0:
        raise BadFault("code=0 means success, and a fault cannot order that.")
    return value


def _number(key: str, value: str, *, upper: float) -> float:
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not 0 < number <= upper:
        raise BadFault(f"{key}={value} is not possible: it is a number above 0 and at most {upper:g}.")
    return number
