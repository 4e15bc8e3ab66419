"""Makes one person's digest: takes the window that is due and queues its mail, in one transaction.

If it dies, nothing was taken; run twice, the second finds nothing due. The mail then goes the way of every mail: frozen once,
submitted at most once, and of unknown fate never again (integrity S-5).
"""

import datetime as dt
import uuid
from collections.abc import Callable, Sequence

from temporalio import activity

from activities._edges import edges
from activities.outbound_compose import run_id
from contracts.digest import DigestClaim, DigestRef, DigestSteps
from rules.digest_mail import DigestItem, digest_mail
from store.digests import WaitingNotice, lock_window, queue_digest
from store.unit_of_work import Database


class Digesting(DigestSteps):
    """`base_url` is where people open Mailroom. `clock` gives aware instants."""

    def __init__(
        self,
        database: Database,
        base_url: str,
        *,
        clock: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        self._database = database
        self._base_url = base_url.rstrip("/")
        self._clock = clock

    @activity.defn(name="digest.claim")
    async def claim(self, ref: DigestRef) -> DigestClaim:
        with edges():
            tenant_id, user_id = uuid.UUID(ref.tenant_id), uuid.UUID(ref.user_id)
            now = self._clock()
            async with self._database.unit_of_work(tenant_id) as connection:
                window = await lock_window(connection, tenant_id, user_id, now=now)
                if window is None:
                    return DigestClaim(None, "nothing-due")
                if window.why_not:
                    return DigestClaim(None, window.why_not)
                mail = digest_mail(
                    items_of(window.notices, snippets=window.snippets), base_url=self._base_url, org_name=window.org_name
                )
                message_id = await queue_digest(
                    connection,
                    tenant_id,
                    user_id,
                    window,
                    subject=mail.subject,
                    text_body=mail.text,
                    html_body=mail.html,
                    now=now,
                    workflow_run=run_id(),
                )
            if message_id is None:
                return DigestClaim(None, "window-taken")
            return DigestClaim(str(message_id), "queued", str(window.inbox_id))


def items_of(notices: Sequence[WaitingNotice], *, snippets: bool) -> list[DigestItem]:
    """One item for each conversation, in the order of its first notice."""
    kinds: dict[uuid.UUID, dict[str, None]] = {}
    about: dict[uuid.UUID, WaitingNotice] = {}
    for notice in notices:
        kinds.setdefault(notice.conversation_id, {})[notice.kind] = None
        about.setdefault(notice.conversation_id, notice)
    return [
        DigestItem(str(i), n.number, n.subject, tuple(kinds[i]), n.snippet if snippets else "") for i, n in about.items()
    ]
