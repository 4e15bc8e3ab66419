"""Search attributes: the servers know exactly those that the workflows use, and whoever starts a flow names its inbox."""

import json

from contracts import search_attributes
from stack.temporal import SEARCH_ATTRIBUTES
from tests.workflows import saved


def test_the_stack_registers_what_the_contracts_list() -> None:
    assert {key.name: key.indexed_value_type for key in search_attributes.ALL} == dict(SEARCH_ATTRIBUTES)


def test_sends_and_answers_name_tenant_and_inbox_whoever_starts_them() -> None:
    """Else the list of an inbox in the Temporal UI shows some of its mails and not others."""
    starters: dict[str, set[str]] = {"SendMessage": set(), "AutoResponse": set()}
    for path in saved.files():
        for event in json.loads(path.read_text())["events"]:
            start = event.get("startChildWorkflowExecutionInitiatedEventAttributes")
            if start is None or start["workflowType"]["name"] not in starters:
                continue
            starters[start["workflowType"]["name"]].add(path.parent.name)
            named = set(start.get("searchAttributes", {}).get("indexedFields", {}))
            assert named == {"TenantId", "InboxId"}, path
    assert starters == {"SendMessage": {"AutoResponse", "Digest", "Sweep"}, "AutoResponse": {"Desk", "InboxSync", "Sweep"}}
