"""The digest of what each revision makes, written by `python -m tests.store.freeze`."""

from collections.abc import Mapping

FROZEN: Mapping[str, Mapping[str, str]] = {
    "0001": {
        "sqlite": "7ef44b99c5268cef5e970cd4e14efb26d9c05389ac282f1a97ebbe0b94eabf55",
        "postgresql": "f730a45133a25d36865ae8c1dedb2fbe6bec0234f933f6d0197dc8b256525a9e",
    },
    "0002": {
        "sqlite": "7a3120a2a54e850d11ae95d569279f9badb2f75d232d6e5fe1a79f7c2a83ddbe",
        "postgresql": "2c0666be40b05f61a96fc69bc0e875c9443a0be8fb63248bccace2ea44716365",
    },
}
