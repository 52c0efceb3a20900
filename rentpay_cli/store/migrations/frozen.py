"""The digest of what each revision makes, written by `python -m tests.store.freeze`."""

from collections.abc import Mapping

FROZEN: Mapping[str, Mapping[str, str]] = {
    "0001": {
        "sqlite": "88568adf1ec6e67e0d0666d16363e69648fd9400db8e42e0e3a01bbf0f2ba257",
        "postgresql": "9c0fd01ebcd1d0f265c31b2d5cd685770f67d03a595fcf6d37c292ff8e8e5ea5",
    },
    "0002": {
        "sqlite": "e831702a43e105a0f96a1bc17a14c2a0846dd550b5ce2ecc2702b720eaf5028c",
        "postgresql": "5f4dc39a3fec18d12527a18f18e205de59f2fbaba6ec9179105b1b88eff4002e",
    },
}
