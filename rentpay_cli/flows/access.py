"""Give somebody access by a token that is told once, and take it away."""

from __future__ import annotations

from dataclasses import dataclass

from rentpay_cli.core.access import Role, secret_hash, write_token
from rentpay_cli.core.redact import printable
from rentpay_cli.errors import NotFound, RuleRefused, WrongUse
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import access, journal, register
from rentpay_cli.store.engine import lock_while_deciding
from rentpay_cli.store.rows import number_of
from rentpay_cli.store.tables import Access, Owner, Tenant

MAX_NAME_LENGTH = 60


@dataclass(frozen=True, slots=True)
class Given:
    """An access that was given, and its token, which nobody can read again."""

    number: int
    name: str
    role: Role
    owner_id: int | None
    tenant_id: int | None
    token: str

    def __repr__(self) -> str:
        return f"Given({self.number}, {self.name!r}, {self.role.value!r})"


def give(rt: Runtime, *, name: str, role: str, owner: str | None = None, tenant: str | None = None) -> Given:
    """Give somebody access; raises `WrongUse` for a bad value, `RuleRefused` if it may not be given."""
    name, chosen = _name(name), _role(role)
    _check_whose(chosen, owner, tenant)
    secret, salt = rt.new_token(), bytes.fromhex(rt.new_token())
    with rt.database.transaction() as session:
        lock_while_deciding(session, "access")
        if chosen is not Role.ADMIN and access.admins(session) == 0:
            raise RuleRefused(
                "The first who is given access must be an admin: from then on everybody needs a token, and only an "
                "admin can give one.",
                "Begin with yourself: rentpay access add NAME --role admin",
                code="admin_first",
            )
        if access.in_force(session, name) is not None:
            raise RuleRefused(
                f"'{name}' has access already.",
                f"Take it away first: rentpay access revoke {name!r}. Or choose another name.",
                code="name_taken",
            )
        entry = Access(
            id=access.next_number(session),
            name=name,
            role=chosen.value,
            owner_id=register.find(session, Owner, owner).id if owner is not None else None,
            tenant_id=register.find(session, Tenant, tenant).id if tenant is not None else None,
            salt=salt,
            token_hash=secret_hash(secret, salt),
            created_by=rt.actor,
            created_at=rt.now(),
        )
        access.add(session, entry)
        journal.write(
            session,
            rt.now(),
            rt.actor,
            "access given",
            name=name,
            role=chosen.value,
            owner_id=entry.owner_id,
            tenant_id=entry.tenant_id,
        )
        number = number_of(entry)
        return Given(number, name, chosen, entry.owner_id, entry.tenant_id, write_token(number, secret))


def revoke(rt: Runtime, name: str) -> None:
    """Take somebody's access away; raises `NotFound`, or `RuleRefused` for the last admin."""
    with rt.database.transaction() as session:
        lock_while_deciding(session, "access")
        entry = access.in_force(session, " ".join(name.split()))
        if entry is None:
            raise NotFound(f"Nobody named '{printable(name, 80)}' has access.", "See: rentpay access list")
        if entry.role == Role.ADMIN and access.admins(session) == 1:
            raise RuleRefused(
                f"'{entry.name}' is the last admin: after that nobody could give or take access any more.",
                "Give another admin access first: rentpay access add NAME --role admin",
                code="last_admin",
            )
        access.revoke(session, entry, rt.actor, rt.now())
        journal.write(session, rt.now(), rt.actor, "access taken away", name=entry.name, role=entry.role)


def _name(text: str) -> str:
    name = " ".join(text.split())
    if not name or len(name) > MAX_NAME_LENGTH or not all(each.isalnum() or each in " ._-'" for each in name):
        raise WrongUse(
            f"'{printable(name, 80)}' is no name for an access: it has 1 to {MAX_NAME_LENGTH} letters, digits, blanks "
            "and . _ - ' in it.",
            "For example: rentpay access add asha --role admin",
        )
    return name


def _role(text: str) -> Role:
    try:
        return Role(text)
    except ValueError:
        raise WrongUse(f"'{printable(text, 40)}' is not a role.", "Use admin, owner or tenant.") from None


def _check_whose(role: Role, owner: str | None, tenant: str | None) -> None:
    needed = {Role.OWNER: owner, Role.TENANT: tenant}
    if role in needed and needed[role] is None:
        raise WrongUse(
            f"The role {role.value} needs to know whose it is.", f"Add --{role.value} with a number or a name."
        )
    for other, value in needed.items():
        if other is not role and value is not None:
            raise WrongUse(
                f"--{other.value} has no meaning for the role {role.value}.",
                f"Leave it out, or use --role {other.value}.",
            )
