"""What is forgotten: a tenant's retention policy with its preview and nights, holds, and erasures with their receipts."""

from typing import Annotated, Literal

from pydantic import Field

from api.schemas.base import Answer, Asked, Instant, Named

Days = Annotated[int, Field(ge=1, le=36_500)] | None


class AskedPolicy(Asked):
    """Days without any change after which what goes; null: never. `closed_days` means closed and archived conversations."""

    archive_idle_days: Days = None
    spam_days: Days = None
    trash_days: Days = None
    closed_days: Days = None
    notice_days: Annotated[int, Field(ge=1, le=36_500)] = 90


class RetentionRun(Answer):
    """One night in which something went; `counts` by kind of row. `ended_at` null: under way, or gone on with next night."""

    id: str
    started_at: Instant
    ended_at: Instant | None
    counts: dict[str, int]


class RetentionPolicy(Answer):
    """`changed_at` null: nobody has set it, and no mail is ever removed. `runs` are the last ten nights in which something went."""

    archive_idle_days: int | None
    spam_days: int | None
    trash_days: int | None
    closed_days: int | None
    notice_days: int
    changed_at: Instant | None
    changed_by: str | None
    runs: list[RetentionRun]


class RetentionPreview(Answer):
    """What a night would meet now under the policy in the query, each at most 10,000."""

    archive: int
    spam: int
    trash: int
    closed: int
    spam_mails: int
    held: int


class AskedHold(Asked):
    held: bool


class Hold(Answer):
    held: bool


class AskedErasure(Asked):
    """`confirm` is one of the contact's addresses, typed again."""

    confirm: Annotated[str, Field(min_length=1, max_length=320)]


class Erasure(Answer):
    """A receipt. It names nobody: `address_hashes` are SHA-256 of the addresses as they were matched, in hex. `kept` says in sentences
    what was left and why.
    """

    id: str
    state: Literal["erasing", "objects", "done"]
    address_hashes: list[str]
    asked_by: Named | None
    asked_at: Instant
    rows_gone_at: Instant | None
    done_at: Instant | None
    counts: dict[str, int]
    kept: list[str]
