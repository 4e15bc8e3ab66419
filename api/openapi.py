"""The OpenAPI 3.1 document, made from the endpoints and the models that they validate with: it cannot lag behind them."""

import re
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from api.auth import Access
from api.endpoint import Endpoint
from api.schemas.service import ProblemDocument

REF = "#/components/schemas/{model}"
PROBLEMS = {
    400: "The body is not JSON",
    401: "Not signed in",
    403: "Not allowed",
    404: "Nothing here, or not yours to see",
    409: "Conflict",
    413: "Too large",
    415: "Not JSON",
    422: "A field is not valid",
    429: "Too many requests; Retry-After says when",
    503: "A part is away; `part` names it",
    504: "Took too long",
}


def openapi_document(endpoints: Sequence[Endpoint], *, version: str) -> dict[str, Any]:
    """The document as plain JSON values."""
    wanted: list[tuple[type[BaseModel], JsonSchemaMode]] = [(ProblemDocument, "serialization")]
    for endpoint in endpoints:
        if endpoint.response is not None:
            wanted.append((endpoint.response, "serialization"))
        if endpoint.body is not None:
            wanted.append((endpoint.body, "validation"))
    unique = list(dict.fromkeys(wanted))
    refs, definitions = models_json_schema(unique, ref_template=REF)
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint, refs)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Mailroom",
            "version": version,
            "summary": "A self-hosted, durable unified inbox.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": definitions.get("$defs", {}),
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "An API key, `mr_…`"},
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": "mailroom",
                    "description": "`__Host-mailroom` over TLS. Calls that change something also need a matching `Origin`"
                    " and `X-Mailroom: 1`.",
                },
            },
        },
    }


def _operation(endpoint: Endpoint, refs: Any) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": f"{endpoint.handler.__module__.rsplit('.', 1)[-1]}.{endpoint.name}",
        "summary": endpoint.summary,
        "tags": [_tag(endpoint.path)],
        "parameters": _parameters(endpoint),
        "responses": _responses(endpoint, refs),
        "x-access": endpoint.access.name.lower(),
    }
    if endpoint.access is not Access.PUBLIC:
        operation["security"] = [{"key": []}, {"session": []}]
    if endpoint.body is not None:
        operation["requestBody"] = {
            "required": not endpoint.body_optional,
            "content": {"application/json": {"schema": refs[endpoint.body, "validation"]}},
        }
    elif endpoint.raw_body:
        operation["requestBody"] = {"required": True, "content": {"application/octet-stream": {}}}
    return operation


def _tag(path: str) -> str:
    parts = path.strip("/").split("/")
    return parts[1] if parts[0] == "v1" and len(parts) > 1 else "service"


def _parameters(endpoint: Endpoint) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for name in re.findall(r"{(\w+)}", endpoint.path):
        kind = {"type": "string"} if name == "token" else {"type": "string", "format": "uuid"}
        found.append({"name": name, "in": "path", "required": True, "schema": kind})
    schema = endpoint.query.model_json_schema(ref_template=REF)
    for name, one in schema.get("properties", {}).items():
        found.append(
            {"name": name, "in": "query", "required": name in schema.get("required", ()), "schema": one}
            | ({"explode": True, "style": "form"} if one.get("type") == "array" else {})
        )
    for name, meaning in endpoint.headers.items():
        found.append({"name": name, "in": "header", "schema": {"type": "string"}, "description": meaning})
    return found


def _responses(endpoint: Endpoint, refs: Any) -> dict[str, Any]:
    good: dict[str, Any] = {"description": endpoint.summary}
    if endpoint.response is not None:
        good["content"] = {"application/json": {"schema": refs[endpoint.response, "serialization"]}}
        good["content"] |= {kind: {} for kind in endpoint.also}
    elif endpoint.media_type and endpoint.status != 204:
        good["content"] = {endpoint.media_type: {}}
    problem = {"application/problem+json": {"schema": refs[ProblemDocument, "serialization"]}}
    codes = {422, 503, 504}
    if endpoint.access is not Access.PUBLIC:
        codes |= {401, 403, 429}
    if endpoint.method != "GET":
        codes.add(403)
    if "{" in endpoint.path:
        codes.add(404)
    if endpoint.body is not None or endpoint.raw_body:
        codes |= {400, 413, 415}
    if endpoint.raw_body and endpoint.access is Access.PUBLIC:  # a webhook: its signature is its sign-in
        codes |= {401, 429}
    if endpoint.conflicts:
        codes.add(409)
    if endpoint.path == "/v1/session" and endpoint.method == "POST":
        codes |= {401, 429}
    if endpoint.path == "/v1/invitations":
        codes.add(429)
    answers: dict[str, Any] = {str(endpoint.status): good}
    if endpoint.path == "/api/webhooks/graph-push":
        answers["200"] = {"description": "The handshake's token", "content": good["content"]}
    if endpoint.path == "/readyz":
        answers["503"] = {"description": "One is down", "content": good["content"]}
        codes.discard(503)
    for code in sorted(codes):
        words = PROBLEMS[code]
        if code == 409:
            words = "Conflict: " + ", ".join(f"`{c}`" for c in endpoint.conflicts)
        answers[str(code)] = {"description": words, "content": problem}
    return answers
