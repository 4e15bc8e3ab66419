"""Hostile mail: a seeded slice and all bombs through the real parser children, and the worst of them through a whole Mailroom.

Ten thousand and more: `python -m benchmarks.malformed`.
"""

import asyncio
import contextlib
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from activities.parser_child import ReadMail, Unread
from activities.parser_pool import ParserPool
from tests.activities.mail_room import SECRET
from tests.activities.poison import poisoned
from tests.faults import mail_bombs
from tests.faults.hostile_reading import order, read_all
from tests.faults.malformed import HostileMail, Malformed
from tests.faults.people import letter
from tests.faults.post_boxes import PostBox, post_office
from tests.faults.rig import Rig, connect_inbox, until

SEED, COUNT, SHOWN = 1969, 1500, 500
WORST, SLOW, LARGEST = 80, 4, 2_500_000
LATER = 5.0  # seconds by which hostile mail may delay another inbox


@pytest.fixture(scope="module")
def pool() -> Iterator[ParserPool]:
    made = ParserPool(workers=2, secret=SECRET)
    yield made
    made.close()


def test_the_same_seed_and_number_make_the_same_mail() -> None:
    one, two, other = Malformed(1), Malformed(1), Malformed(2)
    assert [m.raw for m in one.mails(60, start=30)] == [two.mail(n).raw for n in range(30, 90)]
    assert one.mail(7).raw != other.mail(7).raw
    assert len({m.raw for m in one.mails(300)}) > 290
    assert len({m.name.partition("/")[0].removeprefix("mutated-") for m in one.mails(300)}) == 18


async def test_malformed_mails_are_read_or_refused_and_no_child_dies(pool: ParserPool) -> None:
    before = pool.deaths.total()
    tally = await read_all(pool, Malformed(SEED).mails(COUNT - SHOWN))
    shown = await read_all(pool, Malformed(SEED).mails(SHOWN, start=COUNT - SHOWN), render=True)
    assert tally.broken + shown.broken == []
    assert (tally.ends + shown.ends).total() == COUNT
    assert pool.deaths.total() == before


async def test_bombs_beyond_the_caps_are_refused_with_their_reason(pool: ParserPool) -> None:
    for name, raw in mail_bombs.refused().items():
        (answer,) = await pool.read([order(raw)])
        assert isinstance(answer, Unread), name
        assert (answer.reason, answer.final) == ("too_complex", True), name
        assert answer.detail.startswith("over the limit: "), name
        card = await pool.read_alone(order(raw, headers_only=True))
        assert isinstance(card, ReadMail), name
        assert card.mail.subject == f"Bomb {name}"
    assert pool.deaths.total() == 0


async def test_bombs_within_the_caps_are_read_and_shown(pool: ParserPool) -> None:
    tally = await read_all(pool, (HostileMail(name, raw) for name, raw in mail_bombs.readable().items()), render=True)
    assert tally.broken == []
    assert tally.ends == {"read": len(mail_bombs.READ)}
    assert pool.deaths.total() == 0


@pytest.mark.parametrize(
    ("limits", "reason", "words"),
    [
        ({"memory_bytes": 8 * 1024 * 1024}, "parser_memory", "memory"),
        ({"wall_seconds": 0.6}, "parser_timeout", "longer"),
    ],
    ids=["memory", "clock"],
)
async def test_a_smaller_limit_ends_a_real_mail(limits: dict[str, Any], reason: str, words: str) -> None:
    """The mail is read within the real limits (above); so it is the limit that ends it here."""
    heavy = mail_bombs._mail("heavy", mail_bombs.READ["html-of-2-MB"]())
    async with ParserPool(workers=1, secret=SECRET, **limits) as small:
        light = await small.read_alone(order(letter("a@example.com", "desk@example.org", "Light", "x")))
        refused = await small.read_alone(order(heavy))
    assert isinstance(light, ReadMail)
    assert isinstance(refused, Unread)
    assert refused.reason == reason
    assert words in refused.detail
    assert not refused.final


async def test_what_spins_and_what_bloats_is_ended() -> None:
    """Planted: no mail is known that does it. The memory is the real limit, the processor time a fifth of it."""
    async with ParserPool(workers=2, secret=SECRET, cpu_seconds=2, begin=poisoned) as pool:
        fine, spinning, bloated = await asyncio.gather(
            *(pool.read_alone(order(letter("a@example.com", "desk@example.org", s, "x"))) for s in ("fine", "loop", "bloat"))
        )
    assert isinstance(fine, ReadMail)
    assert isinstance(spinning, Unread)
    assert isinstance(bloated, Unread)
    assert (spinning.reason, bloated.reason) == ("parser_timeout", "parser_memory")
    assert "processor time" in spinning.detail


def hostile(name: str, number: int, raw: bytes) -> HostileMail:
    """The same mail under an id of its own, so that none is taken for a copy of another."""
    return HostileMail(name, raw.replace(b"<bomb-", b"<bomb-%d-" % number, 1))


def worst() -> list[HostileMail]:
    """What is fed to the whole Mailroom: the slowest first, bombs, then a slice of the seeded ones."""
    slow = mail_bombs._mail("slow", mail_bombs.READ["html-of-2-MB"]())
    bombs = {**mail_bombs.refused(), **mail_bombs.readable()}
    small = [HostileMail(name, raw) for name, raw in bombs.items() if len(raw) <= LARGEST]
    return [*(hostile("slow", n, slow) for n in range(SLOW)), *small, *Malformed(SEED + 1).mails(WORST)]


async def delay_of(api: httpx.AsyncClient, box: PostBox, inbox: str, subject: str) -> float:
    """Seconds from a letter's arrival in the mailbox until an agent can see it."""
    await asyncio.to_thread(box.put, letter("dora@customers.example.com", box.address, subject, "Is it ready?"))
    begun = time.monotonic()

    async def there() -> bool:
        page = await api.get("/v1/conversations", params={"inbox": inbox, "limit": 10, "sort": "newest"})
        return page.status_code == 200 and any(c["subject"] == subject for c in page.json()["items"])

    await until(f"{subject} is there", there, 60, every=0.25)
    return time.monotonic() - begun


def rows(rig: Rig, statement: str, **bound: Any) -> list[Any]:
    engine = create_engine(rig.stack.database_admin_url, poolclass=NullPool)
    with engine.connect() as connection:
        found = list(connection.execute(text(statement), bound).all())
    engine.dispose()
    return found


@pytest.mark.timeout(240)
async def test_the_worst_of_one_inbox_ends_in_rows_and_delays_no_other(tmp_path: Path) -> None:
    mails = worst()
    async with post_office(tmp_path) as post:
        rig = Rig(tmp_path / "data", hasty=False, durable=False)
        try:
            await rig.start_servers()
            bad, good = post.boxes(["poisoned@mailroom.example.com", "calm@mailroom.example.com"])
            await rig.start_programs()
            async with rig.desk() as api, rig.client(rig.key) as poll:
                bad_inbox = await connect_inbox(api, address=bad.address, imap=bad.imap, smtp=post.submission)
                good_inbox = await connect_inbox(api, address=good.address, imap=good.imap, smtp=post.submission)
                usual = [await delay_of(poll, good, good_inbox, f"Before {n}") for n in range(3)]
                for mail in mails:
                    await asyncio.to_thread(bad.put, mail.raw)
                ends, beside, n = time.monotonic() + 90, [], 0
                while time.monotonic() < ends:
                    beside.append(await delay_of(poll, good, good_inbox, f"Beside {n}"))
                    n += 1
                    states = dict(rows(rig, "select state, count(*) from ledger where inbox_id = :i group by 1", i=bad_inbox))
                    if sum(states.values()) == len(mails) and not states.get("stored", 0) and not states.get("seen", 0):
                        break
                assert sum(states.values()) == len(mails), (states, len(mails), rig.log_tail("worker"))
                assert set(states) <= {"ingested", "skipped", "quarantined"}, states
                print("states", states, "usual", usual, "beside", beside)
                assert len(beside) > 3
                assert max(beside) - statistics.median(usual) <= LATER, beside
                await _placeholders(rig, api, bad_inbox)
                await _everything_can_be_shown(rig, api, bad_inbox)
            assert rig.process_of("worker") is not None
            assert rig.process_of("api") is not None
        finally:
            await rig.stop()


async def _placeholders(rig: Rig, api: httpx.AsyncClient, inbox: str) -> None:
    quarantined = rows(
        rig,
        """
        select q.reason, q.detail, l.message_id from quarantine q join ledger l on l.id = q.ledger_id
        where l.inbox_id = :i and q.resolved_at is null
        """,
        i=inbox,
    )
    assert len(quarantined) >= 8
    assert {reason for reason, _, _ in quarantined} == {"too_complex"}
    for reason, detail, message_id in quarantined[:10]:
        assert detail.startswith("over the limit")
        shown = (await _patient(partial(api.get, f"/v1/messages/{message_id}"))).json()
        assert shown["quarantine"]["reason"] == reason
        assert shown["body_text"] == ""


async def _everything_can_be_shown(rig: Rig, api: httpx.AsyncClient, inbox: str) -> None:
    """Of every fourth message: itself, its frame, its raw mail, and a download of its first file."""
    ids = [str(row[0]) for row in rows(rig, "select id from messages where inbox_id = :i order by id", i=inbox)][::4]
    for message_id in ids:
        found = await _patient(partial(api.get, f"/v1/messages/{message_id}"))
        assert found.status_code == 200, (message_id, found.text)
        frame = await _patient(partial(api.get, f"/v1/messages/{message_id}/frame?part=all"))
        assert frame.status_code == 200, (message_id, frame.text[:300])
        for file in found.json()["attachments"][:1]:
            moved = await _patient(partial(api.get, file["url"]))
            assert moved.status_code == 302, (message_id, moved.text)
            async with httpx.AsyncClient(trust_env=False) as anybody:
                assert len((await anybody.get(moved.headers["location"])).content) == file["size_bytes"]


async def _patient(ask: Callable[[], Any]) -> httpx.Response:
    """An answer, after waiting where the API asks for patience."""
    while True:
        answer: httpx.Response = await ask()
        if answer.status_code != 429:
            return answer
        with contextlib.suppress(ValueError):
            await asyncio.sleep(min(5.0, float(answer.headers.get("retry-after", "1"))))
