"""The process of the command `rentpay`, and of `python -m rentpay_cli`."""

import gc
from typing import NoReturn


def main() -> NoReturn:
    """Run the command line in a process of its own.

    What it imports lives until its end. Collecting garbage among that while it grows, and once more at the end, took a
    seventh of the time of `rentpay status` and a third of that of commands that write.
    """
    gc.set_threshold(100_000)  # rather than disable: some commands last
    from rentpay_cli.cli import app

    try:
        app.main()
    finally:
        gc.freeze()


if __name__ == "__main__":
    main()
