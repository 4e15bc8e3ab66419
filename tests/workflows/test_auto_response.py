"""The automatic answer's flow: claims, then starts the sending once; silence starts nothing."""

import datetime as dt
import uuid
from collections.abc import Sequence

from temporalio import activity, workflow
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from contracts import ids, queues
from contracts.auto_response import AutoResponseClaim, AutoResponseSteps
from contracts.refs import ConversationRef
from workflows.auto_response import AutoResponse

REF = ConversationRef(str(uuid.UUID(int=1)), str(uuid.UUID(int=2)))
MESSAGE, INBOX = str(uuid.UUID(int=3)), str(uuid.UUID(int=4))


@workflow.defn(name="SendMessage")
class Sending:
    @workflow.run
    async def run(self, _ref: object) -> None:
        await workflow.sleep(dt.timedelta(days=30))


class Desk(AutoResponseSteps):
    def __init__(self, claim: AutoResponseClaim) -> None:
        self.answer = claim

    @activity.defn(name="auto_response.claim")
    async def claim(self, ref: ConversationRef) -> AutoResponseClaim:
        assert ref == REF
        return self.answer


async def run(env: WorkflowEnvironment, claim: AutoResponseClaim, times: int) -> Sequence[AutoResponseClaim]:
    async with Worker(
        env.client,
        task_queue=queues.FLOW,
        workflows=[AutoResponse, Sending],
        activities=[Desk(claim).claim],
        workflow_runner=UnsandboxedWorkflowRunner(),
    ):
        return [
            await env.client.execute_workflow(
                AutoResponse.run, REF, id=ids.auto_response(REF.conversation_id), task_queue=queues.FLOW
            )
            for _ in range(times)
        ]


async def count(env: WorkflowEnvironment) -> int:
    described = env.client.get_workflow_handle(ids.send_message(MESSAGE))
    return int((await described.describe()).workflow_type == "SendMessage")


async def test_the_claimed_answer_is_sent_and_a_second_run_finds_it_under_way(
    time_skipping_env: WorkflowEnvironment,
) -> None:
    claim = AutoResponseClaim(MESSAGE, "answered", INBOX)
    assert await run(time_skipping_env, claim, 2) == [claim, claim]
    assert await count(time_skipping_env) == 1


async def test_silence_is_a_result_too(time_skipping_env: WorkflowEnvironment) -> None:
    claim = AutoResponseClaim(None, "list-id", INBOX)
    assert await run(time_skipping_env, claim, 1) == [claim]
