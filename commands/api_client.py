"""The API as the command line sees it: one call, clear errors. Finds its address and key in the environment or stack.json."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import typer

DEFAULT_DATA = Path(".mailroom")
TIMEOUT = 40.0  # testing a connection waits up to 30 s


class ApiClient:
    """Calls `/v1/…` with an API key. Every failure ends the command with a sentence that says what to do."""

    def __init__(self, address: str, key: str, *, transport: httpx.BaseTransport | None = None) -> None:
        self._http = httpx.Client(
            base_url=address,
            headers={"Authorization": f"Bearer {key}"},
            timeout=TIMEOUT,
            transport=transport,
            trust_env=False,
        )
        self.address = address

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None, **params: Any) -> Any:
        """The answer's JSON, or None for an empty one."""
        try:
            answer = self._http.request(method, path, json=body, params=params or None)
        except httpx.HTTPError as error:
            raise fail(
                f"The API at {self.address} did not answer ({type(error).__name__}). Is `mailroom up` running?"
            ) from None
        if answer.is_success:
            return answer.json() if answer.content else None
        raise fail(problem_sentence(answer))


def problem_sentence(answer: httpx.Response) -> str:
    """The sentence of a problem+json answer, with one line for each field that is wrong."""
    try:
        problem = answer.json()
    except ValueError:
        return f"The API answered {answer.status_code} without an explanation."
    lines = [str(problem.get("detail") or problem.get("title") or f"status {answer.status_code}")]
    lines += [f"  {item['field']}: {item['message']}" for item in problem.get("errors", ())]
    return "\n".join(lines)


def fail(sentence: str) -> typer.Exit:
    """Print the sentence to standard error; raise what this returns to end the command with code 1."""
    typer.secho(sentence, err=True, fg=typer.colors.RED)
    return typer.Exit(1)


def connect(data: Path) -> ApiClient:
    """From MAILROOM_API_URL and MAILROOM_API_KEY, or from the stack that runs over `data`."""
    address, key = os.environ.get("MAILROOM_API_URL"), os.environ.get("MAILROOM_API_KEY")
    if address and key:
        return ApiClient(address, key)
    manifest = data / "stack.json"
    if not manifest.exists():
        raise fail(
            f"No running Mailroom found: {manifest} does not exist. Start one with `mailroom up` or `mailroom demo`,"
            " name its directory with --data, or set MAILROOM_API_URL and MAILROOM_API_KEY."
        )
    stack = json.loads(manifest.read_text())
    return ApiClient(stack["api_url"], stack["api_key"])
