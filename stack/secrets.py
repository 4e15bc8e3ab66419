"""The secrets of one data directory, made on first start and kept in `secrets.json` (0600).

They are never made anew beside existing data: a new credential key would leave every stored mailbox password
unreadable. A crash before the file is written loses nothing, since no data exists yet.
"""

import base64
import hashlib
import hmac
import secrets
from dataclasses import asdict, dataclass, fields
from typing import Self

from stack.layout import Layout
from stack.private_file import UnreadableFile, read_json, write_private_json


class SecretsLost(Exception):
    """There is data, but the file with its keys is gone or lacks one. The sentence says what to restore."""


@dataclass(frozen=True, slots=True)
class StackSecrets:
    """Every secret of the embedded stack. `repr` shows none of them."""

    credential_keys: str  # "kid:base64 of 32 bytes", the form of MAILROOM_CREDENTIAL_KEYS
    session_secret: str
    token_secret: str
    database_admin_password: str
    database_app_password: str
    s3_access_key: str
    s3_secret_key: str
    s3_internal_key: str  # signs the traffic between SeaweedFS's own parts
    demo_mail_secret: str

    def __repr__(self) -> str:
        return "StackSecrets(…)"

    @classmethod
    def make(cls) -> Self:
        return cls(
            credential_keys="k1:" + base64.b64encode(secrets.token_bytes(32)).decode(),
            session_secret=secrets.token_urlsafe(32),
            token_secret=secrets.token_urlsafe(32),
            database_admin_password=secrets.token_urlsafe(24),
            database_app_password=secrets.token_urlsafe(24),
            s3_access_key=secrets.token_hex(10).upper(),
            s3_secret_key=secrets.token_urlsafe(30),
            s3_internal_key=secrets.token_urlsafe(32),
            demo_mail_secret=secrets.token_urlsafe(24),
        )

    def demo_mail_password(self, address: str) -> str:
        """The password of one demo mail account: the same at every start of this data directory."""
        digest = hmac.new(self.demo_mail_secret.encode(), address.lower().encode(), hashlib.sha256).digest()
        return base64.b32encode(digest[:10]).decode().lower()


def load_or_make(layout: Layout) -> StackSecrets:
    """The kept secrets, or new ones when the directory holds no data yet. Raises `SecretsLost`, `UnreadableFile`."""
    known = read_json(layout.secrets)
    if known is None:
        if (layout.postgres / "PG_VERSION").exists():
            raise SecretsLost(
                f"{layout.secrets} is missing although {layout.postgres} holds data; restore it from a backup, since"
                " without its keys the stored mailbox passwords cannot be read"
            )
        made = StackSecrets.make()
        write_private_json(layout.secrets, asdict(made))
        return made
    values: dict[str, str] = {}
    for field in fields(StackSecrets):
        value = known.get(field.name)
        if not isinstance(value, str) or not value:
            raise UnreadableFile(f"{layout.secrets} lacks {field.name!r}; restore the file from a backup")
        values[field.name] = value
    return StackSecrets(**values)


def add_credential_key(layout: Layout) -> str:
    """Put a new key at the front of the kept ring and give its id. Whoever runs already keeps the ring of their start.

    Raises `SecretsLost`, `UnreadableFile`. The file is replaced whole, so dying here leaves the old ring or the new one.
    """
    known, ring = _kept_ring(layout)
    ids = {entry.partition(":")[0] for entry in ring}
    made = next(f"k{number}" for number in range(1, len(ids) + 2) if f"k{number}" not in ids)
    ring.insert(0, f"{made}:" + base64.b64encode(secrets.token_bytes(32)).decode())
    write_private_json(layout.secrets, {**known, "credential_keys": ",".join(ring)})
    return made


def drop_credential_key(layout: Layout, key_id: str) -> None:
    """Take an older key out of the kept ring. Raises ValueError for the first key and for one that is not there."""
    known, ring = _kept_ring(layout)
    left = [entry for entry in ring if entry.partition(":")[0] != key_id]
    if len(left) == len(ring):
        raise ValueError(f"{layout.secrets} has no key {key_id}")
    if left[:1] != ring[:1]:
        raise ValueError(f"key {key_id} is the one that seals; add another first")
    write_private_json(layout.secrets, {**known, "credential_keys": ",".join(left)})


def _kept_ring(layout: Layout) -> tuple[dict[str, object], list[str]]:
    known = read_json(layout.secrets)
    if known is None:
        raise SecretsLost(f"{layout.secrets} does not exist; name the directory of `mailroom up` with --data")
    return known, [entry.strip() for entry in str(known.get("credential_keys") or "").split(",") if entry.strip()]
