"""The web client's own files, and its one page for every address that it routes itself.

Files are read once per change, sent compressed, and kept by browsers for ever under the release's name; under their plain address they
are checked by ETag. What may be served is what lies in the folder; nothing is listed.
"""

import gzip
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from api.headers import app_csp
from api.problems import not_found
from api.web_release import RELEASE, STYLES, Releases

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
    packed: bytes
    etag: str
    content_type: str


class WebClient:
    """Serves `/web/…` from one folder and the page `index.html` for the rest; `cookie_name` is the session's, whose owners see the desk's frame."""

    def __init__(self, folder: Path, s3_origin: str | None, cookie_name: str) -> None:
        self._folder = folder
        self._s3_origin = s3_origin
        self._csp = app_csp(s3_origin)
        self._cookie_name = cookie_name
        self._releases = Releases(folder)
        self._files: dict[str, _File] = {}

    async def file(self, request: Request) -> Response:
        """A file by its plain address, or by that of a release; an older release's address gets the present file, unkept."""
        path = str(request.path_params["path"])
        release, _, rest = path.partition("/")
        if not RELEASE.fullmatch(release):
            return self._answer(request, path, kept=False)
        return self._answer(request, rest, kept=release == self._releases.now().name)

    async def page(self, request: Request) -> Response:
        """Any address that is not another room's is the client's to route."""
        if NOT_A_PAGE.match(request.url.path):
            return not_found().response()
        release = self._releases.now()
        kind = self._kind(request)
        etag = f'"{release.name}-{kind}"'
        headers = {
            "ETag": etag,
            "Cache-Control": "no-cache",
            "Vary": "Cookie",
            "Content-Security-Policy": app_csp(self._s3_origin, release.script_hash),
        }
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers=headers)
        return Response(release.pages[kind], headers={**headers, "Content-Type": TYPES[".html"]})

    def _kind(self, request: Request) -> str:
        """Which room the page will show. A cookie is not proof of a session: the client asks, and shows the door when it was none."""
        path = request.url.path
        if self._cookie_name not in request.cookies or path in {"/sign-in", "/join"}:
            return "door"
        if path == "/":
            return "list"
        return "conversation" if path.startswith("/c/") else "page"

    def _answer(self, request: Request, path: str, *, kept: bool) -> Response:
        if path == STYLES:
            return self._send(request, self._styles(), kept=kept)
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
        return self._send(request, self._read(path, place, content_type), kept=kept)

    def _send(self, request: Request, found: _File, *, kept: bool) -> Response:
        headers = {
            "ETag": found.etag,
            # asked again each time, answered 304 while it stands; a release's name is never used for other content
            "Cache-Control": "public, max-age=31536000, immutable" if kept else "no-cache",
            "Content-Security-Policy": self._csp,
            "Vary": "Accept-Encoding",
        }
        if request.headers.get("if-none-match") == found.etag:
            return Response(status_code=304, headers=headers)
        headers["Content-Type"] = found.content_type
        if len(found.packed) < len(found.data) and "gzip" in request.headers.get("accept-encoding", ""):
            return Response(found.packed, headers={**headers, "Content-Encoding": "gzip"})
        return Response(found.data, headers=headers)

    def _read(self, path: str, place: Path, content_type: str) -> _File:
        changed = place.stat().st_mtime_ns
        known = self._files.get(path)
        if known is None or known.changed != changed:
            known = self._files[path] = _file(changed, place.read_bytes(), content_type)
        return known

    def _styles(self) -> _File:
        data = self._releases.now().styles
        known = self._files.get(STYLES)
        if known is None or known.data is not data:
            known = self._files[STYLES] = _file(0, data, TYPES[".css"])
        return known


def _file(changed: int, data: bytes, content_type: str) -> _File:
    return _File(
        changed,
        data,
        gzip.compress(data, mtime=0),
        f'"{hashlib.sha256(data).hexdigest()[:32]}"',
        content_type,
    )
