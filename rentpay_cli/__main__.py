"""`python -m rentpay_cli`."""

from rentpay_cli.cli.app import main

main()
