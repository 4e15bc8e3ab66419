"""Rotation beside people and workers who go on: no request fails, every row opens at every moment, and twice is once."""

import asyncio
import dataclasses
import json
import uuid
from base64 import b64encode
from typing import Any

import pytest
from typer.testing import CliRunner

from activities.accounts import Accounts
from api.inboxes import COLUMN
from cli import app
from commands import keys
from commands.keys import rotate_all
from settings import Settings, load_settings
from store.key_rotation import Rotated, check_ring, count_by_key
from store.sealing import CredentialsUnreadable, Sealer
from store.unit_of_work import Database
from tests.api.world import World, make_world, new_inbox
from worker import refuse_unsafe_rows

OLD, NEW = b"k" * 32, b"n" * 32
BOTH = Sealer({"k2": NEW, "k1": OLD})


@pytest.fixture
async def alone(database, deps):
    """A world in a database of its own, since rotation goes through all tenants."""
    house = Database(database.url, pool_size=8)
    made = await make_world(dataclasses.replace(deps, database=house), mail=False)
    yield made
    await house.close()


async def inboxes_of(world: World, number: int, sealer: Sealer | None = None) -> list[str]:
    """That many more inboxes, sealed by the world's own sealer or another."""
    made = []
    for n in range(number):
        own = uuid.uuid4()
        secrets = {"imap": {"secret": f"secret {n}"}, "smtp": {"secret": f"secret {n}"}}
        sealed, key_id = (sealer or world.deps.sealer).seal(
            secrets, tenant_id=str(world.tenant_id), inbox_id=str(own), column=COLUMN
        )
        await world.insert(
            "inboxes", id=own, name=f"n{n}", email_address=f"n{n}@example.org", health="ok",
            settings={"imap": SERVER, "smtp": SERVER}, credentials_sealed=sealed, credentials_key_id=key_id,
        )  # fmt: skip
        made.append(str(own))
    return made


SERVER = {k: v for k, v in dict(new_inbox())["imap"].items() if k != "password"}


async def keys_of(world: World) -> dict[str, int]:
    async with world.database.system_unit_of_work() as connection:
        return {c.key_id: c.rows for c in await count_by_key(connection)}


async def opened(world: World, inbox_id: str, sealer: Sealer = BOTH) -> Any:
    accounts = Accounts(world.database, sealer)
    return accounts.imap(await accounts.inbox(str(world.tenant_id), inbox_id)).secret.reveal()


async def test_two_hundred_readers_and_writers_notice_nothing(alone) -> None:
    inboxes = await inboxes_of(alone, 40)
    world = dataclasses.replace(alone, deps=dataclasses.replace(alone.deps, sealer=BOTH))
    async with world.client("admin") as client:

        async def change(n: int) -> None:
            own = inboxes[n % 20]  # what is written anew is under the new key by that: the other half is left to the rotation
            answer = await client.patch(f"/v1/inboxes/{own}", json={"imap": {**SERVER, "password": f"changed {n}"}})
            assert answer.status_code == 200, answer.text

        async def read(n: int) -> None:
            assert (await opened(world, inboxes[n % len(inboxes)])).startswith(("secret", "changed"))

        everything = [change(n) if n % 3 == 0 else read(n) for n in range(200)]
        told: list[tuple[int, int]] = []
        outcome, *_ = await asyncio.gather(
            rotate_all(world.database, BOTH, batch=5, tell=lambda *d: told.append(d)), *everything
        )
    assert (outcome.unreadable, outcome.left) == ((), 0)
    assert told
    assert await keys_of(world) == {"k2": 40}
    for own in inboxes:
        assert (await opened(world, own, Sealer({"k2": NEW}))).startswith(("secret", "changed"))


async def test_dying_in_the_middle_leaves_every_row_readable(alone, monkeypatch) -> None:
    inboxes = await inboxes_of(alone, 12)
    real, calls = keys.rotate_batch, 0

    async def dying(*args: Any) -> Rotated:
        nonlocal calls
        calls += 1
        result = await real(*args)
        if calls == 3:
            raise KeyboardInterrupt  # sealed anew, not committed
        return result

    monkeypatch.setattr(keys, "rotate_batch", dying)
    with pytest.raises(KeyboardInterrupt):
        await rotate_all(alone.database, BOTH, batch=3)
    monkeypatch.setattr(keys, "rotate_batch", real)
    assert await keys_of(alone) == {"k1": 6, "k2": 6}
    assert [await opened(alone, own) for own in inboxes] == [f"secret {n}" for n in range(12)]
    assert (await rotate_all(alone.database, BOTH)).rotated == 6
    again = await rotate_all(alone.database, BOTH)
    assert (again.rotated, again.left) == (0, 0)
    assert [await opened(alone, own, Sealer({"k2": NEW})) for own in inboxes] == [f"secret {n}" for n in range(12)]


async def test_two_rotations_at_once_share_the_work(alone) -> None:
    await inboxes_of(alone, 30)
    one, two = await asyncio.gather(*(rotate_all(alone.database, BOTH, batch=4) for _ in range(2)))
    assert one.rotated + two.rotated == 30
    assert await keys_of(alone) == {"k2": 30}


async def test_a_row_that_is_being_written_is_waited_for_without_holding_anybody(alone) -> None:
    held, *_ = await inboxes_of(alone, 4)
    async with alone.database.unit_of_work(alone.tenant_id) as connection:
        await connection.exec_driver_sql("select 1 from inboxes where id = %s for update", (uuid.UUID(held),))
        rotating = asyncio.create_task(rotate_all(alone.database, BOTH))
        async with asyncio.timeout(5):
            while await keys_of(alone) != {"k1": 1, "k2": 3}:  # noqa: ASYNC110  # rows announce nothing
                await asyncio.sleep(0.02)
    assert (await rotating).left == 0


async def test_a_copied_value_does_not_open_and_is_told(alone) -> None:
    """X-50: somebody who may write rows still cannot use another row's or tenant's mailbox."""
    thief, victim, _ = await inboxes_of(alone, 3)
    await alone.rows(
        "update inboxes set credentials_sealed = (select credentials_sealed from inboxes where id = :v) where id = :t",
        v=uuid.UUID(victim), t=uuid.UUID(thief),
    )  # fmt: skip
    with pytest.raises(CredentialsUnreadable):
        await opened(alone, thief)
    outcome = await rotate_all(alone.database, BOTH)
    assert (outcome.rotated, outcome.left, [str(p.id) for p in outcome.unreadable]) == (2, 1, [thief])


async def test_the_ring_is_compared_with_the_rows(alone) -> None:
    await inboxes_of(alone, 3)
    await inboxes_of(alone, 2, Sealer({"k0": NEW}))

    async def troubles(ring: dict[str, bytes], *lost: str) -> set[tuple[str, int, str]]:
        async with alone.database.system_unit_of_work() as connection:
            return {(t.key_id, t.rows, t.what) for t in await check_ring(connection, Sealer(ring), lost)}

    assert await troubles({"k1": OLD, "k0": NEW}) == set()
    assert await troubles({"k1": OLD}) == {("k0", 2, "missing")}
    assert await troubles({"k1": OLD}, "k0") == set()
    assert await troubles({"k1": NEW, "k0": OLD}) == {("k1", 3, "wrong"), ("k0", 2, "wrong")}


async def test_a_worker_does_not_start_with_a_ring_that_opens_nothing(alone) -> None:
    """It would tell every mailbox that its password is wrong. A key that is declared lost stops nobody."""
    await inboxes_of(alone, 3)
    with pytest.raises(SystemExit, match=r"key k1 is missing, 3 rows .*docs/keys\.md"):
        await refuse_unsafe_rows(alone.database, Sealer({"k2": NEW}), ())
    with pytest.raises(SystemExit, match="key k1 is wrong"):
        await refuse_unsafe_rows(alone.database, Sealer({"k1": NEW}), ())
    await refuse_unsafe_rows(alone.database, Sealer({"k2": NEW}), ("k1",))
    await refuse_unsafe_rows(alone.database, BOTH, ())


async def test_the_commands_list_and_rotate(alone, database, environment) -> None:
    await inboxes_of(alone, 3)
    run = CliRunner(env={"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb", **environment("k2", "k1")})

    async def said(*words: str) -> tuple[int, str]:
        result = await asyncio.to_thread(run.invoke, app, ["keys", *words])
        assert not isinstance(result.exception, Exception), result.exception
        return result.exit_code, " ".join(result.output.split())

    code, words = await said("list")
    assert (code, "k2 yes 0 seals k1 yes 3 opens" in words) == (0, True), words
    code, words = await said("drop", "k2")
    assert code == 1
    code, words = await said("rotate")
    assert (code, "3 rows sealed anew with k2; 0 left" in words) == (0, True), words
    code, words = await said("list")
    assert "k2 yes 3 seals k1 yes 0 may go" in words
    run.env |= environment("k1")
    code, words = await said("list")
    assert (code, "k2 no 3 is missing" in words) == (2, True), words
    assert json.dumps(words).count("bm5u") == 0  # no key is ever shown


@pytest.fixture
def environment(database, monkeypatch):
    """Settings for a ring of these keys."""
    ring = {"k1": b64encode(OLD).decode(), "k2": b64encode(NEW).decode()}

    def given(*ids: str) -> dict[str, str]:
        load_settings.cache_clear()
        secret = "x" * 40
        return {
            "MAILROOM_DATABASE_URL": database.url, "MAILROOM_S3_ACCESS_KEY": "a", "MAILROOM_S3_SECRET_KEY": "b",
            "MAILROOM_CREDENTIAL_KEYS": ",".join(f"{k}:{ring[k]}" for k in ids), "MAILROOM_SESSION_SECRET": secret,
            "MAILROOM_TOKEN_SECRET": secret,
        }  # fmt: skip

    for name in Settings.model_fields:
        monkeypatch.delenv(f"MAILROOM_{name.upper()}", raising=False)
    yield given
    load_settings.cache_clear()
