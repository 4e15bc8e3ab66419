"""Mails one person what waits to be told, at most once for each window: claims the window in the database, then starts the sending.

If it ends between the two, the queued message stands in its row and the sweep starts its sending.
"""

from temporalio import workflow
from temporalio.common import SearchAttributePair

with workflow.unsafe.imports_passed_through():
    from contracts import ids, queues, timing
    from contracts.digest import DigestClaim, DigestRef, DigestSteps
    from contracts.refs import MessageRef
    from contracts.search_attributes import INBOX_ID, TENANT_ID
    from workflows.children import start_once


@workflow.defn(name="Digest")
class Digest:
    @workflow.run
    async def run(self, ref: DigestRef) -> DigestClaim:
        claim = await workflow.execute_activity_method(
            DigestSteps.claim,
            ref,
            task_queue=queues.FLOW,
            start_to_close_timeout=timing.QUICK,
            retry_policy=timing.DATABASE_RETRY,
            summary="what waits to be told",
        )
        workflow.set_current_details(claim.reason)
        if claim.message_id is not None:
            about = [SearchAttributePair(TENANT_ID, ref.tenant_id), SearchAttributePair(INBOX_ID, claim.inbox_id)]
            message = MessageRef(ref.tenant_id, claim.message_id)
            if not await start_once("SendMessage", message, ids.send_message(claim.message_id), about, "digest of notices"):
                workflow.logger.info("the sending runs already")
        return claim
