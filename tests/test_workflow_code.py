"""Runs of a workflow share its compiled code and nothing else."""

import importlib
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from temporalio.worker.workflow_sandbox import SandboxRestrictions
from temporalio.worker.workflow_sandbox._importer import Importer
from temporalio.worker.workflow_sandbox._restrictions import RestrictionContext

import workflows
from workflow_code import share_workflow_code


@pytest.fixture(autouse=True)
def finders() -> Iterator[None]:
    yield
    for place in workflows.__path__:
        sys.path_importer_cache.pop(place, None)  # found anew when it is asked for


def in_a_sandbox(name: str) -> Any:
    """The class `Snooze` as one run of a workflow sees it."""
    restrictions = SandboxRestrictions.default.with_passthrough_modules("contracts")
    with Importer(restrictions, RestrictionContext()).applied():
        return importlib.import_module(name).Snooze


def test_two_runs_have_one_code_and_each_their_own_variables() -> None:
    share_workflow_code()
    one, other = in_a_sandbox("workflows.snooze"), in_a_sandbox("workflows.snooze")
    assert one is not other
    assert one.run.__code__ is other.run.__code__
    assert one.run.__globals__ is not other.run.__globals__


def test_without_it_each_run_reads_its_own() -> None:
    one, other = in_a_sandbox("workflows.snooze"), in_a_sandbox("workflows.snooze")
    assert one.run.__code__ is not other.run.__code__
