"""`rentpay demo`: placeholder until written."""


def demo() -> None:
    """Show the whole journey."""
