"""What every workflow does beside its order of steps: tells how long its history is, and for which tenant a step works.

Neither is a command of its own, so histories replay alike with and without it. Temporal hands waiting steps out in turn by
tenant where its server can (fairness keys); elsewhere the key is ignored.
"""

from typing import Any

from temporalio import workflow
from temporalio.common import MetricHistogram, Priority
from temporalio.worker import (
    Interceptor,
    StartActivityInput,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)

HISTORY_METRIC = "mailroom_workflow_history_events"


class UnderWatch(Interceptor):
    """Give it to each worker that runs workflows."""

    def workflow_interceptor_class(self, input: WorkflowInterceptorClassInput) -> type[WorkflowInboundInterceptor]:  # noqa: A002  # the library's name
        del input
        return _Inbound


class _Inbound(WorkflowInboundInterceptor):
    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        super().init(_Outbound(outbound))


class _Outbound(WorkflowOutboundInterceptor):
    def __init__(self, following: WorkflowOutboundInterceptor) -> None:
        super().__init__(following)
        self._lengths: MetricHistogram | None = None

    def start_activity(self, input: StartActivityInput) -> "workflow.ActivityHandle[Any]":  # noqa: A002
        if self._lengths is None:
            self._lengths = workflow.metric_meter().create_histogram(
                HISTORY_METRIC, "Events in a workflow's history when it asked for a step"
            )
        self._lengths.record(workflow.info().get_current_history_length())
        tenant = getattr(input.args[0], "tenant_id", None) if input.args else None
        if isinstance(tenant, str) and input.priority == Priority.default:
            input.priority = Priority(fairness_key=tenant)
        return super().start_activity(input)
