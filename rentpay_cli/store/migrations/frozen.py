"""The digest of what each revision makes, written by `python -m tests.store.freeze`."""

from collections.abc import Mapping

FROZEN: Mapping[str, Mapping[str, str]] = {
    "0001": {
        "sqlite": "05ba1d3a90b4f6b12cada4bb4820fbe0acffa6dacc9040c0823df4dda3024867",
        "postgresql": "2084cd7fc7bfa301704e77fb3d814361e1f94442e7a0f6b3502441fb670071cb",
    },
    "0002": {
        "sqlite": "0138a37bca5466581f95c0685a33ca12592ddbb403211c3fe9cd5a614a78711e",
        "postgresql": "b0a9152860ef1bd0415017f652ed28e200ecb093569022a61d7952cafd55d2b5",
    },
}
