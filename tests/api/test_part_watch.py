"""A part counts as away after two failed looks, and is back after one good one."""

import asyncio

from api.part_watch import PartWatch


async def test_one_slow_answer_alarms_nobody(monkeypatch) -> None:
    monkeypatch.setattr("api.part_watch.PART_SECONDS", 0.05)
    broken: set[str] = set()

    async def s3() -> None:
        if "s3" in broken:
            await asyncio.sleep(60)

    async def temporal() -> None:
        if "temporal" in broken:
            raise ConnectionError

    watch = PartWatch({"temporal": temporal, "s3": s3})
    assert all(p.ok for p in (await watch.look()).values())
    broken |= {"s3", "temporal"}
    looked = await watch.look()
    assert {n: p.ok for n, p in looked.items()} == {"temporal": False, "s3": False}
    assert looked["temporal"].detail == "ConnectionError"
    assert "no answer within" in looked["s3"].detail
    assert watch.away == ()
    await watch.look()
    assert watch.away == ("temporal", "s3")
    broken.discard("s3")
    await watch.look()
    assert watch.away == ("temporal",)


async def test_it_looks_by_itself(monkeypatch) -> None:
    monkeypatch.setattr("api.part_watch.EVERY_SECONDS", 0.02)
    monkeypatch.setattr("api.part_watch.AGAIN_SECONDS", 0.02)
    well = [False]

    async def ask() -> None:
        if not well[0]:
            raise OSError

    watch = PartWatch({"s3": ask})
    watch.start()
    try:
        async with asyncio.timeout(5):
            while watch.away != ("s3",):  # noqa: ASYNC110 – the watch has no event for it
                await asyncio.sleep(0.01)
            well[0] = True
            while watch.away:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    finally:
        await watch.close()
