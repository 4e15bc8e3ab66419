"""Writes back to a mailbox behind a web API what people chose in Mailroom: read, moved, labelled, mail by mail, under the sync's lease.

Each mail is looked at before it is changed. What is so already is done, whoever did it; a mail that lies neither where it was when a
person chose nor where it was wanted has been moved by somebody else, and stays. Dying anywhere repeats or recognises the work.
"""

import uuid
from collections.abc import Sequence

from activities.api_boxes import ApiBox, flags_of
from contracts.failpoints import Failpoint, reached
from providers.errors import NotThere, Refused
from providers.imap.values import Role
from providers.mail_api import MailApiSource, MailApiState, RemoteState
from store.api_folders import list_api_folders
from store.api_ledger import ApiPlace
from store.api_mirror import ToldMail, mirror_left, mirror_thrown, mirror_told
from store.inbox_state import InboxState, Lease, hold_lease
from store.intents import Closed, IntentState, chosen, close
from store.intents_due import Due, DueById, begin, due_by_id, settle
from store.unit_of_work import Database

BATCH = 100  # intents of one pass: each mail costs a call or more; the next pass takes the next ones
SEEN = "\\Seen"
REASONS = frozenset({"no_folder"})


class ApiWriteBack:
    """Works for one inbox under one lease."""

    def __init__(self, database: Database, source: MailApiSource, inbox: InboxState, lease: Lease) -> None:
        self._database = database
        self._source = source
        self._inbox = inbox
        self._lease = lease
        self._folders: dict[str, uuid.UUID] = {}

    async def run(self, boxes: Sequence[ApiBox]) -> int:
        """Call it after the mailbox's changes were mirrored. How many mails were written or found to be right. Raises
        ProviderError for what concerns the whole mailbox, and LeaseLost.
        """
        if not boxes or not chosen(self._inbox.settings):
            return 0
        tenant_id, inbox_id = self._inbox.tenant_id, self._inbox.id
        async with self._database.unit_of_work(tenant_id) as connection:
            await hold_lease(connection, self._lease)
            await settle(connection, tenant_id, inbox_id)
            due = await due_by_id(connection, tenant_id, inbox_id, limit=BATCH)
            if due:
                folders = await list_api_folders(connection, tenant_id, inbox_id)
                self._folders = {folder.path: folder.id for folder in folders}
        if not due:
            return 0
        reached(Failpoint.WRITE_BACK_FOUND)
        state, done = self._source.state(), 0
        for mail in due:
            done += await self._one(state, boxes[0], mail)
        return done

    async def _one(self, state: MailApiState, box: ApiBox, mail: DueById) -> bool:
        async with self._database.unit_of_work(self._inbox.tenant_id) as connection:
            await hold_lease(connection, self._lease)  # an overtaken pass tells the mailbox nothing more
            ids = [one.id for one in mail.intents]
            still = await begin(connection, self._inbox.tenant_id, self._inbox.id, ids)
        if not still:
            return False
        ends: list[Closed] = []
        now: RemoteState | None = None
        try:
            now = await state.now(mail.provider_id)
            for one in sorted((one for one in mail.intents if one.id in still), key=lambda one: one.kind == "place"):
                try:
                    now, end = await _apply(state, mail.provider_id, one, now)
                except Refused as refused:
                    reason = refused.reason if refused.reason in REASONS else "not_allowed"
                    end = Closed(one.id, IntentState.REFUSED, reason)
                ends.append(end)
        except NotThere:
            now = None
            ends = [Closed(one.id, IntentState.GONE) for one in mail.intents]
        reached(Failpoint.WRITE_BACK_TOLD)
        await self._record(box, mail, now, ends)
        reached(Failpoint.WRITE_BACK_RECORDED)
        return now is not None

    async def _record(self, box: ApiBox, mail: DueById, now: RemoteState | None, ends: Sequence[Closed]) -> None:
        """As if the mailbox had told us: our change coming back is no news then."""
        place = ApiPlace(self._inbox.tenant_id, self._inbox.id)
        ours = any(e.state is IntentState.DONE for e in ends) and any(one.wanted == "trash" for one in mail.intents)
        async with self._database.unit_of_work(self._inbox.tenant_id) as connection:
            await hold_lease(connection, self._lease)
            if now is None:
                await mirror_left(connection, place, [mail.provider_id])
            elif now.role is Role.TRASH and ours:
                await mirror_thrown(connection, place, [mail.provider_id])
            elif now.role is Role.TRASH:
                await mirror_left(connection, place, [mail.provider_id])
            else:
                told = ToldMail(mail.provider_id, self._home(box, now), flags_of(now.mail))
                await mirror_told(connection, place, [told])
            await close(connection, self._inbox.tenant_id, self._inbox.id, ends)
            await settle(connection, self._inbox.tenant_id, self._inbox.id)

    def _home(self, box: ApiBox, now: RemoteState) -> uuid.UUID:
        """The folder where the mail lies now: by its labels (Gmail), or by its own path, also one that is not read."""
        if now.folder is None:
            return box.home(now.mail)
        return self._folders.get(now.folder, box.folder.id)


async def _apply(state: MailApiState, mail_id: str, one: Due, now: RemoteState) -> tuple[RemoteState, Closed]:
    """Bring one intent about, unless it is so or somebody else has decided otherwise. Twice is once."""
    done = Closed(one.id, IntentState.DONE)
    if one.kind == "read":
        seen = SEEN in (now.mail.flags or frozenset())
        return now if seen else await state.set_read(mail_id, read=True), done
    if one.kind == "label":
        return await state.set_label(mail_id, one.detail, on=one.wanted == "on"), done
    if now.role.value == one.wanted:
        return now, done
    if now.role.value != one.expected:
        return now, Closed(one.id, IntentState.CONFLICT, now.role.value)
    return await state.place(mail_id, Role(one.wanted)), done
