"""Routing rules: what one says, its versions, what it would have done, and why it did or did not act in a conversation."""

import uuid
from typing import Annotated, Any, Literal

from pydantic import Field

from api.schemas.base import Addr, Answer, Asked, Instant, Name

RuleTrigger = Literal["message", "change"]
Written = dict[str, Any]


class NewRule(Asked):
    """`condition` and `actions` as docs/rules.md describes them. A new rule stands at the end of the order."""

    name: Name
    condition: Written
    actions: Annotated[list[Written], Field(max_length=50)]
    enabled: bool = True
    shadow: bool = False
    stop: bool = False
    trigger: RuleTrigger = "message"


class ChangeRule(Asked):
    """What is left out stays. Every change is a new version."""

    name: Name | None = None
    condition: Written | None = None
    actions: Annotated[list[Written], Field(max_length=50)] | None = None
    enabled: bool | None = None
    shadow: bool | None = None
    stop: bool | None = None
    trigger: RuleTrigger | None = None


class RuleVersion(Answer):
    """One version. `changed_by` is `user:<id>`, `api` or `system`. `reads_headers`: it asks for lines of the raw mail."""

    id: str
    version: int
    name: str
    enabled: bool
    shadow: bool
    stop: bool
    trigger: RuleTrigger
    condition: Written
    actions: list[Written]
    reads_headers: bool
    changed_at: Instant
    changed_by: str


class Rule(RuleVersion):
    """`hits` of the last seven days, counted up to 1,000."""

    position: int
    hits: int
    created_at: Instant


class RuleOrder(Asked):
    """Every rule exactly once, in the order in which they are to be looked at."""

    ids: Annotated[list[uuid.UUID], Field(max_length=1000)]


class NewDryRun(Asked):
    """`rule_id` is the rule that this one would replace, whose place it takes; left out: it would be the last."""

    rule: NewRule
    rule_id: uuid.UUID | None = None
    days: Annotated[int, Field(ge=1, le=90)] = 30


class ActionCount(Answer):
    """`would`: mails on which it would have done something; `stands`: where that stands already."""

    type: str
    would: int
    stands: int


class StoppedBy(Answer):
    rule_id: str
    name: str
    count: int


class Conflicts(Answer):
    """`by_hand`: an agent holds the conversation by hand and keeps it; `overrides`: it would be taken from them; `replaces`: its
    category or priority stands otherwise now.
    """

    stopped_before: int
    stopped_by: list[StoppedBy]
    by_hand: int
    overrides: int
    replaces: int


class SampleMail(Answer):
    message_id: str
    conversation_id: str
    number: int
    subject: str
    from_: Annotated[Addr, Field(alias="from")]
    received_at: Instant


class DryRun(Answer):
    """A rule tried on stored mail. While `state` is `running`, `POST …/continue` carries it on. `unknown`: mails of which the
    answer cannot be known, because their header lines are gone.
    """

    id: str
    state: Literal["running", "done"]
    days: int
    since: Instant
    looked_at: int
    matched: int
    unknown: int
    actions: list[ActionCount]
    conflicts: Conflicts
    sample: list[SampleMail]
    created_at: Instant


class ReasonNode(Answer):
    """How one condition fared; `result` null where it cannot be known. `found` quotes what decided."""

    kind: Literal["all", "any", "not", "leaf"]
    result: bool | None
    field: str | None = None
    op: str | None = None
    name: str | None = None
    value: Any = None
    found: str = ""
    parts: Annotated[list["ReasonNode"], Field(default_factory=list)]


class ActionOutcome(Answer):
    """`why` says what kept the action from doing anything."""

    type: str
    done: bool
    why: str | None = None
    template: str | None = None
    endpoint: str | None = None


class RuleVerdict(Answer):
    """`hit` is what was recorded then; `reason` is worked out again from the same version. `differs`: the two do not agree, since
    something that the rule asks about has changed. `stopped_by` names the rule that ended the look before this one.
    """

    rule_id: str
    version: int
    name: str
    shadow: bool
    hit: bool
    differs: bool
    stopped_by: str | None
    outcomes: list[ActionOutcome]
    reason: ReasonNode | None


class MessageRules(Answer):
    """`looked_at` null: no rule looked at this mail, and `why_not` says why."""

    message_id: str
    received_at: Instant
    looked_at: Instant | None
    why_not: str | None
    rules: list[RuleVerdict]


class ChangeHit(Answer):
    """A rule that acted because the conversation was changed, or a chain of rules that was stopped."""

    rule_id: str
    version: int
    name: str
    shadow: bool
    stopped: bool
    at: Instant
    outcomes: list[ActionOutcome]


class ConversationRules(Answer):
    """The newest mail first, at most fifty."""

    messages: list[MessageRules]
    changes: list[ChangeHit]
