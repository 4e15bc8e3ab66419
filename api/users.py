"""The people of the team. Everybody signed in may see who is there, since work is assigned by name."""

from api.auth import Access
from api.endpoint import Call, Empty, Endpoint
from api.problems import FieldError, Problem, not_valid
from api.schemas.base import PageOf
from api.schemas.people import NewUser, User
from store.people import AddressTaken, add_person, list_people


async def list_users(call: Call[Empty, None]) -> PageOf[User]:
    who = call.who
    async with call.deps.database.unit_of_work(who.tenant_id) as connection:
        rows = await list_people(connection, who.tenant_id)
    return PageOf[User](
        items=[
            User.model_validate({"id": str(r.id), "email": r.email, "name": r.name, "role": r.role})
            for r in rows
        ]
    )


async def add_user(call: Call[Empty, NewUser]) -> User:
    who, new = call.who, call.body
    if new.role == "owner" and who.role != "owner":
        raise Problem(403, "Only an owner can make another owner.")
    password_hash = await call.deps.passwords.hash(new.password)
    try:
        async with call.deps.database.unit_of_work(who.tenant_id) as connection:
            made = await add_person(
                connection,
                who.tenant_id,
                email=new.email,
                name=new.name.strip(),
                role=new.role,
                password_hash=password_hash,
            )
    except AddressTaken:
        raise not_valid(FieldError("email", "is already used to sign in here; choose another one")) from None
    return User.model_validate(
        {"id": str(made.id), "email": made.email, "name": made.name, "role": made.role}
    )


ENDPOINTS = (
    Endpoint("GET", "/v1/users", list_users, Access.VIEWER, "The people of the team", response=PageOf[User]),
    Endpoint(
        "POST", "/v1/users", add_user, Access.ADMIN, "Add a person", response=User, status=201, body=NewUser
    ),
)
