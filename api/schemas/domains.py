"""Domains: who holds one, the records to set with what was found instead, and the inboxes that are addresses in it."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from api.schemas.base import Answer, Asked, HeaderLine, Instant, MailAddress
from mail.outgoing_addresses import ascii_domain
from mail.outgoing_errors import ComposeError

RecordStatus = Literal["ok", "missing", "wrong", "unknown", "waiting"]


def domain_name(value: str) -> str:
    """A-labels in lower case. Raises ValueError with what to do; the value is not quoted."""
    given = value.strip().rstrip(".").lower()
    labels = given.split(".")
    if len(labels) < 2 or labels[-1].isdigit() or any(c in given for c in "@/:[] \r\n\0_"):
        raise ValueError("is a domain such as example.com, without @, path, port or underscore")
    try:
        return ascii_domain(given, "name").lower()
    except ComposeError:
        raise ValueError("is no domain that can exist; correct it") from None


DomainName = Annotated[str, AfterValidator(domain_name), Field(min_length=3, max_length=253)]


class NewDomain(Asked):
    name: DomainName
    from_name: Annotated[HeaderLine | None, Field(max_length=200)] = None
    reply_to_address: MailAddress | None = None
    bounce_address: MailAddress | None = None


class ChangeDomain(Asked):
    """What to change; what is left out stays, null takes a default away."""

    from_name: Annotated[HeaderLine | None, Field(max_length=200)] = None
    reply_to_address: MailAddress | None = None
    bounce_address: MailAddress | None = None


class DomainRecord(Answer):
    """One record to set. `found` is what stands there; `problem` one sentence, null when nothing is wrong."""

    record: Literal["ownership", "mx", "spf", "dkim", "dmarc"]
    name: str
    type: Literal["TXT", "MX", "CNAME"]
    value: str
    status: RecordStatus
    found: list[str]
    problem: str | None


class DomainInbox(Answer):
    id: str
    name: str
    email_address: str
    local_part: str
    is_catchall: bool


class Domain(Answer):
    """`verified`: held by this organisation. `missing_since`: the record that proves it is gone; it is kept for three days.
    `ses_verified`: Amazon SES sends as it. `unclaimed_mails` came through SES for addresses that no inbox has, last at `unclaimed_at`.
    """

    id: str
    name: str
    verified: bool
    verified_at: Instant | None
    missing_since: Instant | None
    mx_verified: bool
    spf_verified: bool
    dkim_verified: bool
    dmarc_verified: bool
    ses_verified: bool
    unclaimed_mails: int
    unclaimed_at: Instant | None
    checked_at: Instant | None
    records: list[DomainRecord]
    from_name: str | None
    reply_to_address: str | None
    bounce_address: str | None
    inboxes: list[DomainInbox]
    created_at: Instant


class PutInbox(Asked):
    is_catchall: bool = False
