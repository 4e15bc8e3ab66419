"""One attempt through Amazon SES: whoever is on the list of suppressed addresses is left out, the rest goes in one call.

Dies before `dot`: nothing left. Dies after it: the row stands in doubt, and an event that repeats our tag settles it. Dies after SES
took the mail and before its id is noted: that event brings the id too. Runs twice or late: `dot` is fenced by the attempt's number.
"""

import dataclasses
import datetime as dt
import logging
import uuid
from collections.abc import Awaitable, Callable

from sqlalchemy.exc import SQLAlchemyError

from mail.outgoing_addresses import checked
from mail.values import Address
from providers.errors import Refused
from providers.ses.sender import SesSender
from providers.smtp.outcome import RecipientOutcome, Stage, SubmitOutcome
from store.domain_inboxes import may_send_as_domain
from store.outbound_frozen import Envelope
from store.outbound_rows import lock_message
from store.ses_events import note_ses_id
from store.suppression import suppressed_among
from store.unit_of_work import Database

log = logging.getLogger(__name__)
SUPPRESSED = "Mail to this address came back for good, or its owner complained. Have an admin lift it under Suppressed, or leave it out."
NOT_VERIFIED = (
    "The domain of this inbox is not held by your organisation, or Amazon SES does not send for it. See its records under Domains."
)


@dataclasses.dataclass(frozen=True, slots=True)
class SesPost:
    """The operator's SES: who submits, and the region where."""

    sender: SesSender
    region: str


class SesRoute:
    """`region` is where `sender` sends. `clock` gives aware instants."""

    def __init__(
        self, database: Database, tenant_id: uuid.UUID, sender: SesSender, region: str, clock: Callable[[], dt.datetime]
    ) -> None:
        self._database = database
        self._tenant_id = tenant_id
        self._sender = sender
        self._region = region
        self._clock = clock

    async def hand_over(
        self, raw: bytes, envelope: Envelope, on_stage: Callable[[Stage], Awaitable[None]]
    ) -> SubmitOutcome:
        """Try once. `on_stage` commits `connect` and `dot` before they are entered, and raises when the row is another's by now:
        then nothing is sent. The outcome's `provider_id` is noted already.
        """
        people = [checked(Address(r.address), "to").address for r in envelope.open_recipients]
        async with self._database.unit_of_work(self._tenant_id) as connection:
            listed = await suppressed_among(connection, self._tenant_id, people, now=self._clock())
            allowed = await may_send_as_domain(connection, self._tenant_id, envelope.inbox_id, envelope.from_address)
        if not allowed:
            # The account may send as every domain of the house: only its holder may do so from here.
            refused = tuple(RecipientOutcome(address, "rejected") for address in people)
            return SubmitOutcome(
                "rejected", Stage.CONNECT, "domain_not_verified", refused, error=Refused("domain_not_verified", NOT_VERIFIED)
            )
        left_out = tuple(RecipientOutcome(address, "rejected") for address in people if address in listed)
        rest = [address for address in people if address not in listed]
        if not rest:
            error = Refused("address_suppressed", SUPPRESSED)
            return SubmitOutcome("rejected", Stage.CONNECT, error.reason, left_out, error=error)
        outcome = await self._sender.submit(raw, "", rest, on_stage)
        if outcome.provider_id is not None:
            await self._note(envelope.id, outcome.provider_id)
        return dataclasses.replace(outcome, recipients=(*outcome.recipients, *left_out))

    async def _note(self, message_id: uuid.UUID, ses_id: str) -> None:
        """SES has the mail: whatever fails here must not hide that. Its Send event brings the same id."""
        try:
            async with self._database.unit_of_work(self._tenant_id) as connection:
                row = await lock_message(connection, self._tenant_id, message_id)
                if row is not None:
                    await note_ses_id(connection, row, ses_id, self._region)
        except SQLAlchemyError as error:
            log.warning("the id that SES gave a mail could not be noted yet", extra={"kind": type(error).__name__})
