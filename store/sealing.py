"""Sealed credentials: AES-256-GCM with the row's own place as associated data, so a sealed value opens nowhere else.

Layout: 1 byte version, 12 bytes nonce, ciphertext with tag. The key id stands beside it in `credentials_key_id`; keys
come from the settings' key ring, whose first key seals. A key must stay in the ring until no row names it; how rows move
from one key to the next is in `store/key_rotation.py`.
"""

import json
import os
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

VERSION = b"\x01"
NONCE_BYTES = 12  # NIST SP 800-38D §8.2: 96 random bits


class CredentialsUnreadable(Exception):
    """No key of the ring opens this value: the key is gone, or the value was moved or altered. Holds no secret."""


class Sealer:
    """Seals and opens small JSON values. `key_ring` maps key ids to 32 bytes; its first entry seals."""

    def __init__(self, key_ring: Mapping[str, bytes]) -> None:
        self._ring = dict(key_ring)
        self.key_id = next(iter(self._ring))

    @property
    def key_ids(self) -> tuple[str, ...]:
        """Every key that can open, the one that seals first."""
        return tuple(self._ring)

    def self_test(self) -> None:
        """Each key opens what it sealed, and not at another place. Raises CredentialsUnreadable that names the key id: a
        process whose ciphers do not work must not begin to store what nobody can open.
        """
        for key_id in self._ring:
            one = Sealer({key_id: self._ring[key_id]})
            sealed, _ = one.seal({"probe": key_id}, tenant_id="t", inbox_id="i", column="c")
            if one.open(sealed, key_id, tenant_id="t", inbox_id="i", column="c") != {"probe": key_id}:
                raise CredentialsUnreadable(f"key {key_id} does not give back what it sealed")
            try:
                one.open(sealed, key_id, tenant_id="t", inbox_id="other", column="c")
            except CredentialsUnreadable:
                continue
            raise CredentialsUnreadable(f"key {key_id} opens a value at a place it was not sealed for")

    def reseal(
        self, sealed: bytes, key_id: str, *, tenant_id: str, inbox_id: str, column: str
    ) -> tuple[bytes, str]:
        """The same values under the key that seals now. Raises CredentialsUnreadable."""
        values = self.open(sealed, key_id, tenant_id=tenant_id, inbox_id=inbox_id, column=column)
        return self.seal(values, tenant_id=tenant_id, inbox_id=inbox_id, column=column)

    def seal(
        self, values: Mapping[str, Any], *, tenant_id: str, inbox_id: str, column: str
    ) -> tuple[bytes, str]:
        """The sealed bytes and the id of the key used."""
        nonce = os.urandom(NONCE_BYTES)
        place = _place(tenant_id, inbox_id, column, self.key_id)
        sealed = AESGCM(self._ring[self.key_id]).encrypt(nonce, json.dumps(dict(values)).encode(), place)
        return VERSION + nonce + sealed, self.key_id

    def open(
        self, sealed: bytes, key_id: str, *, tenant_id: str, inbox_id: str, column: str
    ) -> dict[str, Any]:
        """The values again, or CredentialsUnreadable."""
        key = self._ring.get(key_id)
        if key is None or sealed[:1] != VERSION:
            raise CredentialsUnreadable("no key of the ring has this value's key id")
        nonce, body = sealed[1 : 1 + NONCE_BYTES], sealed[1 + NONCE_BYTES :]
        try:
            plain = AESGCM(key).decrypt(nonce, body, _place(tenant_id, inbox_id, column, key_id))
        except (InvalidTag, ValueError):  # ValueError: cut off within the nonce
            raise CredentialsUnreadable(
                "the sealed value does not belong to this row, or was altered"
            ) from None
        values = json.loads(plain)
        if not isinstance(values, dict):
            raise CredentialsUnreadable("the sealed value is not an object")
        return values


def _place(tenant_id: str, inbox_id: str, column: str, key_id: str) -> bytes:
    return f"{tenant_id}|{inbox_id}|{column}|{key_id}|1".encode()
