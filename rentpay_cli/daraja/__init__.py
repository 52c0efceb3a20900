"""Safaricom's Daraja API: the only code that knows M-Pesa's JSON or uses the network."""
