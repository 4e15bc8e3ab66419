"""One message: read it, see it as its sender designed it, get its raw bytes, decide about its way out."""

from collections.abc import Awaitable, Callable
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.responses import Response

from api import rendering
from api.auth import Access
from api.downloads import raw_mail
from api.endpoint import Call, Empty, Endpoint
from api.mail_frames import Frame
from api.problems import Problem, not_found
from api.schemas.messages import FrameQuery, Html, ImagesQuery, Message, Resolve, Timeline
from api.timeline import shown_timeline
from store.messages_view import get_message, html_of, raw_of
from store.outbound import cancel_message, resolve_message, retry_message
from store.spam_release import bring_in


async def read_one(call: Call[Empty, None]) -> Message:
    async with call.deps.database.unit_of_work(call.who.tenant_id) as connection:
        return await _shown(connection, call)


async def html(call: Call[ImagesQuery, None]) -> Html:
    frame = await _frame(call, images=call.query.images == "1", part="all")
    return Html(document=frame.document, quoted=frame.quoted, remote_blocked=frame.remote_blocked)


async def frame(call: Call[FrameQuery, None]) -> Response:
    """The same document for the `src` of an iframe: here the policy stands in a header, out of the mail's reach."""
    made = await _frame(call, images=call.query.images == "1", part=call.query.part)
    return Response(
        made.document,
        media_type="text/html",
        headers={
            "Content-Security-Policy": call.deps.frames.policy,
            "X-Frame-Options": "SAMEORIGIN",
            "Cache-Control": "private, no-store",
            "X-Mailroom-Remote-Blocked": str(made.remote_blocked),
        },
    )


async def raw(call: Call[Empty, None]) -> Response:
    message_id = call.id("message_id")
    async with call.deps.database.unit_of_work(call.who.tenant_id) as connection:
        place = await raw_of(connection, call.who.viewer, message_id)
    if place is None:
        raise not_found()
    return await raw_mail(call.deps.blobs, place, f"{message_id}.eml")


async def cancel(call: Call[Empty, None]) -> Message:
    """The row is cancelled, which alone decides: the workflow reads it before it submits. It is told so that it ends now."""

    async def decide(connection: AsyncConnection) -> bool:
        return await cancel_message(
            connection,
            tenant_id=call.who.tenant_id,
            message_id=call.id("message_id"),
            actor=call.who.viewer.actor,
            now=call.now(),
        )

    message = await _decide(
        call, decide, "It is too late: this message has left, or has been cancelled already.", "too-late"
    )
    await call.deps.gateway.cancel_send(message.id)
    return message


async def not_spam(call: Call[Empty, None]) -> Message:
    """A mail that was judged spam becomes a conversation. Done already, in another window or before: the same answer."""
    message_id = call.id("message_id")
    async with call.deps.database.unit_of_work(call.who.tenant_id) as connection:
        before = await _shown(connection, call)
        if before.conversation_id is None:
            brought = await bring_in(connection, call.who.tenant_id, message_id, actor=call.who.viewer.actor)
            if brought is None:
                raise Problem(409, "This message was not judged spam.", name="not-spam")
        return await _shown(connection, call)


async def retry(call: Call[Empty, None]) -> Message:
    async def decide(connection: AsyncConnection) -> bool:
        return await retry_message(
            connection,
            tenant_id=call.who.tenant_id,
            message_id=call.id("message_id"),
            actor=call.who.viewer.actor,
            now=call.now(),
        )

    message = await _decide(call, decide, "Only a message that has failed can be tried again.", "not-failed")
    await call.deps.gateway.start_send(str(call.who.tenant_id), message.inbox_id, message.id)
    return message


async def resolve(call: Call[Empty, Resolve]) -> Message:
    async def decide(connection: AsyncConnection) -> bool:
        return await resolve_message(
            connection,
            tenant_id=call.who.tenant_id,
            message_id=call.id("message_id"),
            outcome=call.body.outcome,
            actor=call.who.viewer.actor,
            now=call.now(),
        )

    message = await _decide(
        call, decide, "Only a message whose outcome is unknown can be settled by hand.", "not-unknown"
    )
    # Also one that was sent: Sent may lack its copy.
    await call.deps.gateway.start_send(str(call.who.tenant_id), message.inbox_id, message.id)
    return message


async def timeline(call: Call[Empty, None]) -> Timeline:
    return await shown_timeline(call, call.id("message_id"))


async def _decide(
    call: Call[Any, Any], decide: Callable[[AsyncConnection], Awaitable[bool]], refusal: str, name: str
) -> Message:
    """One decision of a person: 404 when the message is not theirs to see, 409 when it is not open to it."""
    async with call.deps.database.unit_of_work(call.who.tenant_id) as connection:
        await _shown(connection, call)
        if not await decide(connection):
            raise Problem(409, refusal, name=name)
        return await _shown(connection, call)


async def _shown(connection: AsyncConnection, call: Call[Any, Any]) -> Message:
    row = await get_message(connection, call.who.viewer, call.id("message_id"))
    if row is None:
        raise not_found()
    return rendering.message(row, call.now())


async def _frame(call: Call[ImagesQuery, None] | Call[FrameQuery, None], *, images: bool, part: str) -> Frame:
    who = call.who
    async with call.deps.database.unit_of_work(who.tenant_id) as connection:
        mail = await html_of(connection, who.viewer, call.id("message_id"))
    if mail is None:
        raise not_found()
    return await call.deps.frames.make(who.tenant_id, mail, images=images, part=part)


AT = "/v1/messages/{message_id}"
ENDPOINTS = (
    Endpoint("GET", AT, read_one, Access.VIEWER, "One message", response=Message),
    Endpoint(
        "GET",
        f"{AT}/html",
        html,
        Access.VIEWER,
        "Its HTML as a safe document",
        response=Html,
        query=ImagesQuery,
    ),
    Endpoint(
        "GET",
        f"{AT}/frame",
        frame,
        Access.VIEWER,
        "The same for a frame's src",
        query=FrameQuery,
        media_type="text/html",
    ),
    Endpoint("GET", f"{AT}/raw", raw, Access.VIEWER, "The raw mail", media_type="message/rfc822"),
    Endpoint(
        "POST",
        f"{AT}/cancel",
        cancel,
        Access.AGENT,
        "Take it back",
        response=Message,
        conflicts=("too-late",),
    ),
    Endpoint(
        "POST", f"{AT}/retry", retry, Access.AGENT, "Try again", response=Message, conflicts=("not-failed",)
    ),
    Endpoint(
        "POST",
        f"{AT}/resolve",
        resolve,
        Access.AGENT,
        "Settle an unknown outcome",
        response=Message,
        body=Resolve,
        conflicts=("not-unknown",),
    ),
    Endpoint(
        "POST",
        f"{AT}/not-spam",
        not_spam,
        Access.AGENT,
        "It is no spam: bring it in",
        response=Message,
        conflicts=("not-spam",),
    ),
    Endpoint("GET", f"{AT}/timeline", timeline, Access.VIEWER, "Every step of it", response=Timeline),
)
