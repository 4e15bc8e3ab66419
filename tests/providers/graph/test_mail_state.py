"""Writing state back: what shall be true afterwards, so that twice is once."""

import pytest

from providers.errors import NotThere
from providers.graph.mail_state import GraphMailState, immutable_ids
from providers.imap.values import Role
from tests.providers.graph.conftest import mail


@pytest.fixture
def state(account):
    return GraphMailState(account)


async def test_read_and_flagged_are_set_and_set_again(state, box):
    item = box.deliver(mail(1))
    for _ in range(2):
        await state.set_read(item.immutable_id, read=True)
        await state.set_flagged(item.immutable_id, flagged=True)
    found = await state.now(item.immutable_id)
    assert found.mail.flags == {"\\Seen", "\\Flagged"}
    await state.set_read(item.immutable_id, read=False)
    assert not box.find(item.immutable_id).is_read


async def test_categories_are_labels_and_others_stay(state, box):
    item = box.deliver(mail(1), categories=["old"])
    for _ in range(2):
        assert (await state.set_label(item.immutable_id, "Red", on=True)).mail.labels == {"Red", "old"}
    for _ in range(2):
        assert (await state.set_label(item.immutable_id, "RED", on=False)).mail.labels == {"old"}


@pytest.mark.parametrize(("role", "name"), [(Role.ARCHIVE, "archive"), (Role.JUNK, "junkemail"), (Role.TRASH, "deleteditems")])
async def test_a_moved_mail_keeps_its_immutable_id(state, graph, box, role, name):
    item = box.deliver(mail(1))
    old = item.rest_id
    for _ in range(2):
        found = await state.place(item.immutable_id, role)
        assert (found.mail.id, found.role, found.folder) == (item.immutable_id, role, box.well_known[name])
    assert box.in_folder(name) == [item]
    assert item.rest_id != old
    assert graph.count("messages.move") == 1


async def test_a_mail_that_is_gone_is_said_so(state, box):
    item = box.deliver(mail(1))
    box.delete(item.immutable_id)
    with pytest.raises(NotThere):
        await state.set_read(item.immutable_id, read=True)
    with pytest.raises(NotThere):
        await state.place(item.immutable_id, Role.ARCHIVE)


async def test_ids_are_case_sensitive(state, box):
    item = box.deliver(mail(1))
    with pytest.raises(NotThere):
        await state.now(item.immutable_id.swapcase())


async def test_ordinary_ids_are_translated_a_thousand_at_a_time(account, graph, box):
    items = [box.deliver(mail(number)) for number in range(3)]
    asked = [one.rest_id for one in items] + [f"AAMk{number}" for number in range(1200)]
    assert await immutable_ids(account, asked) == {one.rest_id: one.immutable_id for one in items}
    assert graph.count("translate") == 2


async def test_an_ambiguous_move_can_be_made_again(state, graph, box):
    item = box.deliver(mail(1))
    graph.faults.plan("messages.move", reset=True, after_accept=True)
    with pytest.raises(Exception, match=r"could not be reached|closed the connection"):
        await state.place(item.immutable_id, Role.ARCHIVE)
    assert (await state.place(item.immutable_id, Role.ARCHIVE)).mail.id == item.immutable_id
    assert box.in_folder("archive") == [item]
