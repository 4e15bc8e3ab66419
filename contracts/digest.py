"""The digest flow: a person's waiting notices become one mail, at most one for each window."""

from dataclasses import dataclass

from temporalio import activity


@dataclass(frozen=True, slots=True)
class DigestRef:
    tenant_id: str
    user_id: str


@dataclass(frozen=True, slots=True)
class DigestClaim:
    """`message_id` of the queued mail, or None with a word why there is none."""

    message_id: str | None
    reason: str
    inbox_id: str = ""


class DigestSteps:
    """Signature of the digest activity; `activities/digest.py` overrides it."""

    @activity.defn(name="digest.claim")
    async def claim(self, ref: DigestRef) -> DigestClaim:
        """Take the window that is due and queue its mail, in one transaction. Twice: the second finds nothing due."""
        raise NotImplementedError
