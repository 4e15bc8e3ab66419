"""Rows against the bucket: every object that a row names is there with the bytes that the row promises."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from boto3.session import Session
from botocore.config import Config
from sqlalchemy import Connection, text

from tests.faults.findings import Findings, Kind

# Not mail: the mark by which the embedded server proves that it can store.
NOT_OURS = frozenset({".ready"})


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
            """
        )
    )
    for row in ranges:
        named.setdefault(row.raw_key, set()).add((row.raw_offset, row.raw_length, row.raw_sha256, row.what))
    for key, promises in named.items():
        content = bucket.read(key)
        for offset, length, sha256, what in promises:
            kind: Kind = "orphaned" if what.startswith("file") else "lost"
            if content is None:
                found.add(kind, f"{what}: its object is not in the bucket")
            elif hashlib.sha256(content[offset : offset + length]).hexdigest() != sha256:
                found.add(kind, f"{what}: the object holds other bytes")
    found.unreferenced_objects = len(set(bucket.every_key()) - set(named) - NOT_OURS)
