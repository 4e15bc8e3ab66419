"""Raw mails by `$value`, as many at a time as the account lets, and one answer for each."""

import asyncio
from collections.abc import Sequence

from providers.errors import NotThere, Refused, TooLarge
from providers.graph.account import GraphAccount, Request
from providers.graph.endpoint import quoted
from providers.graph.faults import ServerError
from providers.mail_api import RawMail, RemoteMail


async def fetch_all(account: GraphAccount, ids: Sequence[str], max_octets: int) -> tuple[RawMail, ...]:
    """One answer for each id, in their order; the caller bounds how many, all are held at once.

    `gone`: not there. `unreadable`: Graph fails on this mail time and again, or refuses it. `too_large`: over `max_octets`.
    Raises what concerns all: token, throttling, no connection, or a server that fails at everything.
    """
    order = list(dict.fromkeys(ids))
    tasks = [asyncio.create_task(_one(account, mail_id, max_octets)) for mail_id in order]
    try:
        answers = dict(zip(order, await asyncio.gather(*tasks), strict=True))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    failed = [one for one in answers.values() if one.missing == "unreadable"]
    if failed and len(failed) == len(answers):
        # Nothing could be read: the mails' fault only if the mailbox answers otherwise. Raises if it does not.
        await account.read(Request("GET", "mailFolders/inbox?$select=id"))
    return tuple(answers[mail_id] for mail_id in ids)


async def _one(account: GraphAccount, mail_id: str, max_octets: int) -> RawMail:
    mail = RemoteMail(mail_id)
    try:
        reply = await account.read(Request("GET", f"messages/{quoted(mail_id)}/$value", limit=max_octets))
    except NotThere:
        return RawMail(mail, None, "gone")
    except TooLarge:
        return RawMail(mail, None, "too_large")
    except (ServerError, Refused):
        return RawMail(mail, None, "unreadable")
    return RawMail(mail, reply.content)
