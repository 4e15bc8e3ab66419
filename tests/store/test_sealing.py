"""A sealed value opens where it was sealed and nowhere else, with the keys of the ring and no other."""

import uuid
from typing import Any

import pytest
from sqlalchemy import LargeBinary

from models import Base
from store.sealed_columns import SEALED
from store.sealing import CredentialsUnreadable, Sealer

OLD, NEW = b"o" * 32, b"n" * 32
TENANT, INBOX = str(uuid.UUID(int=1)), str(uuid.UUID(int=2))
PLACE = {"tenant_id": TENANT, "inbox_id": INBOX, "column": "credentials_sealed"}
VALUES: dict[str, Any] = {"imap": {"secret": "opens the mailbox"}}


def test_sealed_values_open_at_their_place() -> None:
    sealer = Sealer({"k1": OLD})
    sealed, key_id = sealer.seal(VALUES, **PLACE)
    assert sealer.open(sealed, key_id, **PLACE) == VALUES
    assert b"opens the mailbox" not in sealed
    assert sealer.seal(VALUES, **PLACE)[0] != sealed


@pytest.mark.parametrize(
    "moved",
    [{"tenant_id": str(uuid.UUID(int=9))}, {"inbox_id": str(uuid.UUID(int=9))}, {"column": "oauth_sealed"}],
)
def test_a_moved_value_does_not_open(moved: dict[str, str]) -> None:
    """X-50: what was copied to another tenant, row or column is not theirs."""
    sealer = Sealer({"k1": OLD})
    sealed, key_id = sealer.seal(VALUES, **PLACE)
    with pytest.raises(CredentialsUnreadable) as caught:
        sealer.open(sealed, key_id, **{**PLACE, **moved})
    assert "opens the mailbox" not in str(caught.value)


def test_another_key_id_or_key_does_not_open() -> None:
    """The key id is bound too: the same bytes under another name are another key."""
    sealed, key_id = Sealer({"k1": OLD}).seal(VALUES, **PLACE)
    for ring, named in (({"k2": OLD}, "k2"), ({"k1": NEW}, key_id), ({"k2": NEW}, key_id)):
        with pytest.raises(CredentialsUnreadable):
            Sealer(ring).open(sealed, named, **PLACE)


@pytest.mark.parametrize("place", range(0, 60, 7))
def test_an_altered_value_does_not_open(place: int) -> None:
    sealer = Sealer({"k1": OLD})
    sealed, key_id = sealer.seal(VALUES, **PLACE)
    altered = bytearray(sealed)
    altered[place % len(altered)] ^= 1
    with pytest.raises(CredentialsUnreadable):
        sealer.open(bytes(altered), key_id, **PLACE)
    with pytest.raises(CredentialsUnreadable):
        sealer.open(sealed[:place], key_id, **PLACE)


def test_the_first_key_seals_and_all_open() -> None:
    sealed, key_id = Sealer({"k1": OLD}).seal(VALUES, **PLACE)
    both = Sealer({"k2": NEW, "k1": OLD})
    assert both.open(sealed, key_id, **PLACE) == VALUES
    anew, active = both.reseal(sealed, key_id, **PLACE)
    assert active == "k2"
    assert Sealer({"k2": NEW}).open(anew, active, **PLACE) == VALUES


def test_the_ring_tests_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    Sealer({"k2": NEW, "k1": OLD}).self_test()

    def without_place(*_args: str) -> bytes:
        return b""

    monkeypatch.setattr("store.sealing._place", without_place)
    with pytest.raises(CredentialsUnreadable, match="k2"):
        Sealer({"k2": NEW, "k1": OLD}).self_test()


def test_every_binary_column_is_known_to_the_rotation() -> None:
    """A sealed column that rotation does not know would be lost with the old key."""
    binary = {
        f"{table.name}.{column.name}"
        for table in Base.metadata.tables.values()
        for column in table.columns
        if isinstance(column.type, LargeBinary)
    }
    hashes = {name for name in binary if name.endswith(("_hash", "_sha256"))}
    assert binary - hashes == {place.name for place in SEALED}
    for place in SEALED:
        assert place.column(place.key_id) is not None
        assert place.column(place.place) is not None
