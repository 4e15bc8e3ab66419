"""Quotes the previous message under a reply, as text (`> `) and as HTML (`blockquote`), in the form that mail readers and
`mail.parse` fold away again. It escapes only what it adds itself: the caller sanitises the quoted HTML (integrity X-6).
"""

import html
import re
from datetime import datetime

from mail.display_text import displayable
from mail.outgoing_bodies import normal_lines
from mail.values import Address

_LONGEST = 200_000  # characters of history; a quote of quotes of quotes helps nobody


def attribution(author: Address, date: datetime | None) -> str:
    """`On Fri, 3 Jan 2025 at 14:05, Ann Lee <ann@example.com> wrote:` – the line above a quote, one line always.

    The date is shown in its own zone; give it in the reader's. Without a date the line begins with the author.
    """
    name = displayable(author.name)
    address = displayable(author.address)
    who = f"{name} <{address}>" if name else address
    if date is None:
        return f"{who} wrote:"
    # Not strftime: its names of days and months follow the locale of the machine.
    day = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")[date.weekday()]
    month = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")[
        date.month - 1
    ]
    return f"On {day}, {date.day} {month} {date.year} at {date:%H:%M}, {who} wrote:"


def quoted_reply_text(reply: str, *, author: Address, date: datetime | None, text: str) -> str:
    """`reply`, the attribution and `text` quoted with `> `; lines that are quotes already get one more `>`."""
    lines = normal_lines(text[:_LONGEST]).rstrip("\n").split("\n")
    quoted = "\n".join(f">{line}" if line.startswith(">") else f"> {line}".rstrip() for line in lines)
    return f"{normal_lines(reply).rstrip()}\n\n{attribution(author, date)}\n{quoted}\n"


def quoted_reply_html(reply: str, *, author: Address, date: datetime | None, quoted_html: str) -> str:
    """`reply`, the attribution and `quoted_html` in a `blockquote type="cite"`, which readers fold.

    `quoted_html` must come from the sanitiser; unclosed tags in it are the sanitiser's matter too. A page is reduced
    to its body, since a page inside a quote is no HTML.
    """
    line = html.escape(attribution(author, date))
    return (
        f'{reply}\n<div class="mailroom_quote gmail_quote"><div>{line}</div>\n'
        '<blockquote type="cite" style="margin:0 0 0 0.8ex;border-left:1px solid #ccc;padding-left:1ex">\n'
        f"{_inside_body(quoted_html)}\n</blockquote></div>"
    )


def _inside_body(page: str) -> str:
    start = re.search(r"<body\b[^>]*>", page, re.IGNORECASE)
    end = re.search(r"</body\s*>", page, re.IGNORECASE)
    return page[start.end() if start else 0 : end.start() if end else len(page)].strip()
