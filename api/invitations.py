"""The other end of an invitation: whoever has the link sets the password of the one person that it means, once."""

from starlette.responses import Response

from api.auth import Access
from api.endpoint import Call, Empty, Endpoint
from api.problems import Problem
from api.schemas.people import AcceptInvitation
from api.session import ATTEMPTS_OF_ADDRESS, keyed
from store.login_attempts import Bound, claim_attempt
from store.people_changes import accept_invitation


async def accept(call: Call[Empty, AcceptInvitation]) -> Response:
    """Counted by network address like a try to sign in. Hashing comes first, so that unknown links take as long as known ones.
    Dying after the commit leaves a password that stands; the link is used up, and the person signs in with it.
    """
    client = call.request.client
    bound = Bound(keyed(call.deps.config, "invitation", client.host if client else ""), ATTEMPTS_OF_ADDRESS)
    async with call.deps.database.system_unit_of_work() as connection:
        wait = await claim_attempt(connection, [bound])
    if wait > 0:
        raise Problem(429, f"Too many attempts. Try again in {wait / 60:.0f} minutes.", retry_after=int(wait) + 1)
    password_hash = await call.deps.passwords.hash(call.body.password)
    async with call.deps.database.system_unit_of_work() as connection:
        known = await accept_invitation(connection, call.body.token, password_hash)
    if not known:
        raise Problem(
            409, "This link was used, is older than three days, or was replaced. Ask an administrator for a new one.", name="link-over"
        )
    return Response(status_code=204, headers={"Cache-Control": "no-store"})


ENDPOINTS = (
    Endpoint(
        "POST",
        "/v1/invitations",
        accept,
        Access.PUBLIC,
        "Set a password by an invitation",
        status=204,
        body=AcceptInvitation,
        conflicts=("link-over",),
    ),
)
