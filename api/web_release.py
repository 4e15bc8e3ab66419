"""The web client's files as one release: a name that changes with any of them, the pages that load them under that name, and what they preload.

Modules name each other by plain addresses (`/web/js/…`); an import map leads those to the release's own (`/web/v-…/js/…`), which
browsers may keep for ever. So a second visit asks for the page alone, and nobody runs modules of two releases. The style sheets travel as
one: a browser paints nothing before it has them all, and asks for six files at a time.
"""

import base64
import hashlib
import json
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

FRESH_SECONDS = 1.0  # how long a look at the folder counts; a page asks for a hundred files at once
RELEASE = re.compile(r"v-[0-9a-f]{16}")
ENTRIES = ("js/arrival.js", "js/main.js")
STYLES = "styles.css"  # the sheets of the page in their order, as one; no file of the folder has this address
# What the first screen of each kind of page needs beyond the entries. The kind is also the class of the frame that the page paints by itself.
FIRST: Mapping[str, tuple[str, ...]] = {
    "door": ("js/elements/sign-in.js",),
    "list": (),
    "conversation": ("js/behind-the-list.js",),
    "page": ("js/behind-the-list.js",),
}
_SHEETS = re.compile(r'(?:  <link rel="stylesheet" href="/web/[^"]+">\n)+')
# What a module cannot begin without; `import("…")` is for later.
_IMPORT = re.compile(r"""^(?:import|export)\s[^;("'`]*?from\s+["']/web/([^"']+)["']""", re.MULTILINE)
_BARE_IMPORT = re.compile(r"""^import\s+["']/web/([^"']+)["']""", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Release:
    """`name` is the folder in addresses, `pages` the HTML by kind, `styles` the joined sheets, `script_hash` the policy's word for the import map."""

    name: str
    pages: Mapping[str, bytes]
    styles: bytes
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
        page = (self._folder / "index.html").read_text(encoding="utf-8")
        sheets = re.findall(r'<link rel="stylesheet" href="/web/([^"]+)">', page)
        styles = b"\n".join((self._folder / path).read_bytes() for path in sheets)
        page = _SHEETS.sub(f'  <link rel="stylesheet" href="/web/{STYLES}">\n', page)
        page = re.sub(r'(href|src)="/web/', rf'\1="/web/{name}/', page)
        # The map stands before anything that loads a module, or browsers leave it unread.
        head, title, rest = page.partition("  <title>")
        page = f'{head}  <script type="importmap">{import_map}</script>\n{title}{rest}'
        pages = {kind: self._page(page, name, kind) for kind in FIRST}
        return Release(name, pages, styles, f"'sha256-{digest}'")

    def _page(self, page: str, name: str, kind: str) -> bytes:
        modules = self._modules(*ENTRIES, *FIRST[kind])
        preloads = "".join(
            f'  <link rel="modulepreload" fetchpriority="low" href="/web/{name}/{path}">\n'
            for path in modules
        )
        return (
            page.replace('class="frame list"', f'class="frame {kind}"')
            .replace("</head>", preloads + "</head>")
            .encode()
        )

    def _modules(self, *entries: str) -> list[str]:
        """Every module that these bring in, in the order in which they are found."""
        found: dict[str, None] = {}
        for entry in entries:
            waiting = [entry]
            while waiting:
                path = waiting.pop(0)
                place = self._folder / path
                if path in found or not place.is_file():
                    continue
                found[path] = None
                text = place.read_text(encoding="utf-8")
                waiting += [*_IMPORT.findall(text), *_BARE_IMPORT.findall(text)]
        return list(found)
