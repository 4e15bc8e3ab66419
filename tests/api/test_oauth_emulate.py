"""Connecting mailboxes through the API against `emulate`: what a browser is sent to, agrees to and comes back with, as others read it.

What the two services do otherwise than documented is listed in `tests/providers/oauth/test_emulate.py`.
"""

import asyncio
import dataclasses
from ipaddress import ip_network
from typing import Any

import pytest

from api.app import SignIns
from providers.egress import EgressPolicy
from providers.oauth.application import Application, google, microsoft
from providers.oauth.signing_in import SigningIn
from providers.secret import Secret
from store.oauth_grants import COLUMN
from tests.api.world import World
from tests.servers.emulate import ADDRESS, ALSO_BACK, CLIENT_ID, CLIENT_SECRET, Emulate, agree, needs_emulate

pytestmark = [pytest.mark.emulate, needs_emulate]

START = "/v1/inboxes/oauth/start"
LOCAL = EgressPolicy(allow=(ip_network("127.0.0.0/8"), ip_network("::1/128")), check_ports=False)


@pytest.fixture
def applications(emulated_google: Emulate, emulated_microsoft: Emulate) -> dict[str, Application]:
    there, here = emulated_google.url, emulated_microsoft.url
    return {
        "gmail": dataclasses.replace(
            google(CLIENT_ID, Secret(CLIENT_SECRET), root=there), token_url=f"{there}oauth2/token",
            profile_url=f"{there}oauth2/v2/userinfo", address_fields=("email",),
        ),
        "graph": dataclasses.replace(
            microsoft(CLIENT_ID, Secret(CLIENT_SECRET), root=here, graph=f"{here}v1.0/"),
            authorise_url=f"{here}oauth2/v2.0/authorize", token_url=f"{here}oauth2/v2.0/token",
        ),
    }  # fmt: skip


@pytest.fixture
def deps(deps: Any, applications: dict[str, Application]) -> Any:
    assert f"{deps.config.public_url}/oauth/callback" == ALSO_BACK
    return dataclasses.replace(deps, consents=SignIns(SigningIn(LOCAL), applications))


async def begun(world: World, provider: str, address: str = ADDRESS, **more: Any) -> str:
    async with world.client("admin") as client:
        answer = await client.post(START, json={"provider": provider, "email_address": address, **more})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["url"])


async def came_back(world: World, query: dict[str, str]) -> str:
    async with world.client("admin") as client:
        answer = await client.get("/oauth/callback", params=query)
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


@pytest.mark.parametrize("provider", ["gmail", "graph"])
async def test_a_person_connects_a_mailbox_and_connects_it_again(
    world: World, provider: str, applications: dict[str, Application]
) -> None:
    query = await asyncio.to_thread(agree, await begun(world, provider, name="Team"))
    place = await came_back(world, query)
    (inbox,) = await world.rows("select * from inboxes where email_address = :a and provider = :p", a=ADDRESS, p=provider)
    assert place == f"/inboxes/{inbox['id']}"
    assert (inbox["name"], inbox["health"]) == ("Team", "ok")
    assert await came_back(world, query) == "/inboxes?oauth_error=state_used"
    again = await asyncio.to_thread(agree, await begun(world, provider, inbox_id=str(inbox["id"])))
    assert await came_back(world, again) == place
    (grant,) = await world.rows("select * from oauth_grants where inbox_id = :i", i=inbox["id"])
    tokens = world.deps.sealer.open(
        bytes(grant["tokens_sealed"]), grant["tokens_key_id"], tenant_id=str(world.tenant_id), inbox_id=str(inbox["id"]), column=COLUMN
    )
    renewed = await SigningIn(LOCAL).refresh(applications[provider], Secret(tokens["refresh"]))
    assert renewed.access.reveal() != tokens["access"]


@pytest.mark.parametrize("provider", ["gmail", "graph"])
async def test_another_account_than_the_expected_one_connects_nothing(world: World, provider: str) -> None:
    """The page of consent offers all accounts; here the person takes one that was not meant."""
    address = f"somebody-{provider}@example.com"
    query = await asyncio.to_thread(agree, await begun(world, provider, address))
    assert (await came_back(world, query)).startswith("/inboxes?oauth_error=")
    assert await world.rows("select 1 from inboxes where email_address = :a and connected_at is not null", a=address) == []
