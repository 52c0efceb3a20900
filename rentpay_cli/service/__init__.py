"""What runs for long: the listener, and the worker beside it."""
