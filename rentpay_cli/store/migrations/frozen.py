"""The digest of what each revision makes, written by `python -m tests.store.freeze`."""

from collections.abc import Mapping

FROZEN: Mapping[str, Mapping[str, str]] = {
    "0001": {
        "sqlite": "679e4159ae9c92c2e8061bb2f1500c77ae3e62678fad6806e782798b83141d54",
        "postgresql": "e7e5317b6e498bcfeeb00b73bc02684fc730aea4b38f02cb51cccad8d7f9e932",
    },
    "0002": {
        "sqlite": "9ccae62b25f20565149ac45d3740d177c2926da90dae09df0a0f12b6730b62a5",
        "postgresql": "6e26106c7e2811f3bf6fa592deee5938c6d7805d0b6dce97417c518126d1b91b",
    },
}
