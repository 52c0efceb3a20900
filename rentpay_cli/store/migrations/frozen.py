"""The digest of what each revision makes, written by `python -m tests.store.freeze`."""

from collections.abc import Mapping

FROZEN: Mapping[str, Mapping[str, str]] = {
    "0001": {
        "sqlite": "177d1e6b35b74c3a51f23da5c06171740ffffb4d4c7294366fbbb86b67eb7e75",
        "postgresql": "08da500d3071066b6a9e83f87fa85d62ad5c6f295b6571ec7a9d5afb1045d0f1",
    },
    "0002": {
        "sqlite": "226693dfa7f904b446c72392dd3fe469eda5675dff3c73875c8432af02af4c78",
        "postgresql": "96cc93db2cea2ebcfd8cf1feceb746a9835655833fe0ef308c8a54bb8b2295c7",
    },
}
