"""When the permission for a mailbox ends by itself, as far as that can be known, and when people should be told."""

import datetime as dt
from dataclasses import dataclass
from typing import Literal

What = Literal["refresh_token", "unused", "client_secret"]

TESTING = dt.timedelta(days=7)  # Google: refresh tokens of an application whose consent screen is in testing
# Unused for so long, a refresh token ends: Entra's 90 days, Google's six months.
UNUSED = {"gmail": dt.timedelta(days=180), "graph": dt.timedelta(days=90)}
# How long before the end it is a warning: as long as mending takes people.
WARNED = {
    "refresh_token": dt.timedelta(days=2),
    "unused": dt.timedelta(days=14),
    "client_secret": dt.timedelta(days=30),
}


@dataclass(frozen=True, slots=True)
class Given:
    """What the operator told about the applications, since no provider tells it. `secret_expires` is Microsoft's client secret's end."""

    google_testing: bool = False
    secret_expires: dt.datetime | None = None


NOTHING_GIVEN = Given()


@dataclass(frozen=True, slots=True)
class Expiry:
    """One known end. `soon`: a person should see to it now."""

    what: What
    at: dt.datetime
    soon: bool


def expiries(
    provider: str,
    *,
    by_application: bool,
    granted_at: dt.datetime,
    renewed_at: dt.datetime,
    refresh_expires_at: dt.datetime | None,
    given: Given,
    now: dt.datetime,
) -> tuple[Expiry, ...]:
    """Known ends of one mailbox's permission, the nearest first. With application permission there is no refresh token."""
    ends: dict[What, dt.datetime] = {}
    if not by_application:
        if refresh_expires_at is not None:
            ends["refresh_token"] = refresh_expires_at
        elif provider == "gmail" and given.google_testing:
            ends["refresh_token"] = granted_at + TESTING
        if provider in UNUSED:
            ends["unused"] = renewed_at + UNUSED[provider]
    if provider == "graph" and given.secret_expires is not None:
        ends["client_secret"] = given.secret_expires
    found = (Expiry(what, at, at - now <= WARNED[what]) for what, at in ends.items())
    return tuple(sorted(found, key=lambda one: one.at))
