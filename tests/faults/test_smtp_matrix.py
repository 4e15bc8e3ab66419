"""Every phase of a submission × every fault, through workflow, steps and rows (done when: before the dot delivered exactly
once in the end, 5yz failed at once, from the dot on never submitted twice and put to a person within five minutes).
"""

import collections
import hashlib
import uuid
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from api import rendering
from contracts.outbound import SendState
from contracts.refs import MessageRef
from store.messages_view import get_message
from store.unit_of_work import Database
from store.visibility import Viewer
from tests.faults.smtp_mill import Mill, Patience, message_row, open_mill, seconds_to_the_question
from tests.servers.databases import Database as ServerDatabase
from tests.servers.scripted_smtp import (
    Action,
    Close,
    Garbage,
    Phase,
    Reply,
    Reset,
    ScriptedSmtp,
    Silence,
    Slow,
)
from tests.servers.time_skipping import time_skipping
from tests.store.desk import NOW, Desk

FAULTS: dict[str, Action] = {
    "close": Close(),
    "reset": Reset(),
    "421": Reply("421 4.3.2 closing down"),
    "451": Reply("451 4.3.0 later"),
    "550": Reply("550 5.7.1 no"),
    "silence": Silence(30.0),
    "slow": Slow(0.3),
    "garbage": Garbage(),
}
BEFORE_THE_DOT: tuple[Phase, ...] = (
    "connect", "banner", "ehlo", "starttls", "auth", "mail", "rcpt", "data", "body",
)  # fmt: skip
NAMED = ("ann@example.com", "bob@example.com", "cyd@example.com")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def mill(module_database: ServerDatabase) -> AsyncIterator[Mill]:
    database = Database(module_database.url)
    async with time_skipping() as environment, open_mill(environment, database) as made:
        yield made
    await database.close()


def patience_for(phase: Phase, fault: str) -> Patience:
    """Only the wait that a silence falls into is short, so that a busy machine changes no outcome."""
    before_dot = 0.15 if phase == "body" else 0.0
    if fault != "silence":
        return Patience(before_dot=before_dot)
    if phase in {"connect", "banner"}:
        return Patience(connect=0.4)
    return Patience(dot=0.4) if phase in {"body", "dot"} else Patience(command=0.4)


async def proven(server: ScriptedSmtp, desk: Desk, ref: MessageRef) -> collections.Counter[str]:
    """How often each recipient was served; every accepted mail is the frozen one, byte for byte."""
    row = await message_row(desk, ref)
    for mail in server.accepted:
        assert mail.message_id == row["message_id_header"]
        assert mail.sha256 == row["raw_sha256"] == hashlib.sha256(mail.raw).hexdigest()
    return collections.Counter(address for mail in server.accepted for address in mail.rcpt_tos)


async def what_the_agent_sees(mill: Mill, desk: Desk, ref: MessageRef) -> tuple[str, list[str]]:
    viewer = Viewer(desk.tenant_id, None, sees_all=True)
    async with mill.database.unit_of_work(desk.tenant_id) as connection:
        row = await get_message(connection, viewer, uuid.UUID(ref.message_id))
    assert row is not None
    shown = rendering.message(row, NOW).send
    assert shown is not None
    return shown.status, list(shown.can)


@pytest.mark.parametrize(
    ("phase", "fault"),
    # A server that stops reading in the body shows only when the dot is not answered: below.
    [(phase, fault) for phase in BEFORE_THE_DOT for fault in FAULTS if (phase, fault) != ("body", "silence")],
)
async def test_before_the_dot(mill: Mill, scripted_smtp: ScriptedSmtp, phase: Phase, fault: str) -> None:
    scripted_smtp.on(phase, FAULTS[fault], times=1)
    desk = await mill.desk(scripted_smtp, patience_for(phase, fault))
    ref = await mill.queue(desk)
    end, _ = await mill.send(ref)
    served = await proven(scripted_smtp, desk, ref)
    if fault == "550":
        assert (end.state, end.attempts) == (SendState.FAILED, 1)
        assert served == {}
        assert await what_the_agent_sees(mill, desk, ref) == ("failed", ["retry"])
        assert "550" in str((await message_row(desk, ref))["send_error"])
    else:
        assert (end.state, end.attempts) == (SendState.SENT, 1 if fault == "slow" else 2)
        assert served == {"carla@customer.example.com": 1}
        assert await what_the_agent_sees(mill, desk, ref) == ("sent", [])


@pytest.mark.parametrize("fault", FAULTS)
async def test_at_one_of_several_recipients(mill: Mill, scripted_smtp: ScriptedSmtp, fault: str) -> None:
    """S-7: what is said of one recipient is not held against the others."""
    scripted_smtp.on("rcpt", FAULTS[fault], nth=2, times=1)
    desk = await mill.desk(scripted_smtp, patience_for("rcpt", fault))
    ref = await mill.queue(desk, NAMED)
    end, _ = await mill.send(ref)
    served = await proven(scripted_smtp, desk, ref)
    groups = [mail.rcpt_tos for mail in scripted_smtp.accepted]
    states = [state for _, _, state in await desk.recipients(uuid.UUID(ref.message_id))]
    ann, bob, cyd = NAMED
    if fault == "550":
        assert (end.state, states) == (SendState.FAILED, ["sent", "failed", "sent"])
        assert groups == [(ann, cyd)]
    elif fault == "451":
        assert (end.state, states) == (SendState.SENT, ["sent"] * 3)
        assert groups == [(ann, cyd), (bob,)]
    else:
        assert (end.state, states) == (SendState.SENT, ["sent"] * 3)
        assert groups == [NAMED]
        assert served == dict.fromkeys(NAMED, 1)


@pytest.mark.parametrize(
    ("phase", "fault", "stored"),
    [
        *(
            ("dot", fault, stored)
            for fault in ("close", "reset", "silence", "garbage")
            for stored in (True, False)
        ),
        ("body", "silence", False),
    ],
)
async def test_no_answer_to_the_dot(
    mill: Mill, scripted_smtp: ScriptedSmtp, phase: Phase, fault: str, stored: bool
) -> None:
    """Never submitted again, whether the server took it or not, and a person is asked within five minutes."""
    scripted_smtp.on(phase, FAULTS[fault], times=1, stored=stored)
    desk = await mill.desk(scripted_smtp, patience_for(phase, fault))
    ref = await mill.queue(desk)
    end, handle = await mill.send(ref)
    assert (end.state, end.attempts) == (SendState.UNKNOWN, 1)
    assert 120 <= await seconds_to_the_question(handle) < 300
    assert await what_the_agent_sees(mill, desk, ref) == ("unknown", ["resolve"])
    assert (await desk.conversation())["unknown_sends"] == 1
    assert "message.unknown" in await desk.events()
    connections = scripted_smtp.connections
    again, _ = await mill.send(ref)  # the server is well again, and somebody starts the flow once more
    assert (again.state, again.attempts) == (SendState.UNKNOWN, 0)
    assert scripted_smtp.connections == connections
    assert await proven(scripted_smtp, desk, ref) == ({"carla@customer.example.com": 1} if stored else {})


@pytest.mark.parametrize("fault", ["421", "451", "550", "slow"])
async def test_an_answer_to_the_dot_decides(mill: Mill, scripted_smtp: ScriptedSmtp, fault: str) -> None:
    scripted_smtp.on("dot", FAULTS[fault], times=1)
    desk = await mill.desk(scripted_smtp, Patience())
    ref = await mill.queue(desk)
    end, _ = await mill.send(ref)
    served = await proven(scripted_smtp, desk, ref)
    if fault == "550":
        assert (end.state, end.attempts, served) == (SendState.FAILED, 1, {})
    else:
        assert (end.state, end.attempts) == (SendState.SENT, 1 if fault == "slow" else 2)
        assert served == {"carla@customer.example.com": 1}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("phase", ["accepted", "quit"])
async def test_after_the_acceptance(
    mill: Mill, scripted_smtp: ScriptedSmtp, phase: Phase, fault: str
) -> None:
    """A 250 to the dot is the end: nothing that comes after it can unsend the mail or send it again."""
    scripted_smtp.on(phase, FAULTS[fault], times=1)
    desk = await mill.desk(scripted_smtp, Patience())
    ref = await mill.queue(desk)
    end, _ = await mill.send(ref)
    assert (end.state, end.attempts) == (SendState.SENT, 1)
    again, _ = await mill.send(ref)
    assert again.state is SendState.SENT
    assert await proven(scripted_smtp, desk, ref) == {"carla@customer.example.com": 1}
