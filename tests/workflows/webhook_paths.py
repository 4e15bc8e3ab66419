"""The recorded paths of an endpoint that is told: all went out, tried again later, poked meanwhile, many batches."""

from collections.abc import Sequence
from typing import Any

from contracts import ids
from contracts.desk import DeskRef, DeskReport, Followup, FollowupKind
from contracts.webhooks import WebhookRef, WebhookReport
from tests.workflows.path_values import TENANT, Path, fails, opaque

NOTHING, TOLD = WebhookReport(), WebhookReport(3)
# One that still runs on the path of that name: the second time it is poked.
TELLING = DeskReport((Followup(FollowupKind.WEBHOOK, opaque("webhook continued-as-new")),), 1)
MORE, LATER = WebhookReport(20, 0, 0.0), WebhookReport(0, 1, 1.0)


def webhook(name: str, drains: Sequence[Any], *, acts: Sequence[tuple[Any, ...]] = (), until: tuple[str, int] | None = None) -> Path:
    endpoint = opaque(f"webhook {name}")
    return Path("WebhookEndpoint", name, ids.webhook(endpoint), WebhookRef(TENANT, endpoint), {"webhook.drain": drains}, acts, until)


WEBHOOKS = (
    webhook("told", [MORE, TOLD]),
    webhook("tried-again", [LATER, fails("DatabaseUnavailable"), LATER, TOLD]),
    webhook("poked-while-it-waits", [WebhookReport(0, 1, 600.0), TOLD], acts=[("webhook.drain", 1, "poke")]),
    webhook("continued-as-new", [MORE], until=("webhook.drain", 40)),
    Path("Desk", "tells-a-webhook", ids.desk(opaque("desk 4")), DeskRef(opaque("desk 4")), {"desk.turn": [TELLING, TELLING, DeskReport()]}, until=("desk.turn", 4)),
)
WEBHOOK_DEFAULTS = {"webhook.drain": NOTHING}
