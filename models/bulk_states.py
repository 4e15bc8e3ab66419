"""The status words of bulk changes. Columns that hold one have a CHECK made from it."""

from enum import StrEnum


class BulkState(StrEnum):
    """`running` and `undoing` are under way. `undone` may have left what somebody changed since."""

    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"
    UNDOING = "undoing"
    UNDONE = "undone"


class BulkChangeState(StrEnum):
    """`same`: the conversation was so already. `skipped`: gone, merged, or no longer seen by who asked. `left`: not restored,
    because somebody has changed it since.
    """

    WAITING = "waiting"
    CHANGED = "changed"
    SAME = "same"
    SKIPPED = "skipped"
    RESTORED = "restored"
    LEFT = "left"
