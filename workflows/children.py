"""Starts a workflow that nobody waits for. Starting twice is starting once: its id is taken."""

from collections.abc import Sequence

from temporalio import workflow
from temporalio.common import SearchAttributePair, TypedSearchAttributes, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.workflow import ParentClosePolicy


async def start_once(
    name: str, argument: object, workflow_id: str, about: Sequence[SearchAttributePair[str]], summary: str
) -> bool:
    """False when it runs already. It outlives whoever starts it, and may run again once it has ended."""
    try:
        await workflow.start_child_workflow(
            name,
            argument,
            id=workflow_id,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            parent_close_policy=ParentClosePolicy.ABANDON,
            search_attributes=TypedSearchAttributes(about),
            static_summary=summary,
        )
    except WorkflowAlreadyStartedError:
        return False
    return True
