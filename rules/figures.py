"""What one conversation adds to the figures: durations by the hour in which they ended, and service levels kept or not."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from rules.durations import bucket_of

FIRST_RESPONSE, RESOLUTION = "first_response", "resolution"
BUSINESS = ".business"  # of the measure in business time
SLA = "sla."  # and the target
RESOLVED = frozenset({"closed", "archived"})
NOBODY = "00000000-0000-0000-0000-000000000000"

Figure = tuple[str, str, str, str, str, int]


def figures_of(facts: Mapping[str, Any]) -> list[Figure]:
    """`(hour, inbox, measure, team, agent, bucket)` for each, in a fixed order; `facts` are those of `store/rollups.py`.

    The first response belongs to who gave it, the resolution to whom the conversation is assigned. A conversation that was
    merged away adds nothing.
    """
    if facts["gone"]:
        return []
    found: list[Figure] = []
    answered, closed = facts["first_response_at"], facts["closed_at"]
    assigned = facts["assigned_to"]
    if answered is not None:
        responder = facts["responder"] or assigned
        for measure, seconds in (
            (FIRST_RESPONSE, facts["first_response_seconds"]),
            (FIRST_RESPONSE + BUSINESS, facts["first_response_business_seconds"]),
        ):
            if seconds is not None:
                found.append(_figure(facts, answered, measure, responder, bucket_of(int(seconds))))
    if facts["status"] in RESOLVED and closed is not None:
        seconds = (closed - facts["created_at"]).total_seconds()
        found.append(_figure(facts, closed, RESOLUTION, assigned, bucket_of(int(seconds))))
    for target, at, kept, met_by in facts["clocks"] or ():
        moment = at if isinstance(at, dt.datetime) else dt.datetime.fromisoformat(at)
        found.append(_figure(facts, moment, SLA + target, met_by or assigned, int(kept)))
    return found


def _figure(facts: Mapping[str, Any], at: dt.datetime, measure: str, agent: Any, bucket: int) -> Figure:
    hour = at.astimezone(dt.UTC).replace(minute=0, second=0, microsecond=0).isoformat()
    return hour, str(facts["inbox_id"]), measure, str(facts["team_id"] or NOBODY), str(agent or NOBODY), bucket
