"""Whether the process is up, whether its parts answer, and its figures. All public, none names anybody."""

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import JSONResponse, Response

from api.auth import Access
from api.endpoint import Call, Empty, Endpoint
from api.schemas.service import Alive, Part, Ready


async def healthz(_call: Call[Empty, None]) -> Alive:
    return Alive(ok=True)


async def readyz(call: Call[Empty, None]) -> Response:
    """Asks each part at once, for two seconds each."""
    found = await call.deps.parts.look()
    parts = {name: Part(ok=p.ok, ms=p.ms, detail=p.detail) for name, p in found.items()}
    ready = Ready(ok=all(p.ok for p in parts.values()), parts=parts)
    return JSONResponse(
        ready.model_dump(mode="json"), 200 if ready.ok else 503, headers={"Cache-Control": "no-store"}
    )


async def metrics(call: Call[Empty, None]) -> Response:
    deps = call.deps
    await deps.metrics.refresh(deps.database)
    for name, up in deps.parts.states.items():
        deps.metrics.part(name, up)
    return Response(deps.metrics.text(), headers={"Content-Type": CONTENT_TYPE_LATEST})


ENDPOINTS = (
    Endpoint(
        "GET",
        "/healthz",
        healthz,
        Access.PUBLIC,
        "Is the process up?",
        response=Alive,
        needs_database=False,
    ),
    Endpoint(
        "GET",
        "/readyz",
        readyz,
        Access.PUBLIC,
        "Do all parts answer?",
        response=Ready,
        needs_database=False,
    ),
    Endpoint(
        "GET",
        "/metrics",
        metrics,
        Access.PUBLIC,
        "Figures for Prometheus",
        media_type="text/plain",
        needs_database=False,
    ),
)
