"""Answers one conversation automatically, at most once: claims the right in the database, then starts the sending.

If it ends between the two, the queued message stands in its row and the sweep starts its sending.
"""

from temporalio import workflow
from temporalio.common import SearchAttributePair

with workflow.unsafe.imports_passed_through():
    from contracts import ids, queues, timing
    from contracts.auto_response import AutoResponseClaim, AutoResponseSteps
    from contracts.refs import ConversationRef, MessageRef
    from contracts.search_attributes import INBOX_ID, TENANT_ID
    from workflows.children import start_once


@workflow.defn(name="AutoResponse")
class AutoResponse:
    @workflow.run
    async def run(self, ref: ConversationRef) -> AutoResponseClaim:
        claim = await workflow.execute_activity_method(
            AutoResponseSteps.claim,
            ref,
            task_queue=queues.FLOW,
            start_to_close_timeout=timing.QUICK,
            retry_policy=timing.DATABASE_RETRY,
            summary="may it be answered",
        )
        workflow.set_current_details(claim.reason)
        if claim.message_id is not None:
            about = [SearchAttributePair(TENANT_ID, ref.tenant_id), SearchAttributePair(INBOX_ID, claim.inbox_id)]
            message = MessageRef(ref.tenant_id, claim.message_id)
            if not await start_once("SendMessage", message, ids.send_message(claim.message_id), about, "automatic answer"):
                workflow.logger.info("the sending runs already")
        return claim
