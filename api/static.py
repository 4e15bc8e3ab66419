"""The web client's own files, and its one page for every address that it routes itself.

Files are read once per change and checked by ETag. What may be served is what lies in the folder; nothing is listed.
"""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from api.headers import app_csp
from api.problems import not_found

TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".webmanifest": "application/manifest+json",
    ".json": "application/json",
}
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
NOT_A_PAGE = re.compile(r"/(v1|web|healthz|readyz|metrics|problems|hooks)(/|$)")


@dataclass(frozen=True, slots=True)
class _File:
    changed: int
    data: bytes
    etag: str
    content_type: str


class WebClient:
    """Serves `/web/…` from one folder and the page `index.html` for the rest."""

    def __init__(self, folder: Path, s3_origin: str | None) -> None:
        self._folder = folder
        self._csp = app_csp(s3_origin)
        self._files: dict[str, _File] = {}

    async def file(self, request: Request) -> Response:
        return self._answer(request, str(request.path_params["path"]))

    async def page(self, request: Request) -> Response:
        """Any address that is not another room's is the client's to route."""
        if NOT_A_PAGE.match(request.url.path):
            return not_found().response()
        return self._answer(request, "index.html")

    def _answer(self, request: Request, path: str) -> Response:
        parts = path.split("/")
        if not all(NAME.fullmatch(part) for part in parts):
            return not_found().response()
        place = self._folder.joinpath(*parts)
        content_type = TYPES.get(place.suffix)
        if (
            content_type is None
            or not place.is_file()
            or not place.resolve().is_relative_to(self._folder.resolve())
        ):
            return not_found().response()
        found = self._read(path, place, content_type)
        headers = {
            "ETag": found.etag,
            "Cache-Control": "no-cache",  # asked again each time, answered 304 while it stands
            "Content-Security-Policy": self._csp,
        }
        if request.headers.get("if-none-match") == found.etag:
            return Response(status_code=304, headers=headers)
        return Response(found.data, headers={**headers, "Content-Type": found.content_type})

    def _read(self, path: str, place: Path, content_type: str) -> _File:
        changed = place.stat().st_mtime_ns
        known = self._files.get(path)
        if known is None or known.changed != changed:
            data = place.read_bytes()
            known = _File(changed, data, f'"{hashlib.sha256(data).hexdigest()[:32]}"', content_type)
            self._files[path] = known
        return known
