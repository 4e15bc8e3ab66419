"""The automatic first answer: at most one for a conversation, only where RFC 3834 and our budgets allow it."""

from dataclasses import dataclass

from temporalio import activity

from contracts.refs import ConversationRef


@dataclass(frozen=True, slots=True)
class AutoResponseClaim:
    """`message_id` of the queued answer, or None with the rule that kept us silent (see docs/outbound-path.md).
    `inbox_id` is the conversation's, "" where it is gone.
    """

    message_id: str | None
    reason: str
    inbox_id: str = ""


class AutoResponseSteps:
    @activity.defn(name="auto_response.claim")
    async def claim(self, ref: ConversationRef) -> AutoResponseClaim:
        """Take the right to answer and queue the answer, in one transaction. Twice: the first claim's answer is named."""
        raise NotImplementedError
