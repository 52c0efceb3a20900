"""The digest of what each revision makes, written by `python -m tests.store.freeze`."""

from collections.abc import Mapping

FROZEN: Mapping[str, Mapping[str, str]] = {
    "0001": {
        "sqlite": "c17daf2fcf6ad10cab9d9d41ae73b57250331aaed668c2aedf5c3246980ccaab",
        "postgresql": "d9b8f30e0715fe50bf847ea1662a58e2d9d9c3a391c1dff5d68987c4b7abda1c",
    },
    "0002": {
        "sqlite": "360b94c50e947786395dcbe4fc3789f887a3e2f321c533f9f9982067b7ed7931",
        "postgresql": "71228c8d2ce2eadaf3698feed8d2a1a825ee14d9627d6853a7eb1839325078a1",
    },
}
