"""What a submission server really took, against what the rows say: nothing twice, nothing that says sent and was not."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import Connection, text

from tests.faults.findings import Findings
from tests.servers.smtp_script import Accepted

NOT_OUT = frozenset({"draft", "scheduled", "queued", "failed", "cancelled"})


def check_post(connection: Connection, accepted: Sequence[Accepted], found: Findings) -> None:
    """`accepted` is everything that the server ever took for this database."""
    rows = {
        row.message_id_header: row
        for row in connection.execute(
            text(
                """
                select id, message_id_header, send_status, send_round, raw_sha256 from messages
                where direction = 'outbound' and send_status is not null and message_id_header is not null
                """
            )
        )
    }
    times: Counter[tuple[str, str]] = Counter()
    contents: dict[str, set[str]] = defaultdict(set)
    for mail in accepted:
        contents[mail.message_id].add(mail.sha256)
        times.update((mail.message_id, recipient) for recipient in mail.rcpt_tos)
    for (message_id, _), count in times.items():
        row = rows.get(message_id)
        rounds = 1 + (row.send_round if row is not None else 0)  # a person's “send again” is a round of its own
        if count > rounds:
            found.add("double_sent", f"{message_id} was taken {count} times for one recipient")
    for message_id, hashes in contents.items():
        row = rows.get(message_id)
        if row is None:
            found.add("orphaned", f"the server took {message_id}, which no row knows")
            continue
        if hashes != {row.raw_sha256}:
            found.add("double_sent", f"{message_id} went out with other bytes than those that were frozen")
        if row.send_status in NOT_OUT:
            found.add("limbo", f"the server took {message_id}, and its row says {row.send_status}")
    for message_id, row in rows.items():
        if row.send_status == "sent" and message_id not in contents:
            found.add("lost", f"message {row.id} counts as sent and no server took it")


def check_asked(connection: Connection, asked: Mapping[str, str | None], found: Findings) -> None:
    """`asked` maps a text that stands in one answer only to the id that the API gave for it, None where it never answered.

    What was acknowledged is there once; what was never acknowledged is there once at most.
    """
    for marker, acknowledged in asked.items():
        ids = [
            str(i)
            for i in connection.execute(
                text("select id from messages where direction = 'outbound' and position(:marker in body_text) > 0 and send_status is not null"),
                {"marker": marker},
            ).scalars()
        ]
        if len(ids) > 1:
            found.add("duplicate", f"{len(ids)} messages were made of one answer, {marker}")
        if acknowledged is not None and acknowledged not in ids:
            found.add("lost", f"the answer {marker} was acknowledged and is not there")


def markers(count: int, *, seed: int) -> Iterable[str]:
    """Texts of which none is part of another."""
    return (f"answer-{seed}-{number:05d}-end" for number in range(count))
