"""Problems (RFC 9457): every way in which a call can fail, each with a stable type.

The type is a path, `/problems/four-eyes`, that a reader can open: it says what happened and what to
do. Clients match on it; titles are for people and may change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.language import mark as _
from api.problem import MEDIA_TYPE, PREFIX, ProblemError, ProblemType

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["MEDIA_TYPE", "PREFIX", "ProblemError", "ProblemType"]
"""What the kinds below are made of is known by here too."""

NOT_SIGNED_IN = ProblemType(
    "not-signed-in",
    401,
    _("You are not signed in"),
    _("Send `Authorization: Bearer …` with an API key or a session token that has not expired."),
)
WRONG_PASSWORD = ProblemType(
    "wrong-password",
    401,
    _("Name or password is wrong"),
    _("Check both, and the keyboard's capitals."),
)
TOO_MANY_ATTEMPTS = ProblemType(
    "too-many-attempts",
    429,
    _("Too many failed attempts"),
    _("Wait some minutes, then try again."),
)
SECOND_FACTOR_NEEDED = ProblemType(
    "second-factor-needed",
    401,
    _("A code is needed too"),
    _("Send `code` with it: the six digits of the authenticator, or a recovery code."),
)
WRONG_CODE = ProblemType(
    "wrong-code",
    401,
    _("The code is wrong"),
    _("Wait for the next code, and check the clock of the device that shows it."),
)
SECOND_FACTOR_MISSING = ProblemType(
    "second-factor-missing",
    403,
    _("Two-step sign-in must be set up first"),
    _("Sign in on the pages and set it up at `/settings/second-factor`; your role needs it."),
)
NO_SECOND_FACTORS = ProblemType(
    "second-factor-unavailable",
    503,
    _("Two-step sign-in cannot be used on this server now"),
    _("Whoever runs the server sets `secret_keys` in its settings. A recovery code works."),
)
NO_SEAL = ProblemType(
    "no-sealing-key",
    503,
    _("Secrets cannot be sealed or opened on this server now"),
    _("Whoever runs the server sets `secret_keys` in its settings, the keys before too."),
)
SECOND_FACTOR_CHANGED = ProblemType(
    "second-factor-changed",
    409,
    _("Two-step sign-in is not as this page showed it"),
    _("It was set up or turned off meanwhile. Load the page again."),
)
TOO_MANY_CALLS = ProblemType(
    "too-many-calls",
    429,
    _("Too many calls"),
    _("Wait as many seconds as `Retry-After` says; `RateLimit` says how many calls are left."),
)
FORBIDDEN = ProblemType(
    "forbidden",
    403,
    _("You may not do this"),
    _("Your role or API key does not include it; ask whoever manages the logins."),
)
FORM_EXPIRED = ProblemType(
    "form-expired",
    403,
    _("This form has expired"),
    _("Go back, load the page again and repeat what you did; nothing was changed."),
)
NOT_FOUND = ProblemType(
    "not-found",
    404,
    _("There is no such page"),
    _("It does not exist, or it is not yours to see. Check the address."),
)
METHOD_NOT_ALLOWED = ProblemType(
    "method-not-allowed",
    405,
    _("This address takes other methods"),
    _("Use one of the methods that the header `Allow` lists."),
)
CHANGED_SINCE = ProblemType(
    "changed-since",
    412,
    _("It has changed since you saw it"),
    _("Load it again, look at what is new, and repeat with its new `ETag`; nothing was changed."),
)
INVALID = ProblemType(
    "invalid-request",
    422,
    _("The request is not valid"),
    _("Correct what `errors` lists: each entry says where and what."),
)
INVALID_CURSOR = ProblemType(
    "invalid-cursor",
    422,
    _("The cursor is not valid"),
    _("Take `next_cursor` of the page before as it is, or leave the cursor out to begin anew."),
)
TOO_LARGE = ProblemType(
    "too-large",
    413,
    _("The request is too large"),
    _("Send less at once."),
)
TOO_SLOW = ProblemType(
    "request-too-slow",
    408,
    _("The request did not arrive in time"),
    _("Send it again, whole and at once; nothing was changed."),
)
TOO_LONG = ProblemType(
    "answer-too-long",
    503,
    _("The answer takes too long"),
    _("It may still be worked on. Look after a while, or repeat it with the same Idempotency-Key."),
)
NO_ROOM = ProblemType(
    "too-many-connections",
    503,
    _("Too many connections are open"),
    _("Try again in a moment, and close connections that you do not use."),
)
NOT_HTTP = ProblemType(
    "not-http",
    400,
    _("This is not an HTTP request"),
    _("Check what you send: its request line, its headers and their size."),
)
KEY_MISSING = ProblemType(
    "idempotency-key-missing",
    400,
    _("The request has no Idempotency-Key"),
    _("Send a header `Idempotency-Key` with a new UUID, and the same one when you repeat."),
)
KEY_REUSED = ProblemType(
    "idempotency-key-reused",
    422,
    _("The Idempotency-Key belongs to another request"),
    _("Use a new key for a new request; a repeated request must be the same in every byte."),
)
STILL_WORKING = ProblemType(
    "still-working",
    409,
    _("The same call is being worked on"),
    _("Repeat it with the same Idempotency-Key in a moment; then its answer comes."),
)
FOUR_EYES = ProblemType(
    "four-eyes",
    409,
    _("Somebody else must approve this"),
    _("Whoever created or computed a run may not approve it. Ask a second person who may."),
)
WRONG_STATE = ProblemType(
    "wrong-state",
    409,
    _("The run is not in a state for this"),
    _("Load the run again: somebody may have been faster, or a step before this one is missing."),
)
RUN_EXISTS = ProblemType(
    "run-exists",
    409,
    _("There is a run for this month already"),
    _("A month is billed once. Open the run that exists."),
)
NOT_BILLABLE = ProblemType(
    "period-not-billable",
    409,
    _("This month cannot be billed now"),
    _("A month is billed after it has ended, and after the month before it."),
)
UNKNOWN_COMMUNITY = ProblemType(
    "unknown-community",
    422,
    _("There is no such community"),
    _("Use the code that the community was imported with."),
)
NO_COMMUNITY = ProblemType(
    "no-community",
    422,
    _("No community is chosen"),
    _("Choose at least one community to bill."),
)
NO_ACCESS = ProblemType(
    "access-refused",
    422,
    _("Access cannot be given so"),
    _("Correct what is said; nothing was changed."),
)
LOGIN_EXISTS = ProblemType(
    "login-exists",
    409,
    _("There is a login of this name already"),
    _("Choose another name."),
)
WRONG_GATEWAY = ProblemType(
    "wrong-gateway",
    403,
    _("This key belongs to another gateway"),
    _("Give each gateway the key that was made for it."),
)
GATEWAY_EXISTS = ProblemType(
    "gateway-exists",
    409,
    _("There is a gateway of this name already"),
    _("Choose another name, or open the gateway that exists."),
)
INVALID_NAME = ProblemType(
    "invalid-name",
    422,
    _("This name cannot be used"),
    _("Give a name of letters, digits, `.`, `_` and `-`, at most 64 of them."),
)
ENROLMENT_REFUSED = ProblemType(
    "enrolment-refused",
    403,
    _("The enrolment token does not count"),
    _("It was used, has expired, or is mistyped. Ask an engineer for a new one."),
)
NOT_TAKEN = ProblemType(
    "definition-refused",
    422,
    _("This definition is refused"),
    _("Correct what is listed; nothing was changed."),
)
METER_LISTED = ProblemType(
    "meter-listed",
    409,
    _("Another gateway reads this meter"),
    _("A meter is read by one gateway. Remove it there first."),
)
OWN_SETTINGS = ProblemType(
    "gateway-has-own-settings",
    409,
    _("This gateway works from its settings file"),
    _("Add an [[mqtt.meter]] with this topic to that file and reload the gateway."),
)
CANNOT_ASK = ProblemType(
    "cannot-be-asked",
    409,
    _("This meter cannot be asked"),
    _("It reports by itself, or no gateway reads it. Wait for its next message, or list it."),
)
NO_QUESTION = ProblemType(
    "no-question",
    409,
    _("Nobody asks this any more"),
    _("The meter may count on, or somebody else has answered. Load the page again."),
)
NO_EXCHANGE = ProblemType(
    "exchange-refused",
    422,
    _("The exchange cannot be as it is told"),
    _("Correct what is said; nothing was recorded."),
)
NO_REASON = ProblemType(
    "no-reason",
    422,
    _("Say what happened, and how you know"),
    _("Choose a cause and write the reason: the bills rest on it, and it is kept."),
)
REASON_MISSING = ProblemType(
    "reason-missing",
    422,
    _("There is no reason"),
    _("Write why: it stands in the audit log."),
)
UNKNOWN_PLACE = ProblemType(
    "unknown-place",
    422,
    _("There is no such place in this run"),
    _("Name a community of the run, and of it one building or one unit by its code."),
)
NOT_HELD_SO = ProblemType(
    "not-held-so",
    409,
    _("This cannot be held or released now"),
    _("It is held already, or is not, or nothing else would be left: then withdraw the run."),
)
POOL_HELD = ProblemType(
    "pool-held",
    409,
    _("The apportionment of a pool is held"),
    _("Look at the pools of the run: sign off what is held, or correct it and compute again."),
)
NO_WHAT_IF = ProblemType(
    "cannot-be-tried",
    422,
    _("This cannot be tried"),
    _("Ask for a share from 0 to 100 percent, or for a month in which the tariff was billed."),
)
NO_PROVIDER = ProblemType(
    "no-payment-provider",
    409,
    _("Nothing is paid online here"),
    _("Pay at the office or by bank transfer, and name the payment code."),
)
NOT_PAYABLE = ProblemType(
    "payment-refused",
    409,
    _("This cannot be done with the money as it stands"),
    _("Look at what is due and at the payments again; nothing was changed."),
)
PROVIDER_REFUSED = ProblemType(
    "provider-refused",
    502,
    _("The payment provider refuses this"),
    _("Its own word for the reason is in the detail. Pay in another way, or tell the office."),
)
PROVIDER_AWAY = ProblemType(
    "provider-unavailable",
    503,
    _("The payment provider gives no answer"),
    _("Repeat it in a minute with the same Idempotency-Key; nothing is paid twice."),
)
NOT_DISPUTABLE = ProblemType(
    "dispute-refused",
    409,
    _("This question does not take that step"),
    _("Look at it again: it is asked already, or has ended, or the text says too little."),
)
NOT_SENT_THERE = ProblemType(
    "destination-refused",
    422,
    _("Messages are not sent to this address"),
    _("Give an https:// address on the public internet, by name, without a password in it."),
)
ADDRESS_REFUSED = ProblemType(
    "address-refused",
    422,
    _("Nothing can be sent to this address"),
    _("Give an e-mail address such as li@example.com, or a phone number in digits."),
)
EVENTS_GONE = ProblemType(
    "events-gone",
    410,
    _("What is asked for is no longer kept"),
    _("Messages are kept for some months. Ask for a later time, or list them anew."),
)
WEBHOOK_OFF = ProblemType(
    "webhook-off",
    409,
    _("This webhook is switched off"),
    _("Switch it on first; then it can be sent what it has missed."),
)
UNDECIDED = ProblemType(
    "decision-not-whole",
    422,
    _("The decision is not whole"),
    _("Say what is decided and why: a finding, a method, or what the register showed and when."),
)
UNKNOWN_POINT = ProblemType(
    "unknown-point",
    422,
    _("There is no such point in this community"),
    _("Use the codes of the community and of its point."),
)
ARCHIVE_AWAY = ProblemType(
    "archive-unavailable",
    503,
    _("The archive of readings cannot be reached"),
    _("Nothing is lost; try again in a minute, and tell an engineer if it lasts."),
)
INTERNAL = ProblemType(
    "internal-error",
    500,
    _("Something went wrong on our side"),
    _("It has been logged. Try again; if it lasts, tell whoever runs Tallygate."),
)

TYPES: Mapping[str, ProblemType] = {
    each.name: each for each in list(globals().values()) if isinstance(each, ProblemType)
}
