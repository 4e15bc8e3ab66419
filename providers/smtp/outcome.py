"""What is known after an attempt to hand over a mail: the words of the sending path, as frozen values."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal


class Stage(StrEnum):
    """The step that an attempt had reached. From `DOT` on, silence means that the outcome cannot be known."""

    CONNECT = "connect"
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    BODY = "body"
    DOT = "dot"


Kind = Literal["accepted", "deferred", "rejected", "not_sent", "unknown"]


@dataclass(frozen=True, slots=True)
class RecipientOutcome:
    """What happened for one recipient. `code` and `enhanced` (RFC 3463) are the server's, where it said any."""

    address: str
    kind: Kind
    code: int | None = None
    enhanced: str | None = None


@dataclass(frozen=True, slots=True)
class SubmitOutcome:
    """What is known about one attempt.

    - `accepted`: the server took the mail for those recipients that are `accepted` themselves.
    - `deferred`: a 4yz reply; not accepted, try later (for the recipients that are `deferred`).
    - `rejected`: a 5yz reply or a rule that forbids sending; final for the recipients that are `rejected`.
    - `not_sent`: no reply, but the final dot had not gone out: proven not accepted, safe to try again.
    - `unknown`: the dot may have arrived and no readable reply did: never send again, look for proof.

    `stage` is where the attempt ended, `reason` a stable machine phrase, `reply_text` the server's words for people
    with addresses removed. `error` is what went wrong on our side of the talk, where something did: a ProviderError,
    or whatever `on_stage` raised. `provider_id` is the id that a provider gave the mail, where it gives one (SES).
    """

    kind: Kind
    stage: Stage
    reason: str
    recipients: tuple[RecipientOutcome, ...]
    code: int | None = None
    enhanced: str | None = None
    reply_text: str = ""
    error: Exception | None = None
    provider_id: str | None = None
