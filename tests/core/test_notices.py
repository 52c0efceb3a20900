"""What is told: templates, and how long news is news."""

from __future__ import annotations

from datetime import timedelta

import pytest

from rentpay_cli.core.notices import FIELDS, TEMPLATE_OF, TEMPLATES, Audience, compose, pause_after, problem_of


@pytest.mark.parametrize("name", sorted(TEMPLATES))
def test_our_own_words_name_nothing_that_there_is_not(name: str) -> None:
    assert problem_of(name, TEMPLATES[name]) == ""


def test_every_audience_has_words() -> None:
    assert {TEMPLATE_OF[audience] for audience in Audience} == set(TEMPLATES) == set(FIELDS)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("Paid: $amount to $ownr", "it names $ownr, which there is not"),
        ("It cost $ 5", "a dollar sign stands alone"),
        ("  \n", "it is empty"),
    ],
)
def test_a_wrong_template_is_told_apart(text: str, problem: str) -> None:
    assert problem_of("owner-sms.txt", text).startswith(problem)


def test_the_first_line_of_a_mail_is_its_subject() -> None:
    message = compose(Audience.OWNER_EMAIL, "Paid: $amount\n\nDear $owner\n", {"amount": "KES 5", "owner": "Wanjiru"})
    assert (message.title, message.body) == ("Paid: KES 5", "Dear Wanjiru")


def test_a_text_to_a_phone_is_one_line_without_a_subject() -> None:
    message = compose(Audience.OWNER_SMS, "Paid:\n $amount\n", {"amount": "KES 5"})
    assert (message.title, message.body) == ("", "Paid: KES 5")


def test_our_own_text_to_a_phone_fits_into_one_sms() -> None:
    values = {
        "amount": "KES 150,000",
        "property": "Sunset Apartments A12",
        "paybill": "1234567",
        "account": "PROP001234567",
        "receipt": "SG722NMVXQ",
        "date": "23 Nov 2026 10:30:00 EAT",
    }
    assert len(compose(Audience.OWNER_SMS, TEMPLATES["owner-sms.txt"], values).body) <= 160


def test_a_message_in_vain_is_tried_five_times_over_two_and_a_half_hours() -> None:
    pauses = [pause_after(tries) for tries in range(1, 6)]
    assert pauses[-1] is None
    assert sum(filter(None, pauses), timedelta()) == timedelta(minutes=156)
