"""Rows against the bucket: every object that a row names is there with the bytes that the row promises."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from boto3.session import Session
from botocore.config import Config
from sqlalchemy import Connection, Row, text

from mail.transfer_encodings import decode_transfer
from tests.faults.findings import Findings, Kind

# Not mail: the mark by which the embedded server proves that it can store.
NOT_OURS = frozenset({".ready"})
# Files that nobody asked for yet lie in their mail alone.
IN_MAIL = text(
    """
    select m.raw_key, m.raw_offset, a.id, a.encoded_offset, a.encoded_length, a.encoding, a.sha256 from attachments a
    join messages m on m.tenant_id = a.tenant_id and m.id = a.message_id
    where a.encoded_offset is not null and a.stored_at is null
    """
)


@dataclass(frozen=True, slots=True)
class Bucket:
    """All keys, and the bytes of one (None when it is not there)."""

    every_key: Callable[[], Iterable[str]]
    read: Callable[[str], bytes | None]


def s3_bucket(*, endpoint: str, bucket: str, access_key: str, secret_key: str, region: str) -> Bucket:
    """The real one, read with a client of our own rather than the product's."""
    client = Session().client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        region_name=region,
        config=Config(signature_version="s3v4", s3={"addressing_style": "path"}),
    )

    def every_key() -> Iterable[str]:
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            for entry in page.get("Contents", ()):
                yield str(entry["Key"])

    def read(key: str) -> bytes | None:
        try:
            return bytes(client.get_object(Bucket=bucket, Key=key)["Body"].read())
        except client.exceptions.NoSuchKey:
            return None

    return Bucket(every_key, read)


def check_objects(connection: Connection, bucket: Bucket, found: Findings) -> None:
    """Read each object once and compare every stretch that some row names."""
    named: dict[str, set[tuple[int, int, str, str]]] = {}
    ranges = connection.execute(
        text(
            """
            select raw_key, raw_offset, raw_length, raw_sha256, 'ledger row ' || id as what from ledger where raw_key is not null
            union all
            select raw_key, raw_offset, raw_length, raw_sha256, 'message ' || id from messages where raw_key is not null
            union all
            select storage_key, 0, size_bytes, sha256, 'file ' || id from attachments
            where encoded_offset is null or stored_at is not null
            """
        )
    )
    for row in ranges:
        named.setdefault(row.raw_key, set()).add((row.raw_offset, row.raw_length, row.raw_sha256, row.what))
    encoded: dict[str, list[Row[Any]]] = {}
    for row in connection.execute(IN_MAIL):
        encoded.setdefault(row.raw_key, []).append(row)
    for key, promises in named.items():
        content = bucket.read(key)
        for offset, length, sha256, what in promises:
            kind: Kind = "orphaned" if what.startswith("file") else "lost"
            if content is None:
                found.add(kind, f"{what}: its object is not in the bucket")
            elif hashlib.sha256(content[offset : offset + length]).hexdigest() != sha256:
                found.add(kind, f"{what}: the object holds other bytes")
        for row in encoded.pop(key, []):
            _check_file(content or b"", row, found)
    for row in (row for rows in encoded.values() for row in rows):
        _check_file(b"", row, found)
    found.unreferenced_objects = len(set(bucket.every_key()) - set(named) - NOT_OURS)


def _check_file(pack: bytes, row: Row[Any], found: Findings) -> None:
    """A file out of its mail, by the same bytes that somebody would get who asked for it."""
    begin = row.raw_offset + row.encoded_offset
    content, _ = decode_transfer(pack[begin : begin + row.encoded_length], row.encoding)
    if hashlib.sha256(content).hexdigest() != row.sha256:
        found.add("orphaned", f"file {row.id}: its mail does not hold it")
