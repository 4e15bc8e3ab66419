"""What routing rules did to a mail, as steps: each hit with its version, what it did, and what it left and why."""

import uuid

from sqlalchemy.ext.asyncio import AsyncConnection

from store.rule_hits import HitRow, hits_of_message
from store.timeline_steps import StepKind, TimelineStep

WORDS = {
    "assign": "assigned",
    "tag": "tagged",
    "untag": "untagged",
    "priority": "priority set",
    "category": "category set",
    "status": "status set",
    "spam": "marked as spam",
    "auto_response": "automatic answer asked for",
    "draft": "reply drafted",
    "webhook": "webhook told",
}


async def rule_steps(connection: AsyncConnection, *, tenant_id: uuid.UUID, message_id: uuid.UUID) -> list[TimelineStep]:
    """Unsorted; nothing for a mail that no rule matched."""
    return [
        TimelineStep(hit.at, _step(hit), StepKind.RULE, _detail(hit))
        for hit in await hits_of_message(connection, tenant_id, message_id)
    ]


def _step(hit: HitRow) -> str:
    if hit.cause.startswith("stopped"):
        return "rules stopped"
    if hit.shadow:
        return "rule matched in shadow"
    return "rule matched" if hit.cause == "m" else "rule matched a change"


def _detail(hit: HitRow) -> str:
    told = []
    for outcome in hit.outcomes:
        kind, why = str(outcome.get("type", "")), outcome.get("why")
        told.append(f"{kind.replace('_', ' ')}: {why}" if why else WORDS.get(kind, kind))
    name = f"“{hit.name}” version {hit.version}"
    return ": ".join(filter(None, (name, "; ".join(told)))) + (", and no rule after it" if hit.stopped and hit.cause == "m" else "")
