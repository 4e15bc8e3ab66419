"""Agents of a running Mailroom, each in a browser of their own."""

import contextlib
import os
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from playwright.async_api import Browser

from tests.journeys.browser import Seat, seat
from tests.journeys.driver import Mailroom

PASSWORD = "a long enough passphrase"
# Between the server's answer and what stands on the screen a colleague may have been faster: such refusals are the point of a test.
REFUSED = "409 (Conflict)"


async def agent(mailroom: Mailroom, name: str, **profile: Any) -> dict[str, Any]:
    """A new person of the team with that first name; `email` and `id` are theirs."""
    email = f"{name.lower()}-{uuid.uuid4().hex[:8]}@mailroom.example.com"
    form = {"email": email, "name": f"{name} Example", "role": "agent", "password": PASSWORD, **profile}
    made: dict[str, Any] = await mailroom.post("/v1/users", form, status=201)
    return {**made, "email": email}


@contextlib.asynccontextmanager
async def at_the_desk(mailroom: Mailroom, browser: Browser, person: dict[str, Any]) -> AsyncIterator[Seat]:
    """The person, signed in, looking at the list. At the end nothing may have complained but about refusals."""
    async with seat(browser, mailroom.stack["web_url"]) as one:
        await one.sign_in(person["email"], PASSWORD)
        yield one
        assert one.grumbles(REFUSED) == []


async def picture(one: Seat, name: str) -> None:
    """What the person sees, into the folder of `MAILROOM_TEST_PICTURES`."""
    if folder := os.environ.get("MAILROOM_TEST_PICTURES"):
        await one.page.screenshot(path=Path(folder) / f"{name}.png")
