"""Inboxes: list, add, change, pause and resume, and test their servers. How a sync stands is in `api/inbox_status.py`.

The row is written first and the workflow told after it; with Temporal away the sweep does the telling.
"""

import datetime as dt
import uuid
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from api.auth import Access
from api.deps import ApiConfig, Deps
from api.endpoint import Call, Empty, Endpoint
from api.gateway import CheckOutcome
from api.problems import FieldError, not_found, not_valid
from api.schemas.base import PageOf
from api.schemas.inboxes import AskedServer, ChangeInbox, Check, Checks, Inbox, NewInbox
from api.timeline import workflow_link
from contracts import ids
from contracts.failures import SENTENCES
from rules import signatures
from store import intents, send_policy
from store.backfill import folders_under_way
from store.inboxes import (
    InboxRow,
    SealedCredentials,
    add_inbox,
    change_inbox,
    get_inbox,
    list_inboxes,
    pause_inbox,
    sealed_of,
)
from store.sealing import CredentialsUnreadable
from store.visibility import Viewer

COLUMN = "credentials_sealed"
SERVERS = ("imap", "smtp")
SES = "ses"
CHECKED = {
    **dict.fromkeys(SERVERS, "Signed in."),
    "mailbox": "The account opens this mailbox.",
    "folders": "Its folders can be read.",
}


async def list_all(call: Call[Empty, None]) -> PageOf[Inbox]:
    async with call.deps.database.unit_of_work(call.who.tenant_id) as connection:
        rows = await list_inboxes(connection, call.who.viewer)
    return PageOf[Inbox](items=[shown(r, call.deps.config) for r in rows])


async def read_one(call: Call[Empty, None]) -> Inbox:
    async with call.deps.database.unit_of_work(call.who.tenant_id) as connection:
        return shown(await found(connection, call), call.deps.config)


async def add(call: Call[Empty, NewInbox]) -> Inbox:
    """Dying after the commit leaves an inbox that is `connecting`: the sweep starts its workflow."""
    new, viewer, inbox_id = call.body, call.who.viewer, uuid.uuid4()
    missing = [
        FieldError(f"{name}.{server.secret_field}", "is needed to sign in")
        for name, server in (("imap", new.imap), ("smtp", new.smtp))
        if server.secret is None and (server.username or name == "imap")
    ]
    if missing:
        raise not_valid(*missing)
    values = {
        "name": new.name.strip(),
        "email_address": new.email_address,
        "display_name": new.display_name.strip(),
        "settings": {"imap": _place(new.imap), "smtp": _place(new.smtp), "verify_tls": new.verify_tls},
        "backfill_days": new.backfill_days,
        "undo_send_seconds": new.undo_send_seconds,
    }
    secrets = {n: {"secret": s.secret} for n, s in (("imap", new.imap), ("smtp", new.smtp)) if s.secret}
    async with call.deps.database.unit_of_work(viewer.tenant_id) as connection:
        await add_inbox(connection, viewer, inbox_id, values, _sealed(call.deps, viewer, inbox_id, secrets))
        row = await get_inbox(connection, viewer, inbox_id)
    if row is None:
        raise not_found()
    await call.deps.gateway.connect_inbox(str(viewer.tenant_id), str(inbox_id))
    return shown(row, call.deps.config)


async def change(call: Call[Empty, ChangeInbox]) -> Inbox:
    """A server whose host, port or user name changes needs its secret again: else whoever may edit could steer the old
    password to a host of their own (integrity X-53).
    """
    body, viewer, inbox_id = call.body, call.who.viewer, call.id("inbox_id")
    async with call.deps.database.unit_of_work(viewer.tenant_id) as connection:
        before = await found(connection, call)
        values = _plain_changes(body)
        settings = dict(before.settings)
        given = {n: s for n in SERVERS if (s := getattr(body, n)) is not None}
        if before.provider == SES:
            _refuse_what_ses_has_not(given, body)
        _refuse_steering(before, given, verify_tls=body.verify_tls)
        if body.verify_tls is not None:
            settings["verify_tls"] = body.verify_tls
        settings |= {name: _place(server) for name, server in given.items()}
        moved = settings != before.settings
        if body.send_policy is not None:
            settings[send_policy.SETTING] = body.send_policy
        if body.write_back is not None:
            words = frozenset(body.write_back)
            if words and before.provider == "ses":
                raise not_valid(FieldError("write_back", "has no meaning for this inbox: it has no mailbox; leave it empty"))
            settings[intents.SETTING] = sorted(words)
            await intents.withdraw(connection, viewer.tenant_id, inbox_id, words)
        settings |= _signature_settings(body)
        if values.get("auto_response_enabled") and not before.auto_response_enabled:
            # Mail that came before this moment gets no automatic answer.
            settings["auto_response_since"] = dt.datetime.now(dt.UTC).isoformat()
        if settings != before.settings:
            values["settings"] = settings
        credentials = await _new_secrets(
            connection, call, {n: s.secret for n, s in given.items() if s.secret}
        )
        reconnect = moved or credentials is not None
        if values or reconnect:
            await change_inbox(
                connection, viewer, inbox_id, values, credentials=credentials, reconnect=reconnect
            )
        row = await found(connection, call)
    if reconnect:
        await call.deps.gateway.connect_inbox(str(viewer.tenant_id), str(inbox_id))
    return shown(row, call.deps.config)


async def test(call: Call[Empty, None]) -> Checks:
    """Log in to both servers now, or ask Google or Microsoft whose mailbox it is. Reads and sends no mail."""
    async with call.deps.database.unit_of_work(call.who.tenant_id) as connection:
        row = await found(connection, call)
    outcome = await call.deps.gateway.check_inbox(str(call.who.tenant_id), str(call.id("inbox_id")))
    checks = _checks(outcome, row.provider)
    return Checks(ok=all(c.ok for c in checks), checks=checks)


async def pause(call: Call[Empty, None]) -> Inbox:
    return await _set_paused(call, paused=True)


async def resume(call: Call[Empty, None]) -> Inbox:
    return await _set_paused(call, paused=False)


async def _set_paused(call: Call[Empty, None], *, paused: bool) -> Inbox:
    viewer, inbox_id = call.who.viewer, call.id("inbox_id")
    async with call.deps.database.unit_of_work(viewer.tenant_id) as connection:
        before = await found(connection, call)
        await pause_inbox(connection, viewer, inbox_id, paused=paused)
        row = await found(connection, call)
        histories = await folders_under_way(connection, viewer.tenant_id, inbox_id)
    if paused:
        await call.deps.gateway.signal_sync(str(inbox_id), "pause")
    elif before.connected_at is None:
        await call.deps.gateway.connect_inbox(str(viewer.tenant_id), str(inbox_id))
    elif await call.deps.gateway.start_sync(str(viewer.tenant_id), str(inbox_id), row.provider):
        await call.deps.gateway.signal_sync(str(inbox_id), "resume")
        for folder_id in histories:
            await call.deps.gateway.start_backfill(str(viewer.tenant_id), str(inbox_id), str(folder_id))
    return shown(row, call.deps.config)


async def found(connection: AsyncConnection, call: Call[Any, Any]) -> InboxRow:
    """The inbox of the path, or 404."""
    row = await get_inbox(connection, call.who.viewer, call.id("inbox_id"))
    if row is None:
        raise not_found()
    return row


def shown(row: InboxRow, config: ApiConfig) -> Inbox:
    workflow = ids.inbox_sync(str(row.id)) if row.connected_at else ids.connect_inbox(str(row.id))
    return Inbox.model_validate(
        {
            "id": str(row.id),
            "name": row.name,
            "channel": row.channel,
            "provider": row.provider,
            "email_address": row.email_address,
            "display_name": row.display_name,
            "health": "paused" if row.paused_at else row.health,
            "connected_at": row.connected_at,
            "last_sync_at": row.last_sync_at,
            "last_error": row.last_error,
            "last_error_at": row.last_error_at,
            "paused": row.paused_at is not None,
            "settings": {
                "imap": _server(row, "imap"),
                "smtp": _server(row, "smtp"),
                "verify_tls": row.settings.get("verify_tls") is not False,
            },
            "undo_send_seconds": row.undo_send_seconds,
            "send_policy": row.settings.get(send_policy.SETTING, "ask"),
            "write_back": tuple(sorted(intents.chosen(row.settings))),
            "backfill_days": row.backfill_days,
            "auto_response": {
                "enabled": row.auto_response_enabled,
                "subject": row.auto_response_subject,
                "body": row.auto_response_body,
            },
            "signature": row.settings.get(signatures.SETTING, signatures.USUAL),
            "signature_html": row.signature_html or "",
            "signature_in_automatic": row.settings.get(signatures.IN_AUTOMATIC) is True,
            "links": {"temporal": workflow_link(config, workflow)},
        }
    )


def _server(row: InboxRow, name: str) -> dict[str, Any] | None:
    """Only the fields that are ours to show, whatever else the settings hold."""
    kept = row.settings.get(name)
    if not isinstance(kept, dict):
        return None
    return {
        "host": kept.get("host", ""),
        "port": kept.get("port", 0),
        "security": kept.get("security", "tls"),
        "username": kept.get("username", ""),
        "auth": kept.get("auth", "password"),
    }


def _place(server: AskedServer) -> dict[str, Any]:
    return {
        "host": server.host,
        "port": server.port,
        "security": server.security,
        "username": server.username,
        "auth": server.auth,
    }


def _plain_changes(body: ChangeInbox) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name in ("name", "display_name", "backfill_days", "undo_send_seconds"):
        value = getattr(body, name)
        if value is not None:
            values[name] = value.strip() if isinstance(value, str) else value
    if body.auto_response is not None:
        values["auto_response_enabled"] = body.auto_response.enabled
        values["auto_response_subject"] = body.auto_response.subject
        values["auto_response_body"] = body.auto_response.body
    if body.signature_html is not None:
        values["signature_html"] = signatures.clean_own_html(body.signature_html) or None
    return values


def _signature_settings(body: ChangeInbox) -> dict[str, Any]:
    asked = {signatures.SETTING: body.signature, signatures.IN_AUTOMATIC: body.signature_in_automatic}
    return {name: value for name, value in asked.items() if value is not None}


def _refuse_what_ses_has_not(given: dict[str, AskedServer], body: ChangeInbox) -> None:
    """The operator's SES has neither servers of an inbox's own nor a mailbox that could be told anything."""
    wrong = [FieldError(name, "is not for inboxes of Amazon SES; leave it out") for name in given]
    if body.write_back:
        wrong.append(FieldError("write_back", "cannot be: Amazon SES keeps no mailbox; leave it empty"))
    if wrong:
        raise not_valid(*wrong)


def _refuse_steering(before: InboxRow, given: dict[str, AskedServer], *, verify_tls: bool | None) -> None:
    wrong = []
    # Without verification, whoever stands on the way may pose as the server.
    unverified = verify_tls is False and before.settings.get("verify_tls") is not False
    for name in SERVERS:
        server, kept = given.get(name), before.settings.get(name) or {}
        username = server.username if server is not None else kept.get("username")
        # Without a user name, SMTP does not sign in, while IMAP does so with the inbox's address.
        if (server is not None and server.secret is not None) or (name == "smtp" and not username):
            continue
        changed = ["verify_tls"] if unverified else []
        if server is not None:
            changed += [k for k in ("host", "port", "username", "auth") if getattr(server, k) != kept.get(k)]
            # Encryption that is taken away would show the password to whoever listens on the way.
            if server.security != kept.get("security") and server.security != "tls":
                changed.append("security")
        if changed:
            field = server.secret_field if server is not None else "password"
            wrong.append(FieldError(f"{name}.{field}", f"is needed again because {' and '.join(changed)} changed"))
    if wrong:
        raise not_valid(*wrong)


async def _new_secrets(
    connection: AsyncConnection, call: Call[Empty, ChangeInbox], given: dict[str, str | None]
) -> SealedCredentials | None:
    """Seal what was given together with what stands. A value that no key opens any more is replaced, not mourned."""
    if not given:
        return None
    viewer, inbox_id = call.who.viewer, call.id("inbox_id")
    kept: dict[str, Any] = {}
    sealed = await sealed_of(connection, viewer, inbox_id)
    if sealed is not None:
        try:
            kept = call.deps.sealer.open(
                sealed.sealed,
                sealed.key_id,
                tenant_id=str(viewer.tenant_id),
                inbox_id=str(inbox_id),
                column=COLUMN,
            )
        except CredentialsUnreadable:
            lacking = [n for n in SERVERS if n not in given]
            if lacking:
                raise not_valid(
                    *(
                        FieldError(f"{n}.password", "is needed again: the stored one cannot be opened")
                        for n in lacking
                    )
                ) from None
    kept |= {name: {"secret": secret} for name, secret in given.items()}
    return _sealed(call.deps, viewer, inbox_id, kept)


def _sealed(deps: Deps, viewer: Viewer, inbox_id: uuid.UUID, secrets: dict[str, Any]) -> SealedCredentials:
    sealed, key_id = deps.sealer.seal(
        secrets, tenant_id=str(viewer.tenant_id), inbox_id=str(inbox_id), column=COLUMN
    )
    return SealedCredentials(sealed, key_id)


def _checks(outcome: CheckOutcome, provider: str) -> list[Check]:
    if outcome.report is None:
        sentence = SENTENCES.get(outcome.failure or "", "The check did not finish. Try again.")
        name = "imap" if provider == "imap" else "mailbox"
        return [Check(name=name, ok=False, detail="The check did not finish.", remedy=sentence)]
    return [
        Check(name=c.name, ok=True, detail=CHECKED[c.name], remedy=None)
        if c.failure is None
        else Check(name=c.name, ok=False, **_told(c.failure))
        for c in outcome.report.checks
    ]


def _told(failure: str) -> dict[str, str]:
    """A failure's sentence says what happened, then what to do."""
    sentence = SENTENCES.get(failure, "It did not work.")
    detail, dot, remedy = sentence.partition(". ")
    return {"detail": detail + dot.strip(), "remedy": remedy or sentence}


AT = "/v1/inboxes/{inbox_id}"
ENDPOINTS = (
    Endpoint("GET", "/v1/inboxes", list_all, Access.VIEWER, "Inboxes", response=PageOf[Inbox]),
    Endpoint(
        "POST",
        "/v1/inboxes",
        add,
        Access.ADMIN,
        "Connect an inbox",
        response=Inbox,
        status=201,
        body=NewInbox,
    ),
    Endpoint("GET", AT, read_one, Access.VIEWER, "One inbox", response=Inbox),
    Endpoint("PATCH", AT, change, Access.ADMIN, "Change an inbox", response=Inbox, body=ChangeInbox),
    Endpoint("POST", f"{AT}/test", test, Access.ADMIN, "Sign in to its servers", response=Checks),
    Endpoint("POST", f"{AT}/pause", pause, Access.ADMIN, "Stop syncing", response=Inbox),
    Endpoint("POST", f"{AT}/resume", resume, Access.ADMIN, "Sync again", response=Inbox),
)
