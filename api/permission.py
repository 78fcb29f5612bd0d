"""Who may do what: permissions, and the roles that people have them by."""

from __future__ import annotations

from enum import StrEnum


class Permission(StrEnum):
    """One thing that a call may need. API keys list them as scopes."""

    BILLS_READ = "bills:read"
    """Issued bills; a principal that is bound to accounts sees those accounts' only."""
    USAGE_READ = "usage:read"
    """Billed usage, within the same bounds."""
    STATEMENTS_READ = "statements:read"
    """Pool statements; an owner sees those that the own bills rest on, other rooms masked."""
    PAYMENTS_READ = "payments:read"
    """What is due, orders, payments, receipts, statements of account, within the same bounds."""
    PAYMENTS_ORDER = "payments:order"
    """Open and close orders that are paid at a provider, within the same bounds."""
    PAYMENTS_ENTER = "payments:enter"
    """Enter what came in by cash, transfer or kiosk; undo payments; ask for refunds."""
    PAYMENTS_APPROVE = "payments:approve"
    """Approve what somebody else has entered or asked for."""
    DISPUTES_READ = "disputes:read"
    """Disputes of bill lines and their answers, within the same bounds."""
    DISPUTES_OPEN = "disputes:open"
    """Dispute a line and withdraw that, within the same bounds."""
    DISPUTES_ANSWER = "disputes:answer"
    """Answer disputes, accept and reject them."""
    DATA_EXPORT = "data:export"
    """Get everything about the own accounts as an archive; only for who is bound to accounts."""
    RUNS_READ = "runs:read"
    """Bill runs and everything that they made, issued or not."""
    RUNS_PREPARE = "runs:prepare"
    """Create a run and compute it."""
    RUNS_APPROVE = "runs:approve"
    RUNS_ISSUE = "runs:issue"
    METERS_READ = "meters:read"
    """Meters, their readings and the gateways that read them."""
    METERS_ASK = "meters:ask"
    """Have a meter read now."""
    QUARANTINE_READ = "quarantine:read"
    DEVICES_WRITE = "devices:write"
    """Say which gateways there are, what each reads, and by which meter types."""
    QUESTIONS_ANSWER = "questions:answer"
    """Say why a counter fell, and record that a meter was exchanged."""
    AUDIT_READ = "audit:read"
    """Who did what when: the audit log."""
    LOGINS_MANAGE = "logins:manage"
    """See and add logins."""
    KEYS_MANAGE = "keys:manage"
    """See, add and end API keys."""
    NOTIFICATIONS_SET = "notifications:set"
    """Say where one is told of what; it is about the caller alone."""
    WEBHOOKS_MANAGE = "webhooks:manage"
    """Say which programs are told of what, see what they were sent, and send it again."""
    MESSAGES_WRITE = "messages:write"
    """Say what people are told by e-mail and SMS; on pages."""
    GATEWAY_REPORT = "gateway:report"
    """Report as a gateway; only API keys have it."""


class Role(StrEnum):
    """What a person is to the community."""

    OWNER = "owner"
    TENANT = "tenant"
    """Pays the bills of a unit that is somebody else's; sees what an owner sees."""
    COMMITTEE = "committee"
    """The owners' committee: how everything shared was shared, with no room told by its name."""
    CLERK = "clerk"
    APPROVER = "approver"
    ENGINEER = "engineer"
    AUDITOR = "auditor"
    """Reads everything, the audit log too, and changes nothing."""
    ADMIN = "admin"
    """Manages logins, keys, webhooks and what messages say, and sees no bill."""


BOUND = frozenset({Role.OWNER, Role.TENANT})
"""The roles that are bound to accounts: they see the bills of those only."""

_OF_OWN_ACCOUNTS = frozenset(
    {
        Permission.BILLS_READ,
        Permission.USAGE_READ,
        Permission.STATEMENTS_READ,
        Permission.PAYMENTS_READ,
        Permission.PAYMENTS_ORDER,
        Permission.DISPUTES_READ,
        Permission.DISPUTES_OPEN,
        Permission.DATA_EXPORT,
        Permission.NOTIFICATIONS_SET,
    }
)

_PREPARING = frozenset(
    {
        Permission.BILLS_READ,
        Permission.USAGE_READ,
        Permission.STATEMENTS_READ,
        Permission.RUNS_READ,
        Permission.RUNS_PREPARE,
        Permission.PAYMENTS_READ,
        Permission.PAYMENTS_ORDER,
        Permission.PAYMENTS_ENTER,
        Permission.DISPUTES_READ,
        Permission.DISPUTES_ANSWER,
    }
)

ROLE_PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.OWNER: _OF_OWN_ACCOUNTS,
    Role.TENANT: _OF_OWN_ACCOUNTS,
    Role.COMMITTEE: frozenset({Permission.STATEMENTS_READ}),
    Role.CLERK: _PREPARING,
    # An approver may prepare too; then another one approves: four eyes are about persons.
    Role.APPROVER: _PREPARING
    | {
        Permission.RUNS_APPROVE,
        Permission.RUNS_ISSUE,
        Permission.PAYMENTS_APPROVE,
        Permission.MESSAGES_WRITE,
    },
    Role.ENGINEER: frozenset(
        {
            Permission.METERS_READ,
            Permission.METERS_ASK,
            Permission.QUARANTINE_READ,
            Permission.DEVICES_WRITE,
            Permission.QUESTIONS_ANSWER,
        }
    ),
    Role.AUDITOR: frozenset(
        {
            Permission.BILLS_READ,
            Permission.USAGE_READ,
            Permission.STATEMENTS_READ,
            Permission.PAYMENTS_READ,
            Permission.DISPUTES_READ,
            Permission.RUNS_READ,
            Permission.METERS_READ,
            Permission.QUARANTINE_READ,
            Permission.AUDIT_READ,
        }
    ),
    Role.ADMIN: frozenset(
        {
            Permission.LOGINS_MANAGE,
            Permission.KEYS_MANAGE,
            Permission.WEBHOOKS_MANAGE,
            Permission.MESSAGES_WRITE,
        }
    ),
}
