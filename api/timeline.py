"""A message's timeline; admins also get links to the Temporal runs that did each step."""

import uuid
from urllib.parse import quote

from api.auth import Access
from api.deps import ApiConfig
from api.endpoint import Call, Empty
from api.problems import not_found
from api.schemas.messages import Timeline, TimelineItem
from contracts import ids
from store.people import list_people
from store.timeline import read_timeline
from store.timeline_steps import TimelineStep


async def shown_timeline(call: Call[Empty, None], message_id: uuid.UUID) -> Timeline:
    who = call.who
    async with call.deps.database.unit_of_work(who.tenant_id) as connection:
        found = await read_timeline(connection, who.viewer, message_id)
        if found is None:
            raise not_found()
        names = {f"user:{p.id}": p.name for p in await list_people(connection, who.tenant_id)}
    config = call.deps.config if who.access >= Access.ADMIN else None
    return Timeline(
        items=[
            TimelineItem(
                at=s.at,
                step=s.step,
                kind=s.kind.value,
                detail=s.detail,
                attempt=s.attempt,
                code=s.code,
                next_at=s.next_at,
                about=str(s.about) if s.about else None,
                actor=names.get(s.actor, s.actor),
                link=_run_link(config, s, found.inbox_id, message_id) if config is not None else None,
            )
            for s in found.steps
        ]
    )


def workflow_link(config: ApiConfig, workflow_id: str, run: str | None = None) -> str | None:
    """The page of a workflow in the Temporal UI, or None when there is no UI to link to."""
    if config.temporal_ui_url is None:
        return None
    place = f"{config.temporal_ui_url.rstrip('/')}/namespaces/{config.temporal_namespace}/workflows"
    address = f"{place}/{quote(workflow_id, safe='')}"
    return f"{address}/{quote(run, safe='')}" if run else address


def _run_link(
    config: ApiConfig, step: TimelineStep, inbox_id: uuid.UUID, message_id: uuid.UUID
) -> str | None:
    if step.run is None or step.flow is None:
        return None
    if step.flow == "send":
        return workflow_link(config, ids.send_message(str(message_id)), step.run)
    if step.flow == "answer":
        return workflow_link(config, ids.auto_response(str(step.flow_id)), step.run)
    if step.flow == "backfill" and step.flow_id is not None:
        return workflow_link(config, ids.backfill(str(inbox_id), str(step.flow_id)), step.run)
    return workflow_link(config, ids.inbox_sync(str(inbox_id)), step.run)
