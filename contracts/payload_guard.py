"""Keeps histories lean: refuses any payload over 2 KB before it crosses the wire (integrity T-1).

Only ids, counts, enums and instants cross, so nothing legitimate comes near the limit; what does is a defect, and a body
or an address that slipped in would most likely be found by its size first.
"""

from collections.abc import Sequence

from temporalio.api.common.v1 import Payload
from temporalio.converter import DataConverter, PayloadCodec
from temporalio.exceptions import ApplicationError

from contracts.failures import SENTENCES

LIMIT = 2048  # bytes of one payload


class PayloadGuard(PayloadCodec):
    """Passes payloads through unchanged. Raises the failure `PayloadTooLarge`, which no retry can mend."""

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        for payload in payloads:
            if payload.ByteSize() > LIMIT:
                raise ApplicationError(
                    SENTENCES["PayloadTooLarge"], type="PayloadTooLarge", non_retryable=True
                )
        return list(payloads)

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return list(payloads)


def data_converter() -> DataConverter:
    """The converter that every client and worker of Mailroom uses."""
    return DataConverter(payload_codec=PayloadGuard())
