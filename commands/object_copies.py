"""Every object of the bucket into a folder, and back. Keys name their content, so what is there already is right."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

T = TypeVar("T")
AT_ONCE = 8
MARK = ".ready"  # the embedded store's own


@dataclass(frozen=True, slots=True)
class BucketAddress:
    """Where a bucket is. `repr` shows no key."""

    endpoint: str
    bucket: str
    access_key: str
    secret_key: str
    region: str

    def __repr__(self) -> str:
        return f"BucketAddress({self.endpoint}/{self.bucket})"

    def client(self) -> "S3Client":
        client: S3Client = boto3.session.Session().client(
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            region_name=self.region,
            config=Config(
                s3={"addressing_style": "path"},
                max_pool_connections=AT_ONCE,
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )
        return client


Told = Callable[[int, int], None]
"""Progress: objects looked at, octets copied."""


class UnsafeKey(Exception):
    """An object's key would lead out of the folder."""


def save_objects(address: BucketAddress, folder: Path, told: Told) -> tuple[int, int]:
    """Copy what the folder lacks; objects in the bucket, octets copied. Dying leaves whole files only; again goes on."""
    client = address.client()
    root = folder.resolve()

    def save(entry: tuple[str, int]) -> int:
        key, size = entry
        place = (root / key).resolve()
        if not place.is_relative_to(root) or place == root:
            raise UnsafeKey(key)
        if place.exists() and place.stat().st_size == size:
            return 0
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = place.with_name(place.name + ".part")
        with fresh.open("wb") as file:
            for piece in client.get_object(Bucket=address.bucket, Key=key)["Body"].iter_chunks(1024 * 1024):
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(place)
        return size

    return _each(save, _listed(client, address.bucket), told)


def load_objects(address: BucketAddress, folder: Path, told: Told) -> tuple[int, int]:
    """Put what the bucket lacks; objects in the folder, octets put. What the bucket has besides stays there."""
    client = address.client()
    there = dict(_listed(client, address.bucket))

    def load(path: Path) -> int:
        key, size = path.relative_to(folder).as_posix(), path.stat().st_size
        if there.get(key) == size:
            return 0
        with path.open("rb") as file:
            client.put_object(Bucket=address.bucket, Key=key, Body=file, ContentLength=size)
        return size

    paths = (p for p in sorted(folder.rglob("*")) if p.is_file() and p.suffix != ".part")
    return _each(load, paths, told)


def _listed(client: "S3Client", bucket: str) -> Iterator[tuple[str, int]]:
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for entry in page.get("Contents", []):
            if entry["Key"] != MARK:
                yield entry["Key"], entry["Size"]


def _each(work: Callable[[T], int], items: Iterator[T], told: Told) -> tuple[int, int]:
    count = octets = 0
    with ThreadPoolExecutor(AT_ONCE) as threads:
        for copied in threads.map(work, items):
            count += 1
            octets += copied
            told(count, octets)
    return count, octets
