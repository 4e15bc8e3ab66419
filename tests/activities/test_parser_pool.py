"""One poisonous mail costs itself only: children that die, hang, bloat or fail are replaced, and the others go on."""

import asyncio
import multiprocessing
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from activities import parser_child
from activities.parser_child import ReadMail, ReadOrder, Unread, empty_card, read_chunk
from activities.parser_pool import LEFT, ParserPool
from tests.activities.mail_room import SECRET, letter
from tests.activities.poison import poisoned


@pytest.fixture(scope="module")
def pool() -> Iterator[ParserPool]:
    made = ParserPool(
        workers=2, secret=SECRET, memory_bytes=256 * 1024 * 1024, cpu_seconds=1, wall_seconds=3.0, begin=poisoned
    )
    yield made
    made.close()


def orders(subjects: Sequence[str]) -> list[ReadOrder]:
    return [
        ReadOrder(letter(n, subject=subject), "tenant", "inbox", frozenset({"desk@example.org"}))
        for n, subject in enumerate(subjects)
    ]


@pytest.mark.parametrize(
    ("poison", "reason"),
    [
        ("die", "parser_died"),
        ("crash", "parser_died"),
        ("loop", "parser_timeout"),
        ("sleep", "parser_timeout"),
        ("bloat", "parser_memory"),
        ("raise", "parser_error"),
        ("complex", "too_complex"),
    ],
)
async def test_poison_costs_itself_only(pool: ParserPool, poison: str, reason: str) -> None:
    answers = await pool.read(orders(["one", "two", poison, "three"]))
    good = [a.mail.subject for a in answers if isinstance(a, ReadMail)]
    assert good == ["one", "two", "three"]
    bad = answers[2]
    assert isinstance(bad, Unread)
    assert bad.reason == reason
    assert bad.final == (poison == "complex")
    assert "quotes" not in bad.detail
    assert (bad.stack_hash is not None) == (poison == "raise")


async def test_answers_keep_their_order_over_many_chunks(pool: ParserPool) -> None:
    answers = await pool.read(orders([f"mail {n}" for n in range(100)]))
    assert [a.mail.subject for a in answers if isinstance(a, ReadMail)] == [f"mail {n}" for n in range(100)]


async def test_a_card_survives_what_the_parser_does_not(pool: ParserPool) -> None:
    (order,) = orders(["die"])
    answer = await pool.read_alone(
        ReadOrder(order.raw, order.tenant, order.folder_role, order.own_addresses, headers_only=True)
    )
    assert isinstance(answer, ReadMail)
    assert answer.mail.subject == "die"
    assert answer.verdict.reason == "unreadable"
    assert not answer.verdict.may_answer


def test_what_leaves_a_child_has_no_headers() -> None:
    (answer,) = read_chunk(orders(["one"]))
    assert isinstance(answer, ReadMail)
    assert answer.mail.headers == ()
    assert answer.hints.own_id == "<m0@customer.example.com>"


def test_the_empty_card_is_a_mail_like_others() -> None:
    card = empty_card("ab" * 32, 12)
    assert card.mail.content_id == card.mail.raw_sha256 == "ab" * 32
    assert card.mail.message_id is None


def test_files_that_lie_in_the_mail_stay_there(monkeypatch: pytest.MonkeyPatch) -> None:
    order = ReadOrder(letter(1, files=(("a.bin", b"one"),)), "tenant", "inbox", frozenset())
    (answer,) = read_chunk([order])
    assert isinstance(answer, ReadMail)
    (part,) = answer.mail.parts
    assert (part.content, part.size) == (b"", 3)
    assert part.place is not None
    monkeypatch.setattr(parser_child, "LARGEST_LEFT_IN_MAIL", 1)
    (answer,) = read_chunk([order])
    assert isinstance(answer, ReadMail)
    (part,) = answer.mail.parts
    assert (part.content, part.place) == (b"one", None)  # a large one is stored at once


async def test_mails_within_a_pack_are_read_like_others(pool: ParserPool) -> None:
    alone = orders(["one", "two", "three"])
    pack = memoryview(b"before" + b"".join(order.raw for order in alone) + b"behind")
    packed, start = [], 6
    for order in alone:
        packed.append(replace(order, raw=pack[start : start + len(order.raw)]))
        start += len(order.raw)
    assert await pool.read(packed) == read_chunk(alone)


@pytest.mark.parametrize("poison", ["loop", "sleep"])
async def test_poison_of_one_inbox_does_not_delay_another(poison: str) -> None:
    async with ParserPool(workers=2, secret=SECRET, cpu_seconds=10, wall_seconds=20.0, begin=poisoned, patience=0.3) as pool:
        await pool.read(orders(["warm", "up"]))
        bad = asyncio.create_task(pool.read(orders([poison] * 64), "poisoned inbox"))
        delays = []
        for _ in range(12):
            await asyncio.sleep(0.1)
            before = time.monotonic()
            (answer,) = await pool.read(orders(["good"]), "another inbox")
            assert isinstance(answer, ReadMail)
            delays.append(time.monotonic() - before)
        bad.cancel()
        await asyncio.gather(bad, return_exceptions=True)
    assert max(delays) < 2.5, delays


async def test_a_batch_full_of_poison_ends_early_and_what_was_not_tried_waits() -> None:
    async with ParserPool(workers=2, secret=SECRET, wall_seconds=5.0, begin=poisoned) as pool:
        answers = await pool.read(orders([*["good"] * 16, *["die"] * 64]), most_deaths=4)
    reasons = [a.reason for a in answers if isinstance(a, Unread)]
    assert len(reasons) == 64
    assert reasons.count("parser_died") <= 6  # as many as were being read when it was enough
    assert reasons.count("not_tried") == 64 - reasons.count("parser_died")
    assert not LEFT.final


async def test_whoever_gives_up_leaves_no_seat_taken_and_no_child_behind() -> None:
    before = {p.pid for p in multiprocessing.active_children()}
    async with ParserPool(workers=2, secret=SECRET, begin=poisoned, patience=0.2) as pool:
        for wait in (0.0, 0.02, 0.1, 0.6):
            reading = asyncio.create_task(pool.read(orders(["sleep"] * 64), "gone"))
            await asyncio.sleep(wait)
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading
            assert pool._seats.counts() == {"held": 0, "aside": 0, "waiting": 0}
            assert not pool._busy
        await asyncio.sleep(0.5)  # for a child that was being started
        idle = {child._process.pid for child in pool._idle}
        assert {p.pid for p in multiprocessing.active_children()} <= before | idle


async def test_warmed_children_are_there_before_the_first_mail() -> None:
    async with ParserPool(workers=2, secret=SECRET) as pool:
        await pool.warm()
        await pool.warm()
        ahead = {child._process.pid for child in pool._idle}
        assert len(ahead) == 2
        answers = await pool.read(orders(["one", "two"]))
        assert all(isinstance(answer, ReadMail) for answer in answers)
        assert {child._process.pid for child in pool._idle} == ahead
