"""A few new mails become messages in the very step that fetches them; many, and what fails half-way, wait for their own step."""

import pytest
from temporalio.exceptions import ApplicationError

from activities import inbound_fetch
from tests.activities.mail_room import MailRoom, letter

pytestmark = pytest.mark.dovecot


@pytest.fixture
def whole(room: MailRoom, monkeypatch: pytest.MonkeyPatch) -> MailRoom:
    """The room as the worker composes it."""
    monkeypatch.setattr(room.fetching, "_ingestion", room.ingestion)
    monkeypatch.setattr(inbound_fetch, "FEW", 3)
    return room


async def test_few_mails_are_messages_when_the_fetch_ends(whole: MailRoom, deliver) -> None:
    await whole.connect()
    await whole.fetch()
    for n in range(3):
        deliver(letter(n))
    report = await whole.fetch()
    assert (report.stored, report.pending) == (3, 0)
    assert await whole.states() == {"ingested": 3}
    assert (await whole.events()).count("message.received") == 3
    assert (await whole.ingest()).ingested == 0


async def test_many_mails_wait_for_their_own_step(whole: MailRoom, deliver) -> None:
    await whole.connect()
    await whole.fetch()
    for n in range(4):
        deliver(letter(n))
    report = await whole.fetch()
    assert (report.stored, report.pending, report.answerable) == (4, 4, 0)
    assert (await whole.ingest()).ingested == 4


async def test_dying_between_fetching_and_ingesting_costs_nothing(
    whole: MailRoom, deliver, monkeypatch: pytest.MonkeyPatch
) -> None:
    await whole.connect()
    await whole.fetch()
    deliver(letter(1))
    real = whole.ingestion.drain

    async def die(*_: object, **__: object) -> None:
        raise ValueError

    monkeypatch.setattr(whole.ingestion, "drain", die)
    with pytest.raises(ApplicationError):
        await whole.fetch()
    assert await whole.states() == {"stored": 1}
    monkeypatch.setattr(whole.ingestion, "drain", real)
    report = await whole.fetch()
    assert (report.stored, report.pending) == (0, 0)
    assert await whole.states() == {"ingested": 1}
