"""`owner`, `property`, `tenant`: what a person types, and what scripts get."""

from __future__ import annotations

import pytest

from rentpay_cli.flows import register
from rentpay_cli.runtime import Runtime
from tests.cli.conftest import Cli
from tests.support.beginnings import Begin
from tests.support.scripted import ScriptedMpesa

OWNER = ("owner", "add", "--name", "Wanjiru Kamau", "--phone", "0712 345 678", "--email", "w@example.co.ke")
PROPERTY = (
    *("property", "add", "--name", "Sunset Apartments", "--owner", "1"),
    *("--paybill", "247247", "--account", "PROP001", "--rent", "10000"),
)
TENANT = ("tenant", "add", "--name", "Otieno Ouma", "--phone", "+254 722-000-111", "--property", "Sunset Apartments")


def one_of_each(rt: Runtime) -> None:
    """What OWNER, PROPERTY and TENANT add."""
    register.add_owner(rt, name="Wanjiru Kamau", phone="0712 345 678", email="w@example.co.ke")
    register.add_property(
        rt, name="Sunset Apartments", owner_reference="1", paybill="247247", account_number="PROP001", rent="10000"
    )
    register.add_tenant(rt, name="Otieno Ouma", phone="+254 722-000-111", property_reference="Sunset Apartments")


@pytest.fixture
def filled(cli: Cli, begin: Begin) -> Cli:
    begin(one_of_each)
    return cli


def test_an_owner_is_added_in_the_shape_that_scripts_know(cli: Cli) -> None:
    content = cli.json(*OWNER)
    assert set(content) == {"success", "owner"}
    assert set(content["owner"]) == {"id", "name", "phone", "email", "properties", "createdAt"}
    assert (content["owner"]["id"], content["owner"]["name"]) == (1, "Wanjiru Kamau")
    assert content["owner"]["createdAt"].endswith("Z")


def test_a_property_and_a_tenant_are_added_in_the_shape_that_scripts_know(cli: Cli) -> None:
    for command in (OWNER, PROPERTY, TENANT):
        cli.json(*command)
    place = cli.json("property", "show", "1")["property"]
    assert place == {
        **{"id": 1, "name": "Sunset Apartments", "ownerId": 1, "ownerName": "Wanjiru Kamau"},
        **{"paybill": "247247", "accountNumber": "PROP001", "rent": 10000, "feePercentage": None},
        **{"paybillName": None, "heldChange": None},
        "createdAt": place["createdAt"],
    }
    tenant = cli.json("tenant", "show", "1")["tenant"]
    assert tenant == {
        **{"id": 1, "name": "Otieno Ouma", "phone": "254722***111"},
        **{"propertyId": 1, "propertyName": "Sunset Apartments", "createdAt": tenant["createdAt"]},
    }


@pytest.mark.parametrize(("kind", "plural"), [("owner", "owners"), ("property", "properties"), ("tenant", "tenants")])
def test_each_kind_is_listed(filled: Cli, kind: str, plural: str) -> None:
    content = filled.json(kind, "list")
    assert set(content) == {"success", plural}
    (entry,) = content[plural]
    assert entry == filled.json(kind, "show", entry["name"])[kind]
    shown = filled(kind, "list")
    assert shown.status == 0
    assert entry["name"] in shown.out


@pytest.mark.parametrize("kind", ["owner", "property", "tenant"])
def test_an_empty_register_says_how_to_fill_it(cli: Cli, kind: str) -> None:
    ran = cli(kind, "list")
    assert (ran.status, ran.out.count(f"rentpay {kind} add")) == (0, 1)


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        (("owner", "edit", "wanjiru kamau", "--phone", "0110123456"), ("owner", "phone", "254110***456")),
        (("owner", "edit", "1", "--name", "Wanjiru K"), ("owner", "name", "Wanjiru K")),
        (("property", "edit", "1", "--rent", "12,000"), ("property", "rent", 12000)),
        (("property", "edit", "1", "--fee-percentage", "4.5"), ("property", "feePercentage", 4.5)),
        (("tenant", "edit", "1", "--phone", "0733000999"), ("tenant", "phone", "254733***999")),
    ],
)
def test_an_entry_is_changed(filled: Cli, command: tuple[str, ...], shown: tuple[str, str, object]) -> None:
    kind, key, value = shown
    content = filled.json(*command)
    assert set(content) == {"success", kind}
    assert content[kind][key] == value
    assert filled.json(kind, "show", "1")[kind][key] == value


def test_a_fee_of_its_own_can_be_taken_back(filled: Cli) -> None:
    filled.json("property", "edit", "1", "--fee-percentage", "4")
    assert filled.json("property", "edit", "1", "--fee-percentage", "default")["property"]["feePercentage"] is None


@pytest.mark.parametrize(
    "command",
    [
        ("owner", "add", "--name", ""),
        ("owner", "add", "--name", "12345"),
        ("owner", "add", "--name", "x" * 81),
        ("owner", "add", "--name", "W", "--phone", "12345"),
        ("owner", "add", "--name", "W", "--phone", "+1 202 555 0100"),
        ("owner", "add", "--name", "W", "--email", "not an address"),
        (*PROPERTY[:-1], "0"),
        (*PROPERTY[:-1], "99.50"),
        (*PROPERTY[:-1], "a lot"),
        (*PROPERTY[:-1], "250001"),
        ("property", "edit", "1", "--rent", "900,000"),
        (*PROPERTY, "--paybill", "1234"),
        (*PROPERTY, "--paybill", "12345678"),
        (*PROPERTY, "--account", "longer than thirteen"),
        (*PROPERTY, "--account", "A&B"),
        (*PROPERTY, "--fee-percentage", "101"),
        (*PROPERTY, "--fee-percentage", "nan"),
        ("owner", "edit", "1"),
        ("property", "edit", "1"),
        ("tenant", "edit", "1"),
        ("tenant", "add", "--name", "T", "--phone", "0812345678"),
    ],
)
def test_a_value_that_has_no_meaning_is_refused_with_what_to_do(filled: Cli, command: tuple[str, ...]) -> None:
    ran = filled(*command, "--json")
    assert ran.refusal == (2, "wrong_use")
    assert ran.json["error"]["hint"]
    spoken = filled(*command)
    assert (spoken.status, spoken.out) == (2, "")
    assert spoken.err.startswith("Error: ")


@pytest.mark.parametrize(
    "command",
    [
        ("owner", "show", "99"),
        ("property", "show", "Nowhere"),
        ("tenant", "show", "Nobody"),
        ("owner", "edit", "99", "--phone", "0712345678"),
        ("property", "edit", "99", "--rent", "1"),
        ("tenant", "edit", "99", "--name", "x"),
        ("property", "add", "--name", "P", "--owner", "99", "--paybill", "12345", "--account", "1", "--rent", "1"),
        ("tenant", "add", "--name", "T", "--phone", "0712345678", "--property", "Nowhere"),
    ],
)
def test_what_is_not_in_the_register_is_said_with_status_3(filled: Cli, command: tuple[str, ...]) -> None:
    ran = filled(*command, "--json")
    assert ran.refusal == (3, "not_found")
    assert "rentpay" in ran.json["error"]["hint"]


def test_a_name_that_another_has_is_asked_back_and_may_be_shared(filled: Cli) -> None:
    for command, kind, name in ((OWNER, "owner", "WANJIRU kamau"), (PROPERTY, "property", "Sunset Apartments")):
        ran = filled(*command[:3], name, *command[4:], "--json")
        assert ran.refusal == (2, "wrong_use")
        assert f"already {kind} 1 with the name" in ran.json["error"]["message"]
        assert filled.json(*command[:3], name, *command[4:], "--yes")[kind]["id"] == 2
        ran = filled(kind, "show", name.upper(), "--json")
        assert ran.refusal == (2, "wrong_use")
        assert ran.json["error"]["message"].endswith("': 1, 2.")
        assert filled(kind, "edit", name, "--name", "x", "--json").json["error"] == ran.json["error"] | {
            "message": f"More than one {kind} is meant by '{name}': 1, 2."
        }
        assert filled.json(kind, "edit", "2", "--name", name.upper(), "--yes")[kind]["name"] == name.upper()


def test_an_account_number_is_refused_and_never_cut(filled: Cli) -> None:
    number = "12345678901234"
    ran = filled("property", "edit", "1", "--account", number, "--json")
    assert ran.refusal == (2, "wrong_use")
    assert number in ran.json["error"]["message"]
    assert "--long-account" in ran.json["error"]["hint"]
    content = filled.json("property", "edit", "1", "--account", number, "--long-account")
    assert content["property"]["heldChange"]["accountNumber"] == number


@pytest.mark.parametrize("kind", ["owner", "tenant"])
def test_a_phone_is_masked_unless_it_is_asked_for(filled: Cli, kind: str) -> None:
    number = {"owner": "254712345678", "tenant": "254722000111"}[kind]
    for command in ((kind, "list"), (kind, "show", "1")):
        for more in ((), ("--json",)):
            hidden, shown = filled(*command, *more), filled(*command, *more, "--reveal")
            assert number not in hidden.out + hidden.err
            assert number[:6] + "***" + number[-3:] in hidden.out
            assert number in shown.out


@pytest.mark.parametrize("name", ["\x1b[31mred", "a\x07b", "a\u202eb", "one\x00two"])
def test_a_name_that_would_act_on_a_terminal_is_refused(cli: Cli, name: str) -> None:
    ran = cli("owner", "add", "--name", name)
    assert ran.status == 2
    assert name not in ran.err
    assert "\x1b" not in ran.err


def test_a_name_that_looks_like_markup_is_shown_as_it_is(cli: Cli) -> None:
    cli.json("owner", "add", "--name", "[red]Kamau[/red] & Sons")
    for command in (("owner", "list"), ("owner", "show", "1")):
        assert "[red]Kamau[/red] & Sons" in cli(*command).out


@pytest.mark.parametrize("command", [("owner", "show"), ("history",), ("status",), ("explain",), ("tenant", "show")])
def test_an_unknown_name_is_repeated_without_what_acts_on_a_terminal(cli: Cli, command: tuple[str, ...]) -> None:
    ran = cli(*command, "no\x1b[2Jbody")
    assert ran.status == 3
    assert "\x1b" not in ran.err


@pytest.mark.parametrize(
    "command",
    [
        ("initiate", "--phone", "0712345678", "--property", "no\x1b[2Jplace"),
        ("initiate", "--property", "1", "--phone", "07\x1b[2J12345678"),
        ("initiate", "--property", "1", "--phone", "0712345678", "--amount", "1\x1b[2J"),
        ("record-payment", "--property", "no\x1b[2Jplace", "--amount", "1"),
        ("record-payment", "--property", "1", "--amount", "1", "--method", "ca\x1b[2Jsh"),
        ("payments", "--status", "x\x1b[2J"),
        ("report", "revenue", "--by", "x\x1b[2J"),
        ("report", "revenue", "--from", "x\x1b[2J"),
        ("owner", "edit", "no\x1b[2Jbody", "--name", "x"),
        ("retry-failed", "--owner", "no\x1b[2Jbody"),
        ("property", "edit", "1", "--account", "A\x1b[2J"),
        ("property", "edit", "1", "--fee-percentage", "\x1b[2J"),
        ("owner", "list", "--no-\x1b[2Jsuch"),
        ("no-\x1b[2Jsuch",),
    ],
)
def test_a_wrong_value_is_repeated_without_what_acts_on_a_terminal(
    filled: Cli, scripted: ScriptedMpesa, command: tuple[str, ...]
) -> None:
    ran = filled(*command)
    assert ran.status in (2, 3)
    assert "\x1b" not in ran.err + ran.out


def test_the_next_step_is_on_standard_error_and_the_result_on_standard_output(cli: Cli) -> None:
    ran = cli(*OWNER)
    assert "Added owner 1: Wanjiru Kamau" in ran.out
    assert "→ Next: rentpay property add" in ran.err
    assert "→" not in ran.out


@pytest.mark.parametrize(
    ("command", "meant"),
    [
        (("owner", "show", "Wanjiro Kamau"), "'Wanjiru Kamau'"),
        (("owner", "edit", "wanjiru kamao", "--phone", "0733000111"), "'Wanjiru Kamau'"),
        (("property", "show", "Sunset Apartment"), "'Sunset Apartments'"),
        (("payments", "--property", "sunset"), "'Sunset Apartments'"),
        (("initiate", "--property", "Sunste Apartments", "--phone", "0722000111"), "'Sunset Apartments'"),
        (("tenant", "show", "Otieno Uoma"), "'Otieno Ouma'"),
        (("retry-failed", "--owner", "Wanjiru"), "'Wanjiru Kamau'"),
    ],
)
def test_a_misspelt_name_is_answered_with_the_one_that_was_meant(
    filled: Cli, command: tuple[str, ...], meant: str
) -> None:
    ran = filled(*command, "--json")
    assert ran.refusal == (3, "not_found")
    assert f"Did you mean {meant}? See all with: rentpay " in ran.json["error"]["hint"]


@pytest.mark.parametrize(
    ("kind", "reference"),
    [
        ("owner", "1"),
        ("owner", " NJŨGŨNA wa KAMAU "),
        ("property", "sunset apartments"),
        ("tenant", "0722000111"),
        ("tenant", "+254 722 000 111"),
        ("tenant", "otieno OUMA"),
    ],
)
def test_what_shows_and_what_changes_mean_the_same_by_a_reference(filled: Cli, kind: str, reference: str) -> None:
    filled.json("owner", "edit", "1", "--name", "NJŨGŨNA wa KAMAU")
    shown = filled.json(kind, "show", reference)
    changed = filled.json(kind, "edit", reference, "--name", "Another")
    assert shown[kind]["id"] == changed[kind]["id"] == 1


@pytest.mark.parametrize("reference", ["99", "Zebra Heights", "a"])
def test_nothing_is_guessed_from_a_number_or_from_a_name_that_is_like_no_other(filled: Cli, reference: str) -> None:
    hint = filled("property", "show", reference, "--json").json["error"]["hint"]
    assert hint == "See them with: rentpay property list"


def test_one_that_is_named_anew_may_keep_its_own_name(filled: Cli) -> None:
    assert filled.json("owner", "edit", "1", "--name", "Wanjiru KAMAU")["owner"]["name"] == "Wanjiru KAMAU"
    ran = filled("property", "edit", "1", "--name", "sunset apartments", "--json")
    assert ran.json["property"]["name"] == "sunset apartments"


def test_two_tenants_may_have_one_name(filled: Cli) -> None:
    assert filled.json(*TENANT)["tenant"]["id"] == 2


def test_a_rent_that_no_payment_can_carry_is_refused_with_the_reason(filled: Cli) -> None:
    ran = filled("property", "edit", "1", "--rent", "250001", "--json")
    assert "KES 250,001" in ran.json["error"]["message"]
    assert "at most KES 250,000" in ran.json["error"]["message"]
    assert filled.json("property", "edit", "1", "--rent", "250000")["property"]["rent"] == 250000


@pytest.mark.parametrize(
    ("name", "why"), [(" ", "is empty"), ("x" * 81, "has 81 characters"), ("Wanjiru\x07", "cannot be seen")]
)
def test_a_name_that_will_not_do_is_refused_by_the_rule_that_it_breaks(cli: Cli, name: str, why: str) -> None:
    assert why in cli("owner", "add", "--name", name, "--json").json["error"]["message"]
