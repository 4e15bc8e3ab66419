"""Files on their way into a reply: by the page's own origin, and by a presigned address of a real bucket."""

import hashlib
import uuid

import httpx
import pytest

from api.app import Bucket
from providers.s3.blobs import BlobStore
from tests.api.stand_ins import make_deps
from tests.api.world import World, make_world


async def put_by(world: World, who: str, data: bytes, **announced: object) -> httpx.Response:
    async with world.client(who) as client:
        slot = await client.post(
            "/v1/uploads",
            json={"filename": "a.txt", "content_type": "text/plain", "size_bytes": len(data)} | announced,
        )
        assert slot.status_code == 201, slot.text
        put = await client.put(slot.json()["put_url"], content=data, headers=slot.json()["headers"])
        if put.status_code != 204:
            return put
        return await client.post(f"/v1/uploads/{slot.json()['id']}/complete")


async def test_a_browser_puts_the_bytes_here_and_they_lie_under_their_hash(world) -> None:
    done = await put_by(world, "agent", b"hello", filename="..\\..\\\u202egpj.exe\u0000"[:-1])
    assert done.status_code == 200
    key = f"att/{world.tenant_id}/{hashlib.sha256(b'hello').hexdigest()}"
    assert world.blobs.objects[key] == b"hello"
    (row,) = await world.rows("select * from uploads")
    assert row["storage_key"] == key
    assert row["filename"] == done.json()["filename"] == "gpj.exe"
    async with world.client("agent") as client:
        assert (await client.post(f"/v1/uploads/{row['id']}/complete")).json() == done.json(), "twice is once"
        late = await client.put(f"/v1/uploads/{row['id']}/content", content=b"other")
        assert (late.status_code, late.json()["type"]) == (409, "/problems/upload-complete")
        sent = await client.post(
            f"/v1/conversations/{world.ids['conversation']}/messages",
            json={"text": "See the file.", "seen_version": 99, "attachments": [str(row["id"])]},
        )
    assert [a["filename"] for a in sent.json()["attachments"]] == ["gpj.exe"]


@pytest.mark.parametrize(("data", "status"), [(b"hell", 422), (b"hello!", 413)])
async def test_more_or_less_than_announced_is_refused(world, data, status) -> None:
    answer = await put_by(world, "agent", data, size_bytes=5)
    assert answer.status_code == status


async def test_too_large_is_refused_before_a_byte_moves(world) -> None:
    async with world.client("agent") as client:
        answer = await client.post("/v1/uploads", json={"filename": "a", "size_bytes": 26214401})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "size_bytes")


async def test_an_upload_is_its_own_persons(world) -> None:
    async with world.client("agent") as agent, world.client("admin") as admin:
        slot = (await agent.post("/v1/uploads", json={"filename": "a", "size_bytes": 1})).json()
        assert (await admin.put(f"/v1/uploads/{slot['id']}/content", content=b"a")).status_code == 404
        early = await agent.post(f"/v1/uploads/{slot['id']}/complete")
        assert (early.status_code, early.json()["type"]) == (409, "/problems/upload-missing")


async def test_a_type_that_is_none_is_sent_as_octets(world) -> None:
    async with world.client("agent") as client:
        slot = (
            await client.post(
                "/v1/uploads", json={"filename": "a", "content_type": "x\r\ny: z", "size_bytes": 1}
            )
        ).json()
    assert slot["headers"]["Content-Type"] == "application/octet-stream"


async def test_a_program_puts_into_the_bucket_itself(house, module_database, s3_server) -> None:
    store = BlobStore(
        s3_server.endpoint, s3_server.bucket, s3_server.access_key, s3_server.secret_key, s3_server.region
    )
    deps = make_deps(house, module_database.url, blobs=Bucket(store))
    world = await make_world(deps, mail=False)
    data = uuid.uuid4().bytes * 1000
    async with world.client("key:write") as program, httpx.AsyncClient(trust_env=False) as outside:
        slot = (await program.post("/v1/uploads", json={"filename": "a.bin", "size_bytes": len(data)})).json()
        assert slot["put_url"].startswith(s3_server.endpoint)
        assert (await outside.put(slot["put_url"], content=data, headers=slot["headers"])).status_code == 200
        assert (await program.post(f"/v1/uploads/{slot['id']}/complete")).status_code == 200
        conversation = await world.conversation(1)
        message = await world.message(conversation)
        (row,) = await world.rows("select storage_key, sha256 from uploads")
        attachment = await world.insert(
            "attachments", message_id=message, filename="a b.bin", content_type="text/html", size_bytes=len(data),
            sha256=row["sha256"], storage_key=row["storage_key"],
        )  # fmt: skip
        link = await program.get(f"/v1/attachments/{attachment}/download")
        got = await outside.get(link.headers["location"])
    assert got.content == data
    assert got.headers["content-type"] == "application/octet-stream"
    assert got.headers["content-disposition"].startswith("attachment")
    store.close()
