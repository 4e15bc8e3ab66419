"""Reads JSON bodies and query strings within limits (integrity X-61) and turns what is wrong into named fields."""

import functools
import json
from typing import Any

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from api.problems import FieldError, Problem, not_valid

MOST_BYTES = 1024 * 1024
MOST_DEPTH = 64


async def read_bytes(request: Request, most: int) -> bytes:
    """The body, or 413 as soon as it passes `most` octets. Compressed bodies are refused: they hide their size."""
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Problem(415, "Send the body without Content-Encoding.")
    declared = request.headers.get("content-length", "")
    if declared.isascii() and declared.isdigit() and int(declared) > most:
        raise Problem(413, f"The body may have at most {most} octets.")
    pieces: list[bytes] = []
    size = 0
    async for piece in request.stream():
        size += len(piece)
        if size > most:
            raise Problem(413, f"The body may have at most {most} octets.")
        pieces.append(piece)
    return b"".join(pieces)


async def read_json(request: Request, model: type[BaseModel], *, optional: bool) -> BaseModel | None:
    """The body as `model`; None when it is empty and may be."""
    raw = await read_bytes(request, MOST_BYTES)
    if not raw.strip() and optional:
        return None
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        # Also a wall: a foreign page's form cannot send this type without asking first.
        raise Problem(415, "Send JSON with `Content-Type: application/json`.")
    try:
        tree = json.loads(raw, parse_constant=_no_constant)
    except RecursionError:
        raise _too_deep() from None
    except ValueError:
        raise Problem(400, "The body is not valid JSON in UTF-8.") from None
    _check_tree(tree)
    try:
        return model.model_validate_json(raw, strict=True)
    except ValidationError as error:
        raise not_valid(*field_errors(error)) from None


def read_query(request: Request, model: type[BaseModel]) -> BaseModel:
    """The query string as `model`. A parameter may come once, or often where the model holds a list."""
    lists = _lists(model)
    values: dict[str, Any] = {}
    for name, value in request.query_params.multi_items():
        if "\0" in value or "\0" in name or _has_surrogate(value):
            raise not_valid(FieldError(name.replace("\0", ""), "holds a character that no text may hold"))
        if name in lists:
            values.setdefault(name, []).append(value)
        elif name in values:
            raise not_valid(FieldError(name, "may be given once"))
        else:
            values[name] = value
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise not_valid(*field_errors(error)) from None


@functools.cache
def _lists(model: type[BaseModel]) -> frozenset[str]:
    return frozenset(n for n, f in model.model_fields.items() if str(f.annotation).startswith(("tuple[", "list[")))


def field_errors(error: ValidationError) -> list[FieldError]:
    """Each error with its path as the client wrote it: `to[0].address`."""
    return [
        FieldError(_path(e["loc"]), _sentence(e))
        for e in error.errors(include_url=False, include_input=False)
    ]


def _path(loc: tuple[int | str, ...]) -> str:
    path = ""
    for part in loc:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    return path


def _sentence(error: Any) -> str:
    if error["type"] == "extra_forbidden":
        return "is not a field of this call; remove it"
    if error["type"] == "missing":
        return "is needed"
    return str(error["msg"]).removeprefix("Value error, ")


def _check_tree(tree: Any) -> None:
    """Depth and text that PostgreSQL cannot hold, without recursion."""
    stack: list[tuple[Any, tuple[int | str, ...]]] = [(tree, ())]
    while stack:
        value, path = stack.pop()
        if len(path) > MOST_DEPTH:
            raise _too_deep()
        if isinstance(value, dict):
            stack.extend((v, (*path, k)) for k, v in value.items())
            stack.extend((k, path) for k in value)
        elif isinstance(value, list):
            stack.extend((v, (*path, i)) for i, v in enumerate(value))
        elif isinstance(value, str) and ("\0" in value or _has_surrogate(value)):
            where = _path(path).encode("utf-8", "replace").decode().replace("\0", "")
            raise not_valid(
                FieldError(where, "holds NUL or half a character, which no text may hold; remove it")
            )


def _has_surrogate(text: str) -> bool:
    if text.isascii():
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _too_deep() -> Problem:
    return Problem(422, f"The body nests deeper than {MOST_DEPTH} levels.", name="not-valid")


def _no_constant(name: str) -> Any:
    raise ValueError(name)
