"""Checks every answer that a test gets against the OpenAPI document."""

import re

import httpx
from jsonschema import Draft202012Validator

from api.routes import ENDPOINTS, document


class Checker:
    """Checks every answer against the OpenAPI document: the status is declared, the body fits its schema."""

    def __init__(self) -> None:
        self._document = document()
        self._paths = [
            (
                e.method,
                re.compile(
                    re.sub(r"{\w+}", "[^/]+", re.escape(e.path).replace(r"\{", "{").replace(r"\}", "}"))
                ),
                e.path,
            )
            for e in ENDPOINTS
        ]

    async def __call__(self, response: httpx.Response) -> None:
        path, method = response.request.url.path, response.request.method
        found = next((p for m, r, p in self._paths if m == method and r.fullmatch(path)), None)
        if found is None or "text/event-stream" in response.headers.get("content-type", ""):
            return
        answers = self._document["paths"][found][method.lower()]["responses"]
        assert str(response.status_code) in answers, (
            f"{method} {found} answered {response.status_code}, not declared"
        )
        declared = answers[str(response.status_code)].get("content", {})
        await response.aread()
        given = response.headers.get("content-type", "").partition(";")[0]
        for kind, content in declared.items():
            if given in declared and kind != given:
                continue  # another form of the same answer
            if kind.endswith("json"):
                assert response.headers["content-type"].startswith(kind)
                schema = {**content["schema"], "components": self._document["components"]}
                errors = list(Draft202012Validator(schema).iter_errors(response.json()))
                assert not errors, f"{method} {found}: {errors[0].message} at {list(errors[0].absolute_path)}"
