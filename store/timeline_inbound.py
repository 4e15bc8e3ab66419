"""How a mail came in, as steps: fetched, stored, tried, read, judged, threaded, answered or left in silence.

Read from rows that ingest writes anyway: the ledger, quarantine, suggestions, the claim of the automatic answer, and the
reports that the mail made.
"""

import datetime as dt
import uuid
from typing import Any

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from store.timeline_steps import MOST, StepKind, TimelineStep

LEDGER = text(
    """
    select l.id, l.created_at, l.internal_date, l.historical, l.attempts, l.state, l.reason, l.classification,
           l.classification_reason, l.threaded_by, l.parser_version, l.fetch_run, l.ingest_run, l.ingested_at, l.gone_at,
           l.folder_id, l.uid, l.raw_key, l.raw_offset, l.raw_length, l.raw_sha256, f.name as folder,
           q.first_at, q.last_at, q.reason as poison, q.detail as poison_detail, q.resolved_at, q.resolution
    from ledger l
    left join folders f on f.tenant_id = l.tenant_id and f.id = l.folder_id
    left join quarantine q on q.tenant_id = l.tenant_id and q.ledger_id = l.id
    where l.tenant_id = :tenant and l.message_id = :id
    order by l.id limit 20
    """
)
# Suggestions are written in the transaction that stores the mail, so their time is its time.
SUGGESTED = text(
    """
    select s.created_at, s.why, o.number from thread_suggestions s
    join conversations o on o.tenant_id = s.tenant_id and o.id = s.other_id
    where s.tenant_id = :tenant and s.conversation_id = :conversation and s.created_at = any(:times)
    order by o.number limit 20
    """
)
DECIDED = text(
    """
    select created_at, outcome, message_id, workflow_run, conversation_id from auto_response_claims
    where tenant_id = :tenant and conversation_id = :conversation and about_message_id = :id
    """
)
# A report's events carry the ledger row of the mail that brought it (`store/delivery.py`).
TOLD_OF_OTHERS = text(
    """
    select created_at, message_id, status, recipient, bounce_class, enhanced_code from delivery_events
    where tenant_id = :tenant and split_part(provider_event_id, ':', 1) = any(:ledgers)
    order by id limit :limit
    """
)


async def inbound_steps(
    connection: AsyncConnection,
    *,
    tenant_id: uuid.UUID,
    message_id: uuid.UUID,
    conversation_id: uuid.UUID | None,
    classification: str | None,
    silence: str | None,
) -> list[TimelineStep]:
    """The steps of a mail that lay in a mailbox; of a copy of our own in Sent too. Unsorted. `silence` is the rule of the
    mail itself that forbids an automatic answer.
    """
    key: dict[str, Any] = {"tenant": tenant_id, "id": message_id}
    rows = (await connection.execute(LEDGER, key)).mappings().all()
    steps = [step for row in rows for step in _of_row(row)]
    read = [
        row for row in rows if row["ingested_at"] is not None and row["state"] in {"ingested", "quarantined"}
    ]
    if conversation_id is not None:
        place = {**key, "conversation": conversation_id}
        times = [row["ingested_at"] for row in read]
        steps += [
            TimelineStep(s.created_at, "suggested", StepKind.RULE, f"#{s.number}: {s.why}")
            for s in (await connection.execute(SUGGESTED, {**place, "times": times}))
        ]
        decided = (await connection.execute(DECIDED, place)).first()
        if decided is not None:
            steps.append(
                TimelineStep(
                    decided.created_at,
                    "automatic answer" if decided.message_id else "no automatic answer",
                    StepKind.RULE,
                    "" if decided.message_id else decided.outcome,
                    about=decided.message_id,
                    run=decided.workflow_run,
                    flow="answer",
                    flow_id=decided.conversation_id,
                )
            )
        elif silence and read:
            at, flow = read[0]["ingested_at"], _flow(read[0])
            steps.append(TimelineStep(at, "no automatic answer", StepKind.RULE, silence, **flow))
    if classification in {"bounce", "complaint"} and rows:
        told = await connection.execute(
            TOLD_OF_OTHERS, {"tenant": tenant_id, "ledgers": [str(row["id"]) for row in rows], "limit": MOST}
        )
        steps += [
            TimelineStep(
                t.created_at,
                f"reports: {t.status}",
                StepKind.REPORT,
                " ".join(filter(None, (t.recipient, t.bounce_class, t.enhanced_code))),
                about=t.message_id,
            )
            for t in told
        ]
    return steps


def _of_row(row: RowMapping) -> list[TimelineStep]:
    where = f"in {row['folder']}" if row["folder"] else ""
    steps: list[TimelineStep] = []

    def add(at: dt.datetime | None, step: str, kind: StepKind, detail: str = "", **more: Any) -> None:
        if at is not None:
            steps.append(TimelineStep(at, step, kind, detail, **more))

    fetched = {"run": row["fetch_run"], **_place(row)}
    add(row["internal_date"], "received by the mail server", StepKind.MAIL, where)
    add(
        row["created_at"],
        "seen" if row["raw_key"] is None else "stored",
        StepKind.MAIL,
        _stored(row),
        **fetched,
    )
    tries = row["attempts"]
    add(row["first_at"], "quarantined", StepKind.MAIL, _poison(row), attempt=tries)
    if row["last_at"] != row["first_at"]:
        add(row["last_at"], "quarantined again", StepKind.MAIL, _poison(row), attempt=tries)
    add(row["resolved_at"], "quarantine resolved", StepKind.MAIL, row["resolution"] or "")
    read = _flow(row)
    if row["state"] == "skipped":
        add(row["ingested_at"] or row["created_at"], "recognised", StepKind.RULE, row["reason"] or "", **read)
    elif row["ingested_at"] is not None:
        parser = f"by parser {row['parser_version']}" if row["parser_version"] else ""
        add(row["ingested_at"], "read", StepKind.MAIL, parser, attempt=tries, **read)
        judged = f"{row['classification'] or 'message'}: {row['classification_reason'] or ''}".rstrip(": ")
        add(row["ingested_at"], "classified", StepKind.RULE, judged, **read)
        if row["threaded_by"]:
            add(row["ingested_at"], "threaded", StepKind.RULE, f"by {row['threaded_by']}", **read)
    add(row["gone_at"], "left the folder", StepKind.MAIL, where)
    return steps


def _place(row: RowMapping) -> dict[str, Any]:
    return {"flow": "backfill", "flow_id": row["folder_id"]} if row["historical"] else {"flow": "sync"}


def _flow(row: RowMapping) -> dict[str, Any]:
    return {"run": row["ingest_run"], **_place(row)}


def _stored(row: RowMapping) -> str:
    """Where the bytes are, by hashes: keys of the bucket stay on the server."""
    parts = [f"in {row['folder']}" if row["folder"] else "", f"UID {row['uid']}" if row["uid"] else ""]
    if row["raw_key"]:
        pack = str(row["raw_key"]).rpartition("/")[2].partition(".")[0][:12]
        parts.append(f"{row['raw_length']} bytes in pack {pack} from {row['raw_offset']}")
    if row["raw_sha256"]:
        parts.append(f"sha256 {row['raw_sha256'][:16]}")
    return ", ".join(filter(None, parts))


def _poison(row: RowMapping) -> str:
    return ": ".join(filter(None, (row["poison"], row["poison_detail"])))
