"""What Safaricom asks of the addresses that it calls back (Daraja, callback delivery)."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

REFUSED_WORDS = ("m-pesa", "mpesa", "safaricom", "exec", "exe", "cmd", "sql", "query")
_TUNNELS = ("ngrok", "requestbin", "mockbin")
_PRIVATE_ENDINGS = (".local", ".localhost", ".internal", ".lan", ".home", ".test", ".invalid", ".example")


def address_problem(url: str, environment: str) -> str:
    """Why Safaricom would not take or reach the address, or an empty text; a local M-Pesa takes every address."""
    if environment == "simulator":
        return ""
    parts = urlsplit(url)
    host, place = (parts.hostname or "").lower(), f"{parts.netloc}{parts.path}".lower()
    words = [word for word in REFUSED_WORDS if word in place]
    if words:
        return f"contains '{words[0]}', a word that Safaricom refuses in addresses"
    if environment == "production" and parts.scheme != "https":
        return "does not begin with https://"
    if environment == "production" and any(word in host for word in _TUNNELS):
        return "is a tunnel, which Safaricom refuses in production"
    return _host_problem(host)


def _host_problem(host: str) -> str:
    if is_ip(host):
        return "is an IP address, but Safaricom calls public names"
    if "." not in host or host.endswith(_PRIVATE_ENDINGS):
        return f"has a host ({host}) that is not a public name"
    return ""


def is_ip(host: str) -> bool:
    """Whether the host is an address and not a name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_public(address: str) -> bool:
    """Whether an IP address can be reached from everywhere."""
    return ipaddress.ip_address(address.partition("%")[0]).is_global
