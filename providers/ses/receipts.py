"""The bucket where a receipt rule of SES puts incoming mail: listed in pages, read, never written to."""

import datetime as dt
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from providers.errors import Unreachable
from providers.executors import Lane, s3_lane
from providers.ses.account import SesAccount
from providers.ses.client import s3_client

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

T = TypeVar("T")
GONE = ("NoSuchKey", "NotFound", "404")
HEAD_OCTETS = 64 * 1024


@dataclass(frozen=True, slots=True)
class StoredObject:
    """`size` in octets; `stored_at` is when SES put it there."""

    key: str
    size: int
    stored_at: dt.datetime


@dataclass(frozen=True, slots=True)
class ObjectPage:
    """`after` asks for the next page, None at the end."""

    objects: tuple[StoredObject, ...]
    after: str | None


class ReceiptBucket:
    """`prefix` is the receipt rule's. Errors have reasons that begin with `bucket_`: they are the operator's to mend."""

    def __init__(
        self, account: SesAccount, bucket: str, prefix: str = "", *, endpoint: str | None = None, lane: Lane | None = None
    ) -> None:
        self.bucket = bucket
        self.prefix = prefix
        self._lane = lane or s3_lane()
        config = Config(
            signature_version="s3v4",
            s3={"addressing_style": "path"} if endpoint else {},
            retries={"mode": "standard", "total_max_attempts": 4},
            connect_timeout=5,
            read_timeout=60,
            max_pool_connections=self._lane.size,
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        self._client: S3Client = s3_client(account, endpoint, config)

    def close(self) -> None:
        """Close idle connections."""
        self._client.close()

    async def page(self, after: str | None = None, *, most: int = 1000) -> ObjectPage:
        """At most a thousand objects under the prefix, by key. Raises Unreachable."""
        return await self._do(lambda: self._page(after, most))

    async def read(self, key: str, *, octets: int | None = None) -> bytes | None:
        """The object, or its first `octets`; None where there is none. Raises as `page`."""
        return await self._do(lambda: self._read(key, octets))

    def _page(self, after: str | None, most: int) -> ObjectPage:
        start = {"StartAfter": after} if after is not None else {}
        answer = self._client.list_objects_v2(Bucket=self.bucket, Prefix=self.prefix, MaxKeys=most, **start)  # type: ignore[arg-type]  # one optional word
        found = tuple(StoredObject(o["Key"], o["Size"], o["LastModified"]) for o in answer.get("Contents", []))
        return ObjectPage(found, found[-1].key if found and answer.get("IsTruncated") else None)

    def _read(self, key: str, octets: int | None) -> bytes | None:
        range_ = {"Range": f"bytes=0-{octets - 1}"} if octets else {}
        try:
            answer = self._client.get_object(Bucket=self.bucket, Key=key, **range_)  # type: ignore[arg-type]  # one optional word
        except ClientError as error:
            word = str(error.response.get("Error", {}).get("Code", ""))
            if word in GONE:
                return None
            if word == "InvalidRange":
                return b""  # an empty object
            raise
        with closing(answer["Body"]) as body:
            return body.read()

    async def _do(self, work: Callable[[], T]) -> T:
        try:
            return await self._lane.run(work)
        except ClientError as error:
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            if status in (401, 403):
                raise Unreachable(
                    "bucket_refused", "The bucket with mail from Amazon SES refuses our keys. Grant s3:ListBucket and s3:GetObject."
                ) from None
            raise Unreachable(
                "bucket_unavailable", "The bucket with mail from Amazon SES could not be read. Check MAILROOM_SES_RECEIPT_BUCKET."
            ) from None
        except BotoCoreError:
            raise Unreachable("bucket_unreachable", "The bucket with mail from Amazon SES could not be reached.") from None
