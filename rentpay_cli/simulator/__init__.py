"""A local M-Pesa: the Daraja endpoints, real callbacks, its own books, and faults on demand.

It stands alone. Nothing here imports the rest of the package, so that a misreading of M-Pesa there is not
repeated here, and its books are the truth that the rest is tested against.
"""
