"""Principals: who makes a call, after the credential was checked."""

from __future__ import annotations

from dataclasses import dataclass

from api.permission import Permission, Role


@dataclass(frozen=True, slots=True)
class Session:
    """A login that is open. `csrf` must come back with every form of its pages."""

    token_digest: str
    csrf: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """A person or client. `name` is what the audit log records.

    `accounts` holds the ids of the accounts that it is bound to, None for one that is not bound.
    `gateway` is the only gateway that an API key may report as. `project` is the id of the project
    that it is kept to, None for the installation's own staff. `must_enrol`: it may do nothing but
    set up a second factor, which its role needs.
    """

    name: str
    permissions: frozenset[Permission]
    accounts: frozenset[int] | None
    role: Role | None = None
    session: Session | None = None
    gateway: str | None = None
    project: int | None = None
    must_enrol: bool = False

    @property
    def caller(self) -> str:
        """What it is told apart by in the whole installation, as names of keys are not."""
        return f"project {self.project} {self.name}" if self.session is None else self.name

    def may(self, permission: Permission) -> bool:
        return permission in self.permissions

    @property
    def sees_rooms(self) -> bool:
        """Whether statements name the rooms of others."""
        return self.accounts is None and self.role is not Role.COMMITTEE

    @property
    def sees_unissued(self) -> bool:
        """Whether bills that nobody has issued yet are shown."""
        return Permission.RUNS_READ in self.permissions
