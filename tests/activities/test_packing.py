"""How a folder's mails are cut into stretches, and how a pack stands in the bucket."""

import datetime as dt
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.packing import MOST_BYTES, MOST_MAILS, PACK, Packer, stretches
from providers.imap.values import MailMeta


def metas(sizes: list[int]) -> dict[int, MailMeta]:
    at = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    return {uid: MailMeta(uid=uid, size=size, internal_date=at, flags=frozenset()) for uid, size in enumerate(sizes, 1)}


@given(sizes=st.lists(st.integers(0, MOST_BYTES * 2), max_size=900), first=st.sampled_from([1, 25, MOST_MAILS]))
def test_every_mail_is_in_one_stretch_in_its_place(sizes, first) -> None:
    uids = list(range(len(sizes), 0, -1))
    cut = list(stretches(uids, metas(sizes), largest=MOST_BYTES, first=first))
    assert [uid for one in cut for uid in one.uids] == [uid for uid in uids if sizes[uid - 1] <= MOST_BYTES]
    assert sorted(uid for one in cut for uid in one.every) == sorted(uids)
    assert all(len(one.uids) <= MOST_MAILS for one in cut)
    assert all(sum(sizes[uid - 1] for uid in one.uids) <= MOST_BYTES for one in cut)


@pytest.mark.parametrize(("first", "lengths"), [(25, [25, 50, 100, 200, 125]), (MOST_MAILS, [200, 200, 100]), (150, [150, 200, 150])])
def test_the_first_stretch_is_short_and_the_next_ones_grow(first, lengths) -> None:
    assert [len(one.uids) for one in stretches(range(1, 501), metas([100] * 500), first=first)] == lengths


async def test_a_pack_says_that_it_is_one() -> None:
    """Without a type of its own SeaweedFS packs it with gzip, and reads all of it for one mail."""

    class Bucket:
        kind = ""

        async def put(self, key: str, data: bytes, content_type: str = "") -> str:
            assert data == b"onetwo"
            self.kind = content_type
            return ""

    bucket = Bucket()
    await Packer(bucket).put(uuid.uuid4(), [b"one", b"two"], ["1", "2"])
    assert bucket.kind == PACK
