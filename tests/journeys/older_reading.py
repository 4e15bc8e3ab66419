"""Makes stored mails look as an older parser would have left them, for those who want to see them read again."""

from typing import Any

from sqlalchemy import create_engine, text

# What parsers do to mail: an encoding taken for another, quoted history taken for news, a file's name lost.
WITH_FILES = "id in (select message_id from attachments)"
SPOIL = (
    "update messages set parser_version = 0 where direction = 'inbound'",
    "update messages set subject = replace(subject, 'ö', 'Ã¶'), from_name = replace(from_name, 'ö', 'Ã¶') where direction = 'inbound'",
    f"update messages set body_visible = body_visible || E'\\nOn Friday somebody wrote:\\n> Thank you.' where direction = 'inbound' and {WITH_FILES}",
    "update attachments set filename = 'part-2' where position = 0 and message_id in (select id from messages where direction = 'inbound')",
)


def leave_older_readings(stack: dict[str, Any]) -> None:
    """In every inbox of the stack."""
    engine = create_engine(stack["database_admin_url"])
    try:
        with engine.begin() as connection:
            for statement in SPOIL:
                connection.execute(text(statement))
    finally:
        engine.dispose()
