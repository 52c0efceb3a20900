"""The digest of what each revision makes, written by `python -m tests.store.freeze`."""

from collections.abc import Mapping

FROZEN: Mapping[str, Mapping[str, str]] = {
    "0001": {
        "sqlite": "cfa6fdb5b46aeb48cd1f57d5dccbcbe405d157f521b984d2d8c97d87ef76960f",
        "postgresql": "dc34d85178bd76a33ffc4be0e3459516e214812f9c800ea4d37069fd1e1a36b9",
    },
    "0002": {
        "sqlite": "1a6e0948c0261831260b5c9be7763e11fe0f2f5b21cd3dba02a1a6189b68d190",
        "postgresql": "13f9726721bc0ab770c8d3a9052a91f403b7a4eeb0efe6da1540f7fbcf7a0313",
    },
}
