"""The web client as a release: its name, its page, what it preloads, and how long browsers keep it."""

import base64
import gzip
import hashlib
import json
import os
import re
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from api import web_release
from api.static import WebClient
from api.web_release import Releases

PAGE = """<html>
<head>
  <title>M</title>
  <link rel="stylesheet" href="/web/css/a.css">
  <link rel="stylesheet" href="/web/css/b.css">
  <script type="module" src="/web/js/main.js"></script>
</head>
<body><div class="frame list"></div></body>
</html>
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(web_release, "FRESH_SECONDS", 0.0)
    files = {
        "index.html": PAGE,
        "css/a.css": "a { color: inherit; }\n" * 50,
        "css/b.css": "b { color: inherit; }\n",
        "js/arrival.js": 'import { c } from "/web/js/deep/c.js";\nc();\n',
        "js/behind-the-list.js": 'import "/web/js/page.js";\n',
        "js/elements/sign-in.js": "export {};\n",
        "js/main.js": 'import "/web/js/a.js";\nimport {\n  b,\n} from "/web/js/b.js";\nb();\n',
        "js/a.js": 'import { c } from "/web/js/deep/c.js";\nc();\n',
        "js/b.js": 'export const b = (name) => import(`/web/js/${name}.js`);\nexport const late = () => import("/web/js/page.js")\n',
        "js/deep/c.js": 'import { b } from "/web/js/b.js";\nexport const c = b;\n',
        "js/page.js": "export {};\n",
    }
    for name, text in files.items():
        place = tmp_path / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    return tmp_path


@pytest.fixture
def client(folder: Path) -> httpx.AsyncClient:
    web = WebClient(folder, None, "mailroom")
    app = Starlette(routes=[Route("/web/{path:path}", web.file), Route("/{path:path}", web.page)])
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://desk.test")


def preloaded(page: bytes) -> list[str]:
    return re.findall(r'rel="modulepreload"[^>]* href="/web/v-[0-9a-f]{16}/js/([^"]+)"', page.decode())


BASE = ["arrival.js", "deep/c.js", "b.js", "main.js", "a.js"]


@pytest.mark.parametrize(
    ("kind", "more"),
    [("list", []), ("door", ["elements/sign-in.js"]), ("conversation", ["behind-the-list.js", "page.js"]), ("page", ["behind-the-list.js", "page.js"])],
)
def test_a_page_preloads_what_its_first_screen_brings_in_and_nothing_else(folder: Path, kind: str, more: list[str]) -> None:
    release = Releases(folder).now()
    assert preloaded(release.pages[kind]) == BASE + more, "who is here first; what is imported only when it is asked for, not at all"
    assert f'src="/web/{release.name}/js/main.js"' in release.pages[kind].decode()
    assert f'class="frame {kind}"' in release.pages[kind].decode()


def test_the_sheets_of_the_page_are_one(folder: Path) -> None:
    release = Releases(folder).now()
    assert re.findall(r'rel="stylesheet" href="([^"]+)"', release.pages["list"].decode()) == [f"/web/{release.name}/styles.css"]
    assert release.styles == (folder / "css/a.css").read_bytes() + b"\n" + (folder / "css/b.css").read_bytes()


@pytest.mark.parametrize(
    ("path", "cookie", "kind"),
    [("/", "mailroom=x", "list"), ("/", "other=x", "door"), ("/c/1", "mailroom=x", "conversation"), ("/inboxes", "mailroom=x", "page"), ("/sign-in", "mailroom=x", "door")],
)
async def test_the_frame_is_that_of_the_room_that_will_be_shown(client: httpx.AsyncClient, path: str, cookie: str, kind: str) -> None:
    page = await client.get(path, headers={"Cookie": cookie})
    assert f'class="frame {kind}"' in page.text
    assert page.headers["vary"] == "Cookie"
    other = await client.get(path, headers={"Cookie": cookie, "If-None-Match": page.headers["etag"].replace(kind, "nothing")})
    assert other.status_code == 200, "the page of another room is not this one"


def test_the_import_map_stands_first_and_the_policy_names_its_octets(folder: Path) -> None:
    release = Releases(folder).now()
    text = release.pages["list"].decode()
    (written,) = re.findall(r'<script type="importmap">(.*?)</script>', text)
    assert json.loads(written) == {"imports": {"/web/js/": f"/web/{release.name}/js/"}}
    digest = base64.b64encode(hashlib.sha256(written.encode()).digest()).decode()
    assert release.script_hash == f"'sha256-{digest}'"
    assert text.index("importmap") < min(text.index("modulepreload"), text.index('type="module"'))


def test_a_changed_file_is_another_release(folder: Path) -> None:
    releases = Releases(folder)
    first = releases.now()
    assert releases.now().name == first.name
    for other in ("main.js", "deep/c.js"):
        (folder / "js" / other).write_text("export {};\n")
    place = folder / "js" / "a.js"
    place.write_text("export {};\n")
    os.utime(place, ns=(1, 1))
    second = releases.now()
    assert second.name != first.name
    assert "a.js" in preloaded(first.pages["list"])
    assert "b.js" not in preloaded(second.pages["list"]), "what nobody imports any more is not preloaded"


async def test_a_release_is_kept_for_ever_and_an_older_one_not(client: httpx.AsyncClient, folder: Path) -> None:
    page = await client.get("/c/1")
    name = re.findall(r"v-[0-9a-f]{16}", page.text)[0]
    assert page.headers["cache-control"] == "no-cache"
    assert (await client.get("/c/1", headers={"If-None-Match": page.headers["etag"]})).status_code == 304
    assert (await client.get(f"/web/{name}/js/a.js")).headers["cache-control"] == "public, max-age=31536000, immutable"
    assert (await client.get("/web/js/a.js")).headers["cache-control"] == "no-cache"
    styles = await client.get(f"/web/{name}/styles.css")
    assert (styles.headers["cache-control"], styles.headers["content-type"]) == ("public, max-age=31536000, immutable", "text/css; charset=utf-8")
    assert (await client.get(f"/web/{name}/styles.css", headers={"If-None-Match": styles.headers["etag"]})).status_code == 304
    (folder / "css" / "b.css").write_text("b { margin: 0; }\n")
    assert (await client.get(f"/web/{name}/styles.css")).text.endswith("b { margin: 0; }\n"), "an older release's sheets are the present ones"
    (folder / "js" / "b.js").write_text("export const b = 1;\n")
    assert (await client.get("/c/1")).headers["etag"] != page.headers["etag"]
    old = await client.get(f"/web/{name}/js/b.js")
    assert (old.headers["cache-control"], old.text) == ("no-cache", "export const b = 1;\n")


async def test_files_are_sent_compressed_to_those_who_take_it(client: httpx.AsyncClient) -> None:
    packed = await client.get("/web/css/a.css", headers={"Accept-Encoding": "gzip"})
    plain = await client.get("/web/css/a.css", headers={"Accept-Encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.text == plain.text
    assert int(packed.headers["content-length"]) == len(gzip.compress(plain.content, mtime=0)) < len(plain.content)
    assert packed.headers["vary"] == "Accept-Encoding"


@pytest.mark.parametrize("path", ["/web/v-0123456789abcdef/", "/web/v-1/js/a.js", "/web/v-0123456789abcdef/js/none.js"])
async def test_a_release_opens_nothing_else(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path)).status_code == 404
