"""Objects in one private S3 bucket: raw mail, attachments, and time-limited links for browsers.

Promises that a put that returned is stored, and that nothing here makes an object public. Which key means what, and
who may have a link, is left to the callers.
"""

import datetime as dt
import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, ReadTimeoutError

from providers.errors import AuthFailed, ProviderError, Refused, Throttled, TooLarge, Unreachable
from providers.executors import Lane, s3_lane
from providers.s3.disposition import OCTETS, content_disposition, served_type
from providers.secret import Secret

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

T = TypeVar("T")

LOOPBACK = ("127.0.0.1", "::1", "localhost")
_DELETE_AT_ONCE = 1000  # DeleteObjects takes no more
_LONGEST_LINK = 7 * 24 * 3600  # of signature version 4
_CONTENT_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+(; ?[\w-]+=[\w.\"-]+)*\Z", re.ASCII)


class BlobMissing(ProviderError):
    """There is no object under this key."""

    reason = "blob_missing"
    sentence = "The stored file is no longer there. It may have been removed by the retention rules."
    transient = False


@dataclass(frozen=True, slots=True)
class BlobInfo:
    """`size` in octets, `etag` without quotes, `sha256` in hex where it was given to `put`, `modified` when it was last put."""

    size: int
    etag: str
    sha256: str | None
    content_type: str
    modified: dt.datetime | None = None


class BlobStore:
    """One bucket. `endpoint` is where we reach it, `public_endpoint` where browsers do (signed into their links).

    All methods raise Unreachable, Throttled (transient), AuthFailed or Refused besides what they name. The endpoint
    is the operator's, never a tenant's, so it is not checked against the egress list.
    """

    def __init__(
        self,
        endpoint: str,
        bucket: str,
        access_key: str,
        secret_key: Secret | str,
        region: str,
        public_endpoint: str | None = None,
        *,
        lane: Lane | None = None,
    ) -> None:
        self.bucket = bucket
        self._lane = lane or s3_lane()
        secret = secret_key if isinstance(secret_key, Secret) else Secret(secret_key)
        self._client = _client(endpoint, access_key, secret, region, self._lane.size)
        self._links = (
            _client(public_endpoint, access_key, secret, region, 1) if public_endpoint else self._client
        )
        self._region = region

    def close(self) -> None:
        """Close idle connections. The lane is shared and stays open."""
        self._client.close()
        self._links.close()

    async def put(
        self, key: str, data: bytes, content_type: str = OCTETS, *, sha256: str | None = None
    ) -> str:
        """Store `data` under `key`, replacing what was there, and return its etag. Twice is once."""
        extra: dict[str, Any] = {"Metadata": {"sha256": sha256}} if sha256 else {}
        answer = await self._do(
            lambda: self._client.put_object(
                Bucket=self.bucket,
                Key=key,
                Body=data,
                ContentType=content_type,
                ContentLength=len(data),
                **extra,
            )
        )
        return answer["ETag"].strip('"')

    async def get(self, key: str, offset: int | None = None, length: int | None = None) -> bytes:
        """The object, or `length` octets of it from `offset` (a mail inside a pack). Raises BlobMissing.

        A range that lies outside the object, or an answer shorter than asked for, is Refused with `range_unavailable`.
        """
        if (offset is None) != (length is None):
            raise ValueError("offset and length go together; give both or neither")
        if offset is None or length is None:
            return await self._do(lambda: self._read(key, None))
        if offset < 0 or length < 0:
            raise ValueError("offset and length must not be negative")
        if length == 0:
            return b""
        data = await self._do(lambda: self._read(key, f"bytes={offset}-{offset + length - 1}"))
        if len(data) != length:
            raise Refused(
                "range_unavailable",
                "The stored file is shorter than was recorded. Report this to the operator.",
            )
        return data

    def _read(self, key: str, range_: str | None) -> bytes:
        extra: dict[str, Any] = {"Range": range_} if range_ else {}
        answer = self._client.get_object(Bucket=self.bucket, Key=key, **extra)
        with closing(answer["Body"]) as body:
            return body.read()

    async def head(self, key: str) -> BlobInfo | None:
        """What is known of an object, or None if there is none."""
        try:
            answer = await self._do(lambda: self._client.head_object(Bucket=self.bucket, Key=key))
        except BlobMissing:
            return None
        return BlobInfo(
            size=answer["ContentLength"],
            etag=answer["ETag"].strip('"'),
            sha256=answer["Metadata"].get("sha256"),
            content_type=answer["ContentType"],
            modified=answer["LastModified"],
        )

    async def exists(self, key: str) -> bool:
        return await self.head(key) is not None

    async def delete(self, keys: Iterable[str]) -> None:
        """Remove objects. What is already gone is no error, so twice is once. Raises Refused if some stayed."""
        wanted = list(dict.fromkeys(keys))
        for start in range(0, len(wanted), _DELETE_AT_ONCE):
            await self._delete_some(wanted[start : start + _DELETE_AT_ONCE])

    async def _delete_some(self, keys: Sequence[str]) -> None:
        answer = await self._do(
            lambda: self._client.delete_objects(
                Bucket=self.bucket, Delete={"Objects": [{"Key": key} for key in keys], "Quiet": True}
            )
        )
        if any(error.get("Code") != "NoSuchKey" for error in answer.get("Errors", [])):
            raise Refused("delete_refused", "The storage did not remove all files. It will be tried again.")

    async def ensure_bucket(self) -> None:
        """Make the bucket if it is missing. New buckets are private; nothing here changes that."""
        try:
            await self._do(lambda: self._client.head_bucket(Bucket=self.bucket))
        except BlobMissing:
            pass
        else:
            return
        # us-east-1 is the one region that must not be named.
        place: dict[str, Any] = {}
        if self._region != "us-east-1":
            place = {"CreateBucketConfiguration": {"LocationConstraint": self._region}}
        await self._do(lambda: self._make_bucket(place))

    def _make_bucket(self, place: dict[str, Any]) -> None:
        try:
            self._client.create_bucket(Bucket=self.bucket, **place)
        except ClientError as error:
            if error.response["Error"]["Code"] != "BucketAlreadyOwnedByYou":  # another worker was first
                raise

    async def ping(self) -> None:
        """Raises unless the bucket can be reached with these credentials."""
        await self._do(lambda: self._client.head_bucket(Bucket=self.bucket))

    async def presign_get(
        self, key: str, *, filename: str, content_type: str, inline: bool = False, seconds: int = 900
    ) -> str:
        """A link that downloads `key` as `filename` for `seconds`. Anyone who has it may use it until then.

        Type and disposition are ours and signed: a browser is told one of four image types or octets, and shows only
        those images inline.
        """
        parameters = {
            "Bucket": self.bucket,
            "Key": key,
            "ResponseContentDisposition": content_disposition(
                filename, inline=inline, content_type=content_type
            ),
            "ResponseContentType": served_type(content_type),
            "ResponseCacheControl": "private, max-age=0, no-store",
        }
        return await self._link("get_object", parameters, seconds)

    async def presign_put(self, key: str, *, length: int, content_type: str, seconds: int = 900) -> str:
        """A link by which a browser may store exactly `length` octets of `content_type` under `key`.

        It must send both headers as given here. What really arrived has to be checked with `head` and by its hash.
        """
        if length < 0:
            raise ValueError("length must not be negative")
        if not _CONTENT_TYPE.match(content_type):
            raise ValueError("content_type must look like image/png")
        parameters = {"Bucket": self.bucket, "Key": key, "ContentLength": length, "ContentType": content_type}
        return await self._link("put_object", parameters, seconds)

    async def _link(self, operation: str, parameters: dict[str, Any], seconds: int) -> str:
        if not 0 < seconds <= _LONGEST_LINK:
            raise ValueError(f"seconds must be between 1 and {_LONGEST_LINK}")
        return await self._do(
            lambda: self._links.generate_presigned_url(operation, Params=parameters, ExpiresIn=seconds)
        )

    async def _do(self, work: Callable[[], T]) -> T:
        try:
            return await self._lane.run(work)
        except ClientError as error:
            raise _refusal(error) from None
        except ReadTimeoutError:
            raise Unreachable("storage_timeout", "The file storage did not answer in time.") from None
        except (HTTPClientError, BotoCoreError):
            raise Unreachable("storage_unreachable", "The file storage could not be reached.") from None


def _client(endpoint: str, access_key: str, secret: Secret, region: str, connections: int) -> "S3Client":
    client: S3Client = (
        boto3.session.Session().client(  # its own session: the default one is shared and not thread-safe
            "s3",
            endpoint_url=endpoint,
            aws_access_key_id=access_key,
            aws_secret_access_key=secret.reveal(),
            region_name=region,
            config=Config(
                signature_version="s3v4",
                s3={"addressing_style": "path", "payload_signing_enabled": not _safe_way(endpoint)},
                retries={"mode": "standard", "total_max_attempts": 4},
                connect_timeout=5,
                read_timeout=60,
                max_pool_connections=connections,
                # The newer default adds CRC trailers that other S3 servers do not all understand.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )
    )
    return client


def _safe_way(endpoint: str) -> bool:
    """Whether nobody can change octets on their way: over TLS, or on this machine. There a hash of the body in the signature
    only costs time on both sides; raw mail is compared with its SHA-256 whenever it is read again.
    """
    parts = urlsplit(endpoint)
    return parts.scheme == "https" or parts.hostname in LOOPBACK


def _refusal(error: ClientError) -> ProviderError:
    """What an S3 error answer means. Its code decides, then its status; its text may hold keys and is dropped."""
    code = error.response.get("Error", {}).get("Code", "")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in ("NoSuchKey", "NotFound", "404"):
        return BlobMissing()
    if code == "NoSuchBucket":
        return BlobMissing(
            "bucket_missing", "The storage bucket does not exist. Create it or check its name."
        )
    if code in ("InvalidAccessKeyId", "SignatureDoesNotMatch", "AccessDenied", "ExpiredToken", "403"):
        return AuthFailed(
            "storage_auth_failed", "The file storage refused our keys. Check the storage settings."
        )
    if code == "RequestTimeTooSkewed":
        return AuthFailed(
            "clock_skewed", "The clocks of this machine and the file storage differ. Set them right."
        )
    if code in ("SlowDown", "Throttling", "TooManyRequests", "429"):
        return Throttled("storage_throttled")
    if code == "InvalidRange" or status == 416:
        return Refused(
            "range_unavailable", "The stored file is shorter than was recorded. Report this to the operator."
        )
    if code == "EntityTooLarge":
        return TooLarge()
    if status >= 500 or status == 0:
        return Unreachable(
            "storage_unavailable", "The file storage has a problem at the moment. It will be tried again."
        )
    return Refused("storage_refused", "The file storage refused the request. Check its settings.")
