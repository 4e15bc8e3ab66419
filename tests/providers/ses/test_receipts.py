"""The bucket of received mail, on a real S3: pages in order, whole and partial reads, and what is not there."""

import uuid
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from providers.errors import Unreachable
from providers.s3.blobs import BlobStore
from providers.secret import Secret
from providers.ses.account import SesAccount
from providers.ses.receipts import ReceiptBucket
from tests.conftest import S3Server


@pytest_asyncio.fixture
async def filled(s3_server: S3Server) -> AsyncIterator[tuple[ReceiptBucket, BlobStore]]:
    prefix = f"ses-{uuid.uuid4().hex}/"
    blobs = BlobStore(s3_server.endpoint, s3_server.bucket, s3_server.access_key, s3_server.secret_key, s3_server.region)
    for n in range(5):
        await blobs.put(f"{prefix}{n}", b"mail %d" % n)
    account = SesAccount(s3_server.region, s3_server.access_key, Secret(s3_server.secret_key))
    bucket = ReceiptBucket(account, s3_server.bucket, prefix, endpoint=s3_server.endpoint)
    yield bucket, blobs
    bucket.close()
    blobs.close()


async def test_pages_follow_each_other_to_the_end(filled: tuple[ReceiptBucket, BlobStore]) -> None:
    bucket, _ = filled
    keys, after = [], None
    for _ in range(4):
        page = await bucket.page(after, most=2)
        keys += [o.key.removeprefix(bucket.prefix) for o in page.objects]
        assert all(o.size == 6 and o.stored_at.tzinfo is not None for o in page.objects)
        after = page.after
        if after is None:
            break
    assert keys == ["0", "1", "2", "3", "4"]


async def test_an_object_is_read_whole_in_part_or_not_there(filled: tuple[ReceiptBucket, BlobStore]) -> None:
    bucket, blobs = filled
    await blobs.put(f"{bucket.prefix}empty", b"")
    assert await bucket.read(f"{bucket.prefix}3") == b"mail 3"
    assert await bucket.read(f"{bucket.prefix}3", octets=4) == b"mail"
    assert await bucket.read(f"{bucket.prefix}3", octets=4000) == b"mail 3"
    assert await bucket.read(f"{bucket.prefix}none") is None
    assert await bucket.read(f"{bucket.prefix}empty", octets=4) == b""


async def test_refused_keys_and_an_absent_bucket_are_the_operators_to_mend(s3_server: S3Server) -> None:
    for account, name in (
        (SesAccount(s3_server.region, "AKIAEXAMPLE", Secret("wrong")), s3_server.bucket),
        (SesAccount(s3_server.region, s3_server.access_key, Secret(s3_server.secret_key)), "no-such-bucket-here"),
    ):
        bucket = ReceiptBucket(account, name, endpoint=s3_server.endpoint)
        with pytest.raises(Unreachable) as refused:
            await bucket.page()
        assert refused.value.reason.startswith("bucket_")
        bucket.close()
