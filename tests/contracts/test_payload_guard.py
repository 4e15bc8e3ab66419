"""No payload over 2 KB crosses the wire."""

import pytest
from temporalio.exceptions import ApplicationError

from contracts.inbound import FetchReport, ReactReport
from contracts.payload_guard import LIMIT, data_converter
from contracts.refs import ConversationRef
from contracts.sweep import SweepFindings, SweepFound

UUID = "01890a5d-ac96-774b-bcce-b302099a8057"


async def test_a_lean_report_passes_unchanged() -> None:
    report = FetchReport(stored=1, vanished=0, quarantined=0, flags_changed=2, folders=3, health="ok", pending=1)
    converter = data_converter()
    assert await converter.decode(await converter.encode([report]), [FetchReport]) == [report]


async def test_a_fat_payload_is_refused_for_good() -> None:
    with pytest.raises(ApplicationError) as caught:
        await data_converter().encode(["x" * LIMIT])
    assert caught.value.type == "PayloadTooLarge"
    assert caught.value.non_retryable


async def test_the_longest_legitimate_payloads_fit() -> None:
    await data_converter().encode([ReactReport(tuple(ConversationRef(UUID, UUID) for _ in range(10)), more=True)])
    await data_converter().encode([SweepFindings((SweepFound(UUID, UUID, UUID),) * 10, next=UUID)])
