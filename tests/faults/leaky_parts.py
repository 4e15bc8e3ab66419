"""The worker and the API with planted defects whose errors quote mail, passwords and statements: nothing of it may get out.

`python -m tests.faults.leaky_parts worker|api`. Mail is hit by words of its subject, requests by the header `X-Explode`.
"""

import sys
from collections.abc import AsyncIterator
from typing import Any

from sqlalchemy import text
from starlette.requests import Request
from starlette.responses import StreamingResponse

from tests.faults import hasty_worker  # first: it shortens what others read

once: set[str] = set()


def first(what: str) -> bool:
    if what in once:
        return False
    once.add(what)
    return True


def spoil_worker() -> None:
    """Parser children die of `die` and `raise`; writing and composing fail once with errors that quote what they held."""
    import activities.ingestion as ingestion
    import activities.outbound_compose as compose
    from activities.parser_pool import ParserPool
    from tests.activities.poison import poisoned

    kept = ParserPool.__init__.__kwdefaults__
    kept["begin"] = poisoned
    store, build = vars(ingestion)["store_batch"], vars(compose)["compose"]

    async def store_batch(connection: Any, tenant: Any, inbox: Any, mails: Any, **named: Any) -> Any:
        for mail in mails:
            if "sqlfails" in mail.mail.subject and first(f"sql {mail.pending.id}"):
                # An error of PostgreSQL that quotes the value, with the statement and its parameters in the driver's text.
                await connection.execute(text("select cast(cast(:said as text) as int)"), {"said": mail.mail.subject + mail.mail.body_text})
            if "explodes" in mail.mail.subject and first(f"bang {mail.pending.id}"):
                raise RuntimeError(f"{mail.mail!r}")
        return await store(connection, tenant, inbox, mails, **named)

    def compose_mail(request: Any, *given: Any, **named: Any) -> Any:
        if first(f"compose {request.text}"):
            raise RuntimeError(f"{request!r}")
        return build(request, *given, **named)

    vars(ingestion)["store_batch"] = store_batch
    vars(compose)["compose"] = compose_mail


def spoil_api() -> None:
    import api.dispatch as dispatch

    checked = dispatch.Dispatcher._checked

    async def exploding(self: Any, request: Request) -> Any:
        way = request.headers.get("x-explode")
        if way is None:
            return await checked(self, request)
        said = f"{dict(request.headers)!r} {(await request.body()).decode('utf-8', 'replace')} {request.url}"
        if way == "sql":
            async with self._deps.database.system_unit_of_work() as connection:
                await connection.execute(text("select cast(cast(:said as text) as int)"), {"said": said})
        raise RuntimeError(said)

    handled = dispatch.Dispatcher._handled

    async def late(self: Any, request: Request) -> Any:
        if request.headers.get("x-explode-late") is None:
            return await handled(self, request)
        said = repr(dict(request.headers))

        async def body() -> AsyncIterator[bytes]:
            yield b"so far "
            raise RuntimeError(said)

        return StreamingResponse(body())

    vars(dispatch)["Dispatcher"]._checked = exploding
    dispatch.Dispatcher._handled = late  # type: ignore[method-assign]


def main() -> None:
    if sys.argv[1:] == ["worker"]:
        spoil_worker()
        hasty_worker.worker.main()
        return
    spoil_api()
    from api.app import serve
    from settings import load_settings

    serve(load_settings())


if __name__ == "__main__":
    main()
