"""A process that delivers one message and is killed on the way: `python -m tests.activities.dying_sender URL TENANT MESSAGE FILE KEY`."""

import asyncio
import sys
import uuid
from pathlib import Path

from contracts.refs import MessageRef
from store.unit_of_work import Database
from tests.activities.send_room import SendRoom
from tests.store.desk import Desk

URL, TENANT, MESSAGE, FILE, KEY = range(1, 6)


async def deliver(given: list[str]) -> None:
    nowhere = uuid.UUID(int=0)
    desk = Desk(Database(given[URL]), uuid.UUID(given[TENANT]), nowhere, nowhere, nowhere, nowhere)
    room = SendRoom(desk, dot_timeout=60.0)
    room.blobs.objects[given[KEY]] = Path(given[FILE]).read_bytes()  # noqa: ASYNC240 – nothing else runs here
    await room.deliver(MessageRef(given[TENANT], given[MESSAGE]))


if __name__ == "__main__":
    asyncio.run(deliver(sys.argv))
