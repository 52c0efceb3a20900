"""The side of the store that changes the books; named after what it changes."""
