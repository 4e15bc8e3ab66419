"""`mailroom user …`: people who sign in. Works on the database itself, because the first one has nobody to ask."""

import asyncio
import json
import os
import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from api.passwords import LEAST_CHARACTERS
from commands.api_client import DEFAULT_DATA, fail
from commands.first_people import add_user, make_password, make_tenant, tenants
from settings import load_settings
from store.unit_of_work import Database

app = typer.Typer(no_args_is_help=True, help="People who sign in.")
ADDRESS = re.compile(r"[^\s@]+@[^\s@]+")
SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62})")


class Role(StrEnum):
    OWNER = "owner"
    ADMIN = "admin"
    AGENT = "agent"
    VIEWER = "viewer"


def database_url(data: Path) -> str:
    """From the running stack over `data`, else from the settings."""
    manifest = data / "stack.json"
    if "MAILROOM_DATABASE_URL" not in os.environ and manifest.exists():
        return str(json.loads(manifest.read_text())["database_url"])
    return load_settings().database_url


@app.command()
def add(
    email: Annotated[str, typer.Argument(help="Sign-in address.")],
    name: Annotated[
        str | None, typer.Option(help="Name that colleagues see; the address when left out.")
    ] = None,
    role: Annotated[Role, typer.Option(help="What the person may do.")] = Role.AGENT,
    tenant: Annotated[
        str | None, typer.Option(help="Slug of the tenant; needed when there are several.")
    ] = None,
    new_tenant: Annotated[
        str | None, typer.Option(help="Make this tenant (a name) and add the person to it.")
    ] = None,
    password: Annotated[
        str | None, typer.Option(envvar="MAILROOM_USER_PASSWORD", help="Made and printed once when left out.")
    ] = None,
    reset: Annotated[bool, typer.Option(help="If the address is known, give it this password.")] = False,
    data: Annotated[Path, typer.Option("--data", help="Data directory of the running stack.")] = DEFAULT_DATA,
) -> None:
    """Add a person, or give a known one a new password with --reset."""
    if not ADDRESS.fullmatch(email):
        raise fail(f"EMAIL: {email!r} is not an address; it looks like name@example.com.")
    if password is not None and len(password) < LEAST_CHARACTERS:
        raise fail(f"--password: at least {LEAST_CHARACTERS} characters.")
    given = password or make_password()
    made = asyncio.run(
        _add(database_url(data), email, name or email, role, tenant, new_tenant, given, reset=reset)
    )
    if not made and not reset:
        raise fail(f"EMAIL: {email} signs in here already; add --reset to give a new password.")
    typer.echo(f"{email} {'added' if made else 'has a new password'} ({role.value}).")
    if password is None:
        typer.echo(f"Password: {given}")


async def _add(
    url: str,
    email: str,
    name: str,
    role: Role,
    tenant: str | None,
    new_tenant: str | None,
    password: str,
    *,
    reset: bool,
) -> bool:
    database = Database(url, pool_size=1)
    try:
        known = await tenants(database)
        if new_tenant is not None:
            slug = re.sub(r"[^a-z0-9]+", "-", new_tenant.lower()).strip("-") or "tenant"
            if not SLUG.fullmatch(slug):
                raise fail("--new-tenant: use at most 63 letters and digits.")
            tenant_id = await make_tenant(database, name=new_tenant, slug=slug)
        elif tenant is not None:
            if tenant not in known:
                raise fail(f"--tenant: {tenant!r} is not one of {', '.join(sorted(known)) or 'none'}.")
            tenant_id = known[tenant]
        elif len(known) == 1:
            tenant_id = next(iter(known.values()))
        else:
            raise fail(
                "--tenant: name one of " + ", ".join(sorted(known))
                if known
                else "There is no tenant yet: add --new-tenant NAME."
            )
        return await add_user(
            database, tenant_id, email=email, name=name, role=role.value, password=password, reset=reset
        )
    finally:
        await database.close()
