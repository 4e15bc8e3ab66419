"""An inbox that is an address of a domain and sends and receives through Amazon SES."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from api.schemas.base import Asked, HeaderLine, Name

# RFC 5321 §4.1.2 takes more; these are the letters that nobody has to explain over the telephone.
LOCAL_PART = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")


def _local_part(value: str) -> str:
    if LOCAL_PART.fullmatch(value) is None:
        raise ValueError("is what stands before the @: letters, digits, dashes, underscores and single dots between them")
    return value.lower()


class NewSesInbox(Asked):
    """`is_catchall`: it also takes what is addressed to nobody in the domain."""

    name: Name
    local_part: Annotated[str, AfterValidator(_local_part), Field(min_length=1, max_length=64)]
    is_catchall: bool = False
    display_name: Annotated[HeaderLine, Field(max_length=200)] = ""
    backfill_days: Annotated[int, Field(ge=0, le=36_500)] = 90
    undo_send_seconds: Annotated[int, Field(ge=0, le=600)] = 5
