"""A backlog of one tenant in several inboxes does not delay another tenant's new mail (`benchmarks/fairness.py` has the whole size)."""

from pathlib import Path

import pytest

from benchmarks.fairness import PROMISE, measure
from tests.faults.post_boxes import post_office
from tests.faults.rig import Rig

MAILS, INBOXES = 3000, 6


@pytest.mark.timeout(240)
async def test_new_mail_of_another_tenant_is_there_within_fifteen_seconds(tmp_path: Path) -> None:
    rig = Rig(tmp_path / "rig", hasty=False, durable=False)
    try:
        async with post_office(tmp_path) as post:
            await rig.start_servers()
            await rig.start_programs()
            found = await measure(rig, post, count=MAILS, inboxes=INBOXES, within=150)
    finally:
        await rig.stop()
    assert len(found.beside) >= 4
    assert max(found.beside) <= PROMISE, str(found)
