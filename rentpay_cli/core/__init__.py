"""The rules of the money, pure: no I/O, no clock, no randomness, nothing from outside the standard library."""
