"""The side of the store that is only read; named after what is read."""
