"""The web client's files as one release: a name that changes with any of them, the page that loads them under that name, and what it preloads.

Modules name each other by plain addresses (`/web/js/…`); an import map leads those to the release's own (`/web/v-…/js/…`), which
browsers may keep for ever. So a second visit asks for the page alone, and nobody runs modules of two releases.
"""

import base64
import hashlib
import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FRESH_SECONDS = 1.0  # how long a look at the folder counts; a page asks for a hundred files at once
RELEASE = re.compile(r"v-[0-9a-f]{16}")
ENTRY = "js/main.js"
_IMPORT = re.compile(r"""^(?:import|export)\s[^;]*?["']/web/([^"']+)["']""", re.MULTILINE)
_BARE_IMPORT = re.compile(r"""^import\s+["']/web/([^"']+)["']""", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Release:
    """`name` is the folder in addresses, `page` the HTML, `script_hash` the policy's word for its import map."""

    name: str
    page: bytes
    script_hash: str


class Releases:
    """The release that stands in a folder now."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._looked_at = -FRESH_SECONDS
        self._stamp: tuple[tuple[str, int, int], ...] = ()
        self._release: Release | None = None

    def now(self) -> Release:
        """The present one; made anew when a file has changed since. Raises OSError when the folder lacks its page."""
        moment = time.monotonic()
        if self._release is None or moment - self._looked_at >= FRESH_SECONDS:
            stamp = tuple(sorted(self._files()))
            if stamp != self._stamp or self._release is None:
                self._release = self._make(stamp)
                self._stamp = stamp
            self._looked_at = moment
        return self._release

    def _files(self) -> Iterator[tuple[str, int, int]]:
        for path in self._folder.rglob("*"):
            if path.is_file():
                found = path.stat()
                yield path.relative_to(self._folder).as_posix(), found.st_mtime_ns, found.st_size

    def _make(self, stamp: tuple[tuple[str, int, int], ...]) -> Release:
        name = "v-" + hashlib.sha256(repr(stamp).encode()).hexdigest()[:16]
        import_map = json.dumps({"imports": {"/web/js/": f"/web/{name}/js/"}})
        digest = base64.b64encode(hashlib.sha256(import_map.encode()).digest()).decode()
        preloads = "".join(f'  <link rel="modulepreload" href="/web/{name}/{path}">\n' for path in self._modules())
        page = (self._folder / "index.html").read_text(encoding="utf-8")
        page = re.sub(r'(href|src)="/web/', rf'\1="/web/{name}/', page)
        # The map stands before anything that loads a module, or browsers leave it unread.
        head, title, rest = page.partition("  <title>")
        page = f'{head}  <script type="importmap">{import_map}</script>\n{title}{rest}'
        return Release(name, page.replace("</head>", preloads + "</head>").encode(), f"'sha256-{digest}'")

    def _modules(self) -> list[str]:
        """Every module that the first one brings in, in the order in which they are found."""
        found: dict[str, None] = {}
        waiting = [ENTRY]
        while waiting:
            path = waiting.pop(0)
            place = self._folder / path
            if path in found or not place.is_file():
                continue
            found[path] = None
            text = place.read_text(encoding="utf-8")
            waiting += [*_IMPORT.findall(text), *_BARE_IMPORT.findall(text)]
        return list(found)
