"""Which callback addresses Safaricom would not take or reach."""

from __future__ import annotations

import pytest

from rentpay_cli.core.address import REFUSED_WORDS, address_problem, is_public

GOOD = "https://rent.example.co.ke/api/payments/b2b-callback"


@pytest.mark.parametrize("environment", ["sandbox", "production"])
def test_a_public_address_without_refused_words_is_taken(environment: str) -> None:
    assert address_problem(GOOD, environment) == ""


@pytest.mark.parametrize("environment", ["sandbox", "production"])
@pytest.mark.parametrize("word", REFUSED_WORDS)
@pytest.mark.parametrize("place", ["https://{}.example.co.ke/x", "https://rent.example.co.ke/{}/x"])
def test_a_refused_word_is_found_in_host_and_path(environment: str, word: str, place: str) -> None:
    assert "Safaricom refuses" in address_problem(place.format(word.upper()), environment)
    assert address_problem(place.format(word), "simulator") == ""


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1", "[::1]", "10.1.2.3", "196.201.214.200", "rent", "rent.local", "rent.internal"]
)
def test_a_host_that_is_no_public_name_is_found(host: str) -> None:
    assert address_problem(f"https://{host}:8443/x", "sandbox") != ""
    assert address_problem(f"https://{host}:8443/x", "simulator") == ""


def test_production_asks_for_more_than_the_sandbox() -> None:
    for url in ("http://rent.example.co.ke/x", "https://abc.ngrok.app/x"):
        assert address_problem(url, "sandbox") == ""
        assert address_problem(url, "production") != ""


def test_a_public_ip_address_is_told_from_a_private_one() -> None:
    assert is_public("196.201.214.200")
    assert not any(is_public(address) for address in ("127.0.0.1", "10.0.0.1", "192.168.1.1", "::1", "fe80::1%eth0"))
