"""rentpay: collect rent by M-Pesa STK Push, keep the fee, pass the rest on to owners by M-Pesa B2B."""

__version__ = "0.1.0"
