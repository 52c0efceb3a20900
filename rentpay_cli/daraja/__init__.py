"""Safaricom's Daraja API: the only code that knows M-Pesa's JSON or uses the network."""

import sys

# As if httpx's own command line were not installed: it brings click, rich's progress bars and pygments, which took
# 30 of the 47 ms of `import httpx`.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]
