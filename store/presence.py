"""Who looks at a conversation or writes in it just now: carried by NOTIFY from process to process, kept nowhere.

It is true for seconds only, so no row of it exists; docs/decisions/0015-presence-without-rows.md says why.
"""

import json
import uuid
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

CHANNEL = "mailroom_presence"
STATES = frozenset({"viewing", "writing", "gone"})
ANNOUNCE = text("select pg_notify(:channel, :payload)")


@dataclass(frozen=True, slots=True)
class Presence:
    """`tab` tells windows of one person apart. `name` travels with it, so that no process has to look it up."""

    tenant_id: uuid.UUID
    inbox_id: uuid.UUID
    conversation_id: uuid.UUID
    user_id: uuid.UUID
    name: str
    state: str
    tab: str


async def announce(connection: AsyncConnection, presence: Presence) -> None:
    """Tell every API process, when the transaction commits. PostgreSQL drops an announcement that equals another of the transaction."""
    payload = json.dumps(
        [
            str(presence.tenant_id),
            str(presence.inbox_id),
            str(presence.conversation_id),
            str(presence.user_id),
            presence.name[:200],
            presence.state,
            presence.tab,
        ]
    )
    await connection.execute(ANNOUNCE, {"channel": CHANNEL, "payload": payload})


def parse(payload: str) -> Presence:
    """What another process announced. Raises ValueError for anything else, as from a process of another version."""
    try:
        tenant, inbox, conversation, user, name, state, tab = json.loads(payload)
        found = Presence(
            uuid.UUID(tenant), uuid.UUID(inbox), uuid.UUID(conversation), uuid.UUID(user), str(name), str(state), str(tab)
        )
    except (TypeError, AttributeError) as error:
        raise ValueError("this is no announcement of presence") from error
    if found.state not in STATES:
        raise ValueError("this is no announcement of presence")
    return found
