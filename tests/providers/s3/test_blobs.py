"""Objects and links against a real S3 server, which checks signatures and expiry."""

import datetime as dt
import hashlib
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import pytest_asyncio

from providers.errors import AuthFailed, Refused, Unreachable
from providers.s3.blobs import BlobInfo, BlobMissing, BlobStore
from providers.secret import Secret


@pytest_asyncio.fixture(loop_scope="session")
async def blobs(s3_server: Any) -> AsyncIterator[BlobStore]:
    store = BlobStore(
        s3_server.endpoint,
        s3_server.bucket,
        s3_server.access_key,
        Secret(s3_server.secret_key),
        s3_server.region,
    )
    yield store
    store.close()


@pytest.fixture
def key() -> str:
    return f"providers/{uuid.uuid4()}"


async def test_put_get_head_delete(blobs: BlobStore, key: str) -> None:
    data = bytes(range(256)) * 100
    digest = hashlib.sha256(data).hexdigest()
    assert not await blobs.exists(key)
    assert await blobs.head(key) is None
    etag = await blobs.put(key, data, "message/rfc822", sha256=digest)
    assert await blobs.put(key, data, "message/rfc822", sha256=digest) == etag
    info = await blobs.head(key)
    assert info is not None
    assert info.modified is not None
    assert abs(dt.datetime.now(dt.UTC) - info.modified) < dt.timedelta(hours=1)
    assert info == BlobInfo(len(data), etag, digest, "message/rfc822", info.modified)
    assert await blobs.get(key) == data
    assert await blobs.get(key, 100, 50) == data[100:150]
    assert await blobs.get(key, 100, 0) == b""
    await blobs.delete([key, key + "-never-was"])
    await blobs.delete([key])
    with pytest.raises(BlobMissing):
        await blobs.get(key)
    await blobs.delete([])


async def test_ranges_that_are_not_there(blobs: BlobStore, key: str) -> None:
    await blobs.put(key, b"0123456789")
    for offset, length in ((5, 20), (50, 5)):
        with pytest.raises(Refused) as caught:
            await blobs.get(key, offset, length)
        assert caught.value.reason == "range_unavailable"
    with pytest.raises(ValueError, match="together"):
        await blobs.get(key, 5)


async def test_bucket(blobs: BlobStore, s3_server: Any) -> None:
    await blobs.ensure_bucket()
    await blobs.ping()
    other = BlobStore(**_arguments(s3_server) | {"bucket": f"test-{uuid.uuid4().hex[:10]}"})
    with pytest.raises(BlobMissing):
        await other.ping()
    await other.ensure_bucket()
    await other.ensure_bucket()
    await other.ping()
    await other.put("x", b"private")
    async with httpx.AsyncClient() as client:
        answer = await client.get(f"{s3_server.endpoint}/{other.bucket}/x")
    assert answer.status_code == 403
    other.close()


async def test_wrong_keys_and_no_server(s3_server: Any, closed_port: int) -> None:
    wrong = BlobStore(**_arguments(s3_server) | {"secret_key": Secret("wrong")})
    with pytest.raises(AuthFailed) as caught:
        await wrong.put("x", b"x")
    assert caught.value.__cause__ is None
    assert "wrong" not in str(caught.value)
    wrong.close()
    gone = BlobStore(**_arguments(s3_server) | {"endpoint": f"http://127.0.0.1:{closed_port}"})
    started = time.monotonic()
    with pytest.raises(Unreachable):
        await gone.ping()
    assert time.monotonic() - started < 20
    gone.close()


def _arguments(server: Any) -> dict[str, Any]:
    return asdict(server) | {"secret_key": Secret(server.secret_key)}


@pytest.mark.parametrize(
    ("content_type", "inline", "served", "kind"),
    [
        ("image/png", True, "image/png", "inline"),
        ("image/png", False, "image/png", "attachment"),
        ("text/html", True, "application/octet-stream", "attachment"),
        ("image/svg+xml", True, "application/octet-stream", "attachment"),
    ],
)
async def test_download_links(
    blobs: BlobStore, key: str, content_type: str, inline: bool, served: str, kind: str
) -> None:
    """X-11: type and disposition are ours, signed, and served."""
    await blobs.put(key, b"<script>", content_type)
    url = await blobs.presign_get(
        key, filename='..\\evil"\r\n/Grüße.html', content_type=content_type, inline=inline
    )
    async with httpx.AsyncClient() as client:
        answer = await client.get(url)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == served
        assert (
            answer.headers["content-disposition"]
            == f"{kind}; filename=\"Grue.html\"; filename*=UTF-8''Gr%C3%BC%C3%9Fe.html"
        )
        forged = (
            url.replace("attachment", "inline")
            if kind == "attachment"
            else url.replace("inline", "attachment")
        )
        assert (await client.get(forged)).status_code == 403
    assert parse_qs(urlsplit(url).query)["X-Amz-Expires"] == ["900"]


async def test_links_expire(blobs: BlobStore, key: str) -> None:
    await blobs.put(key, b"x")
    url = await blobs.presign_get(key, filename="x", content_type="text/plain", seconds=1)
    time.sleep(2.1)  # noqa: ASYNC251  # nothing else runs, and the signature counts whole seconds
    async with httpx.AsyncClient() as client:
        assert (await client.get(url)).status_code == 403


async def test_upload_links_are_pinned_to_length_and_type(blobs: BlobStore, key: str) -> None:
    url = await blobs.presign_put(key, length=5, content_type="image/png")
    async with httpx.AsyncClient() as client:
        for content, content_type in ((b"123456", "image/png"), (b"12345", "text/html")):
            refused = await client.put(url, content=content, headers={"Content-Type": content_type})
            assert refused.status_code == 403
        assert not await blobs.exists(key)
        stored = await client.put(url, content=b"12345", headers={"Content-Type": "image/png"})
        assert stored.status_code == 200
    assert await blobs.get(key) == b"12345"


async def test_public_endpoint_is_signed_into_links(s3_server: Any, key: str) -> None:
    store = BlobStore(**_arguments(s3_server), public_endpoint="https://files.example.com")
    url = await store.presign_get(key, filename="x", content_type="image/png")
    assert url.startswith(f"https://files.example.com/{s3_server.bucket}/providers/")
    store.close()


async def test_bad_link_arguments(blobs: BlobStore, key: str) -> None:
    for seconds in (0, 8 * 24 * 3600):
        with pytest.raises(ValueError, match="seconds"):
            await blobs.presign_get(key, filename="x", content_type="image/png", seconds=seconds)
    with pytest.raises(ValueError, match="length"):
        await blobs.presign_put(key, length=-1, content_type="image/png")
    with pytest.raises(ValueError, match="content_type"):
        await blobs.presign_put(key, length=1, content_type="image/png\r\nx: y")
