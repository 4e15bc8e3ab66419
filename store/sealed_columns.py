"""Every column that holds a sealed value, with the words that bind it to its place. Key rotation goes through this list."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Table

from models import Base, Inbox, OAuthGrant, WebhookEndpoint


@dataclass(frozen=True, slots=True)
class SealedColumn:
    """A column pair of a tenant's table. `sealed` is also the column word of the associated data (`store/sealing.py`);
    `place` names the column whose id stands there for the inbox.
    """

    table: str
    sealed: str
    key_id: str
    place: str

    @property
    def name(self) -> str:
        """As people read it: `inboxes.credentials_sealed`."""
        return f"{self.table}.{self.sealed}"

    @property
    def rows(self) -> Table:
        return Base.metadata.tables[self.table]

    def column(self, name: str) -> Column[Any]:
        return self.rows.c[name]


# A test compares this list with all binary columns of the models: a forgotten one would lose its values with the old key.
SEALED = (
    SealedColumn(Inbox.__tablename__, "credentials_sealed", "credentials_key_id", "id"),
    SealedColumn(OAuthGrant.__tablename__, "tokens_sealed", "tokens_key_id", "inbox_id"),
    SealedColumn(WebhookEndpoint.__tablename__, "secrets_sealed", "secrets_key_id", "id"),
)
