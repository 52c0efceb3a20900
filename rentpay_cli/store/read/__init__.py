"""What the store tells of many rows at once, in plain SQL through a `Reader`."""
