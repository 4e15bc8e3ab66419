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
  <script type="module" src="/web/js/main.js"></script>
</head>
<body></body>
</html>
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(web_release, "FRESH_SECONDS", 0.0)
    files = {
        "index.html": PAGE,
        "css/a.css": "a { color: inherit; }\n" * 50,
        "js/main.js": 'import "/web/js/a.js";\nimport {\n  b,\n} from "/web/js/b.js";\nb();\n',
        "js/a.js": 'import { c } from "/web/js/deep/c.js";\nc();\n',
        "js/b.js": "export const b = () => import(`/web/js/${name}.js`);\n",
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
    web = WebClient(folder, None)
    app = Starlette(routes=[Route("/web/{path:path}", web.file), Route("/{path:path}", web.page)])
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://desk.test")


def test_the_page_preloads_what_the_first_module_brings_in_and_nothing_else(folder: Path) -> None:
    release = Releases(folder).now()
    preloaded = re.findall(r'rel="modulepreload" href="/web/([^"]+)"', release.page.decode())
    assert sorted(preloaded) == sorted(f"{release.name}/js/{name}" for name in ("main.js", "a.js", "b.js", "deep/c.js"))
    assert len(preloaded) == len(set(preloaded))
    assert f'src="/web/{release.name}/js/main.js"' in release.page.decode()
    assert f'href="/web/{release.name}/css/a.css"' in release.page.decode()


def test_the_import_map_stands_first_and_the_policy_names_its_octets(folder: Path) -> None:
    release = Releases(folder).now()
    text = release.page.decode()
    (written,) = re.findall(r'<script type="importmap">(.*?)</script>', text)
    assert json.loads(written) == {"imports": {"/web/js/": f"/web/{release.name}/js/"}}
    digest = base64.b64encode(hashlib.sha256(written.encode()).digest()).decode()
    assert release.script_hash == f"'sha256-{digest}'"
    assert text.index("importmap") < min(text.index("modulepreload"), text.index('type="module"'))


def test_a_changed_file_is_another_release(folder: Path) -> None:
    releases = Releases(folder)
    first = releases.now()
    assert releases.now().name == first.name
    place = folder / "js" / "a.js"
    place.write_text("export {};\n")
    os.utime(place, ns=(1, 1))
    second = releases.now()
    assert second.name != first.name
    assert "deep/c.js" not in second.page.decode(), "what nobody imports any more is not preloaded"


async def test_a_release_is_kept_for_ever_and_an_older_one_not(client: httpx.AsyncClient, folder: Path) -> None:
    page = await client.get("/c/1")
    name = re.findall(r"v-[0-9a-f]{16}", page.text)[0]
    assert page.headers["cache-control"] == "no-cache"
    assert (await client.get("/c/1", headers={"If-None-Match": page.headers["etag"]})).status_code == 304
    assert (await client.get(f"/web/{name}/js/a.js")).headers["cache-control"] == "public, max-age=31536000, immutable"
    assert (await client.get("/web/js/a.js")).headers["cache-control"] == "no-cache"
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
