"""What people change about themselves: name, password, signature, and whether they are there."""

from api.auth import Access
from api.endpoint import Call, Empty, Endpoint
from api.problems import FieldError, Problem, not_valid
from api.schemas.people import ChangeMe, Me, MyStatus, User
from api.session import ATTEMPTS_OF_ACCOUNT, keyed, me_of
from api.users import shape
from rules.signatures import clean_own_html
from store.addresses import address_key
from store.agent_status import choose_status
from store.login_attempts import Bound, claim_attempt, forgive
from store.people import get_profile
from store.people_changes import change_person, set_password
from store.reply_facts import set_own_signature
from store.sessions import find_account


async def change_me(call: Call[Empty, ChangeMe]) -> Me:
    """A password is changed under the same count as guesses at the door: a stolen session must not find it out."""
    who, body = call.who, call.body
    if who.user_id is None or who.session_id is None:
        raise _no_person()
    asked = body.model_fields_set
    if "password" in asked and body.password is not None:
        await _change_password(call, body.password)
    if body.signature_html is not None:
        async with call.deps.database.unit_of_work(who.tenant_id) as connection:
            html = clean_own_html(body.signature_html) or None
            await set_own_signature(connection, who.tenant_id, who.user_id, html)
    if "name" in asked:
        async with call.deps.database.unit_of_work(who.tenant_id) as connection:
            # One's own name needs no owner's leave.
            await change_person(connection, who.viewer, who.user_id, {"name": body.name.strip()}, by_owner=True)
            row = await get_profile(connection, who.tenant_id, who.user_id)
        if row is not None:
            return me_of(who, call.deps.config, name=row.name)
    return me_of(who, call.deps.config)


async def _change_password(call: Call[Empty, ChangeMe], password: str) -> None:
    who, deps = call.who, call.deps
    if who.user_id is None:
        raise _no_person()
    if call.body.current_password is None:
        raise not_valid(FieldError("current_password", "is needed to change the password"))
    key = keyed(deps.config, "account", address_key(who.email))
    async with deps.database.system_unit_of_work() as connection:
        wait = await claim_attempt(connection, [Bound(key, ATTEMPTS_OF_ACCOUNT)])
        account = await find_account(connection, who.email)
    if wait > 0:
        raise Problem(429, f"Too many attempts. Try again in {wait / 60:.0f} minutes.", retry_after=int(wait) + 1)
    right = await deps.passwords.check(account.password_hash if account else None, call.body.current_password)
    if not right:
        raise not_valid(FieldError("current_password", "is not your present password"))
    hashed = await deps.passwords.hash(password)
    async with deps.database.system_unit_of_work() as connection:
        await forgive(connection, key)
    async with deps.database.unit_of_work(who.tenant_id) as connection:
        await set_password(connection, who.tenant_id, who.user_id, hashed, keep_session=who.session_id)


async def set_status(call: Call[Empty, MyStatus]) -> User:
    who = call.who
    if who.user_id is None:
        raise _no_person()
    async with call.deps.database.unit_of_work(who.tenant_id) as connection:
        await choose_status(connection, who.viewer, who.user_id, call.body.status)
        row = await get_profile(connection, who.tenant_id, who.user_id)
    if row is None:
        raise _no_person()
    return User.model_validate(shape(row))


def _no_person() -> Problem:
    return Problem(422, "A key is no person. Sign in to change what is yours.")


ENDPOINTS = (
    Endpoint("PATCH", "/v1/me", change_me, Access.VIEWER, "Change one's own name or password", response=Me, body=ChangeMe),
    Endpoint("PUT", "/v1/me/status", set_status, Access.AGENT, "Say whether one is there", response=User, body=MyStatus),
)
