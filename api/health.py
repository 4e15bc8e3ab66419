"""Whether the process is up, whether its parts answer, and its figures. All public, none names anybody."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import JSONResponse, Response

from api.auth import Access
from api.endpoint import Call, Empty, Endpoint
from api.schemas.service import Alive, Part, Ready

PART_SECONDS = 2.0


async def healthz(_call: Call[Empty, None]) -> Alive:
    return Alive(ok=True)


async def readyz(call: Call[Empty, None]) -> Response:
    """Asks each part at once, for two seconds each."""
    deps = call.deps
    asked: dict[str, Callable[[], Awaitable[None]]] = {
        "postgresql": deps.database.ping,
        "temporal": deps.gateway.ping,
        "s3": deps.blobs.ping,
    }
    found = await asyncio.gather(*(_ask(ping) for ping in asked.values()))
    ready = Ready(ok=all(p.ok for p in found), parts=dict(zip(asked, found, strict=True)))
    return JSONResponse(
        ready.model_dump(mode="json"), 200 if ready.ok else 503, headers={"Cache-Control": "no-store"}
    )


async def metrics(call: Call[Empty, None]) -> Response:
    await call.deps.metrics.refresh(call.deps.database)
    return Response(call.deps.metrics.text(), headers={"Content-Type": CONTENT_TYPE_LATEST})


async def _ask(ping: Callable[[], Awaitable[None]]) -> Part:
    began = time.perf_counter()
    detail, ok = "", True
    try:
        async with asyncio.timeout(PART_SECONDS):
            await ping()
    except TimeoutError:
        detail, ok = f"no answer within {PART_SECONDS:.0f} s", False
    except Exception as error:  # a part may fail in any way it likes: it is not ready
        detail, ok = type(error).__name__, False
    return Part(ok=ok, ms=round((time.perf_counter() - began) * 1000, 1), detail=detail)


ENDPOINTS = (
    Endpoint("GET", "/healthz", healthz, Access.PUBLIC, "Is the process up?", response=Alive),
    Endpoint("GET", "/readyz", readyz, Access.PUBLIC, "Do all parts answer?", response=Ready),
    Endpoint("GET", "/metrics", metrics, Access.PUBLIC, "Figures for Prometheus", media_type="text/plain"),
)
