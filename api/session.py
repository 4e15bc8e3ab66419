"""Signing in and out of the web client. Every sign-in makes a new token; the one the browser sent before ends."""

import hashlib
import hmac

from starlette.responses import JSONResponse, Response

from api.auth import Access, Principal
from api.deps import ApiConfig
from api.endpoint import Call, Empty, Endpoint
from api.problems import Problem
from api.schemas.people import Me, SignIn
from store.addresses import address_key
from store.login_attempts import Bound, claim_attempt, forgive
from store.sessions import close_session, find_account, find_session, note_use, open_session

ATTEMPTS_OF_ACCOUNT = 10  # integrity X-36, in 15 minutes
ATTEMPTS_OF_ADDRESS = 100


async def sign_in(call: Call[Empty, SignIn]) -> Response:
    """Counted before the password is looked at. An unknown address takes as long as a wrong password."""
    config, database = call.deps.config, call.deps.database
    account_key = keyed(config, "account", address_key(call.body.email))
    client = call.request.client
    bounds = [
        Bound(account_key, ATTEMPTS_OF_ACCOUNT),
        Bound(keyed(config, "network", client.host if client else ""), ATTEMPTS_OF_ADDRESS),
    ]
    async with database.system_unit_of_work() as connection:
        wait = await claim_attempt(connection, bounds)
        account = await find_account(connection, call.body.email)
    if wait > 0:
        raise Problem(
            429,
            f"Too many attempts to sign in. Try again in {wait / 60:.0f} minutes.",
            retry_after=int(wait) + 1,
        )
    right = await call.deps.passwords.check(account.password_hash if account else None, call.body.password)
    if not right or account is None:
        raise Problem(
            401,
            "Email and password do not match. Check both; passwords distinguish capitals.",
            name="wrong-password",
        )
    before = call.request.cookies.get(config.cookie_name)
    async with database.system_unit_of_work() as connection:
        await forgive(connection, account_key)
        token = await open_session(connection, account, days=config.session_days, replaces=before)
        found = await find_session(connection, token)
        if found is not None and found.to_note:
            await note_use(connection, found)
    if found is None:  # the person was removed between the two transactions
        raise Problem(401, "This account has been closed.", name="wrong-password")
    who = Principal(
        found.tenant_id,
        found.tenant_name,
        Access.VIEWER,
        found.role,
        found.name,
        "",
        found.user_id,
        found.email,
        found.status,
        found.session_id,
    )
    response = JSONResponse(me_of(who, config).model_dump(mode="json"), headers={"Cache-Control": "no-store"})
    response.set_cookie(
        config.cookie_name,
        token,
        max_age=config.session_days * 86_400,
        path="/",
        httponly=True,
        secure=config.secure,
        samesite="lax",
    )
    return response


async def current(call: Call[Empty, None]) -> Me:
    return me_of(call.who, call.deps.config)


async def sign_out(call: Call[Empty, None]) -> Response:
    config = call.deps.config
    token = call.request.cookies.get(config.cookie_name)
    if token:
        async with call.deps.database.system_unit_of_work() as connection:
            await close_session(connection, token)
    response = Response(status_code=204, headers={"Cache-Control": "no-store"})
    response.delete_cookie(config.cookie_name, path="/", httponly=True, secure=config.secure, samesite="lax")
    return response


def keyed(config: ApiConfig, kind: str, value: str) -> bytes:
    """Keyed, so that the table does not tell who tried to sign in."""
    return hmac.new(config.session_secret, f"{kind}|{value}".encode(), hashlib.sha256).digest()


def me_of(who: Principal, config: ApiConfig, *, name: str | None = None) -> Me:
    """`name` is newer than what the caller was found by."""
    return Me.model_validate(
        {
            "user": {
                "id": str(who.user_id) if who.user_id else None,
                "email": who.email,
                "name": who.name if name is None else name,
                "role": who.role,
                "status": who.status,
            },
            "tenant": {"id": str(who.tenant_id), "name": who.tenant_name},
            "links": {"temporal_ui": config.temporal_ui_url},
            "limits": {
                "file_bytes": config.file_bytes,
                "files": config.files,
                "message_bytes": config.message_bytes,
            },
        }
    )


ENDPOINTS = (
    Endpoint("POST", "/v1/session", sign_in, Access.PUBLIC, "Sign in", response=Me, body=SignIn),
    Endpoint("GET", "/v1/session", current, Access.VIEWER, "Who is signed in", response=Me),
    Endpoint("DELETE", "/v1/session", sign_out, Access.PUBLIC, "Sign out", status=204),
)
