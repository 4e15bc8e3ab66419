"""A run of re-ingest that has compared one mail of a world and waits for a person."""

import json
import uuid
from typing import Any

from tests.api.world import NOW, World

DETAIL: dict[str, Any] = {
    "body": {"body_visible": {"old_length": 9, "new_length": 9, "diff": "@@ -1 +1 @@\n-It b?rns.\n+It burns.", "cut": False}},
    "parser_version": {"old": 0, "new": 1},
}


async def planned_run(world: World, **values: Any) -> uuid.UUID:
    run = await world.insert(
        "reingests",
        **{
            "selection": {"inbox_ids": [str(world.ids["inbox"])], "since": NOW.isoformat(), "older_parser": True},
            "state": "planned",
            "asked_by": world.people["admin"],
            "parser_version": 1,
            "newest": world.ids["ledger"],
            "total": 1,
            "done": 1,
            "changed": 1,
            "to_apply": 1,
            "planned_at": NOW,
            **values,
        },
    )
    await world.rows(
        """
        insert into reingest_changes (tenant_id, reingest_id, ledger_id, message_id, inbox_id, kinds, detail)
        values (:tenant, :run, :ledger, :message, :inbox, '{body}', cast(:detail as jsonb))
        """,
        run=run,
        ledger=world.ids["ledger"],
        message=world.ids["message"],
        inbox=world.ids["inbox"],
        detail=json.dumps(DETAIL),
    )
    return run
