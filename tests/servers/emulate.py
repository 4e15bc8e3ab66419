"""`emulate`, Google and Microsoft as others understood them: a program of npm's, in the version that `tests/outside` pins.

`npm ci --prefix tests/outside` puts it there, with a Node that is new enough for it. It keeps everything in memory, listens on 127.0.0.1 and
takes any unknown token for its first user, so expiry, scopes and a refused access token are left to our own stand-ins.
"""

import html
import json
import re
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

OUTSIDE = Path(__file__).parents[1] / "outside"
PROGRAM = OUTSIDE / "node_modules/emulate/dist/index.js"
NODE = OUTSIDE / "node_modules/.bin/node"
INSTALL = "npm ci --prefix tests/outside"

ADDRESS = "team@example.com"
CLIENT_ID, CLIENT_SECRET = "mailroom.apps.example.com", "a-secret-of-the-tests"
BACK = "https://desk.example.com/oauth/callback"
ALSO_BACK = "http://mailroom.test/oauth/callback"  # of the API's own tests


def emulate_missing() -> str | None:
    """Why `emulate` cannot run here, or None."""
    if not (PROGRAM.exists() and NODE.exists()):
        return f"emulate is not installed: {INSTALL}"
    wanted = json.loads((OUTSIDE / "package.json").read_text())["dependencies"]["emulate"]
    found = json.loads((PROGRAM.parents[1] / "package.json").read_text())["version"]
    return None if found == wanted else f"emulate {found} is installed and {wanted} is wanted: {INSTALL}"


_MISSING = emulate_missing()
needs_emulate = pytest.mark.skipif(_MISSING is not None, reason=_MISSING or "")


class Emulate:
    """One service, `google` or `microsoft`, as a process of its own; `url` ends with a slash."""

    def __init__(self, service: str, port: int, home: Path) -> None:
        self.service = service
        self.url = f"http://127.0.0.1:{port}/"
        self._port = port
        self._home = home
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        client = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "name": "Mailroom", "redirect_uris": [BACK, ALSO_BACK]}
        seed: dict[str, Any] = {self.service: {"users": [{"email": ADDRESS, "name": "Team"}], "oauth_clients": [client]}}
        file = self._home / f"emulate-{self.service}.yaml"
        file.write_text(json.dumps(seed))  # JSON is YAML
        command = [str(NODE), str(PROGRAM), "start", "--service", self.service, "-p", str(self._port), "--seed", str(file)]
        with (self._home / f"emulate-{self.service}.log").open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + 30
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"emulate did not start: {Path(log.name).read_text()[-2000:]}")
            time.sleep(0.05)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}.well-known/openid-configuration", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


def agree(authorise_url: str) -> dict[str, str]:
    """What a person's browser does at the page of consent: take the account that is offered. Gives the query of the way back."""
    page = httpx.get(authorise_url)
    assert page.status_code == 200, page.text
    form = next(one for one in re.findall(r"<form[^>]*>.*?</form>", page.text, re.DOTALL) if ADDRESS in one)
    action = re.search(r'action="([^"]+)"', form)
    assert action is not None
    fields = {
        name: html.unescape(value) for name, value in re.findall(r'<input[^>]*name="([^"]*)"[^>]*value="([^"]*)"', form)
    }
    answer = httpx.post(httpx.URL(authorise_url).join(html.unescape(action[1])), data=fields)
    assert answer.status_code == 302, answer.text
    where = urlsplit(answer.headers["location"])
    assert f"{where.scheme}://{where.netloc}{where.path}" in (BACK, ALSO_BACK)
    return {name: values[0] for name, values in parse_qs(where.query).items()}
