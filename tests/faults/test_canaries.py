"""Unique strings in bodies, subjects, addresses, names, passwords, keys, cookies and replies, through every flow and its
failures over real processes: found nowhere in Temporal, logs, metrics or error answers.
"""

import asyncio
import base64
import os
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
import pytest_asyncio
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.pool import NullPool

from commands.first_people import add_user
from stack.ports import HOST
from stack.probes import http_ready
from stack.python_part import PROJECT, PythonPart
from store.unit_of_work import Database
from tests.faults import mail_bombs
from tests.faults.canary_hunt import Canaries, Leak, files, histories, hunt
from tests.faults.desk_canaries import write_at_the_desk
from tests.faults.post_boxes import PostBox, PostOffice, post_office
from tests.faults.rig import Rig, connect_inbox, until
from tests.servers.smtp_script import Close, Reply

AGENT = "agent.{}@mailroom.example.com"


class World:
    """One rig with planted defects, and what was planted and answered."""

    def __init__(self, rig: Rig, post: PostOffice) -> None:
        self.rig = rig
        self.post = post
        self.canaries = Canaries()
        self.errors: list[tuple[str, bytes]] = []
        self.metrics: list[tuple[str, bytes]] = []
        self.worker_metrics = ""

    def plant(self, name: str) -> str:
        return self.canaries.new(name)

    async def ask(self, api: httpx.AsyncClient, method: str, path: str, *, expect: int | None = None, **how: Any) -> httpx.Response:
        """A request; what is refused is kept with headers and body."""
        answer = await api.request(method, path, **how)
        if answer.status_code >= 400:
            said = "\n".join(f"{k}: {v}" for k, v in answer.headers.items()).encode()
            self.errors.append((f"answer {answer.status_code} to {method} {path.partition('?')[0][:30]}", said + b"\n" + answer.content))
        assert expect is None or answer.status_code == expect, (method, path[:40], answer.status_code, answer.text[:300])
        return answer

    def rows(self, statement: str, **bound: Any) -> list[Any]:
        engine = create_engine(self.rig.stack.database_admin_url, poolclass=NullPool)
        with engine.connect() as connection:
            found = list(connection.execute(text(statement), bound).all())
        engine.dispose()
        return found

    async def settled(self, what: str, statement: str, within: float = 60, **bound: Any) -> None:
        async def none_left() -> bool:
            return not self.rows(statement, **bound)[0][0]

        await until(what, none_left, within, every=0.4)


@pytest_asyncio.fixture(loop_scope="session")
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with post_office(tmp_path) as post:
        rig = Rig(tmp_path / "data", hasty=True, durable=False)
        try:
            await rig.start_servers()
            made = World(rig, post)
            for name, value in rig._env.items():
                if any(word in name for word in ("SECRET", "CREDENTIAL_KEYS")):
                    made.canaries.keep(name.lower(), value.partition(":")[2] if name.endswith("KEYS") else value)
                elif name.endswith("DATABASE_URL"):
                    made.canaries.keep(name.lower(), str(make_url(value).password))
            made.canaries.keep("api-key", rig.key)
            made.worker_metrics, _ = await asyncio.gather(*(_start(rig, part) for part in ("worker", "api")))
            yield made
        finally:
            await rig.stop()


async def _start(rig: Rig, part: str) -> str:
    """The address of its metrics, where it is the worker."""
    port = rig.stack.port(f"{part}-metrics")
    ready = http_ready(f"http://{HOST}:{port}/metrics") if part == "worker" else f"{rig.api_url}/healthz"
    env = {**rig._env, "MAILROOM_WORKER_METRICS_PORT": str(port), "MAILROOM_LOG_LEVEL": "DEBUG"}
    rig.parts[part] = PythonPart(part, ("-m", "tests.faults.leaky_parts", part), env, rig.stack.layout, ready=ready, stop_within=5.0)
    await rig.parts[part].start()
    return f"http://{HOST}:{port}/metrics"


def letter(w: World, name: str, to: str, subject: str) -> bytes:
    """A mail with a canary in every place that a person can fill."""
    mail = EmailMessage()
    mail["From"] = f"{w.plant(f'{name}-name')} <{w.plant(f'{name}-from')}@customers.example.com>"
    mail["To"] = to
    mail["Cc"] = f'"{w.plant(f"{name}-cc-name")}" <{w.plant(f"{name}-cc")}@customers.example.com>'
    mail["Subject"] = f"{subject} {w.plant(f'{name}-subject')}"
    mail["Message-ID"] = f"<{w.plant(f'{name}-id')}@customers.example.com>"
    mail["X-Note"] = w.plant(f"{name}-header")
    mail.set_content(f"Dear desk, {w.plant(f'{name}-text')}")
    mail.add_alternative(f"<p>Dear desk, {w.plant(f'{name}-html')}</p>", subtype="html")
    mail.add_attachment(w.plant(f"{name}-content").encode(), maintype="application", subtype="pdf", filename=f"{w.plant(f'{name}-file')}.pdf")
    return mail.as_bytes()


@pytest.mark.timeout(240)
async def test_no_canary_is_found_where_none_may_be(world: World) -> None:
    w = world
    box = w.post.boxes([f"{w.plant('inbox-address')}@mailroom.example.com"])[0]
    w.canaries.keep("imap-password", box.password)
    w.post.smtp.users = {"submission": w.plant("smtp-password")}
    smtp = {**w.post.submission, "password": w.canaries.named["smtp-password"]}
    async with w.rig.desk() as api:
        inbox = await connect_inbox(api, address=box.address, imap=box.imap, smtp=smtp)
        auto = {"enabled": True, "subject": w.plant("auto-subject"), "body": w.plant("auto-body")}
        await w.ask(api, "PATCH", f"/v1/inboxes/{inbox}", json={"auto_response": auto}, expect=200)
        await _people(w)
        await _refused_accounts(w, api, box, smtp)
        await _mail_of_every_kind(w, box)
        await _answers(w, api, inbox)
        await _desk(w, api, inbox)
        await _wrong_requests(w, api)
        await _metrics(w)
    await _broken_settings(w)
    told = await histories(await w.rig.temporal())
    assert len(told) >= 8
    planted = await _leak_on_purpose(w)
    await w.rig.stop()  # what was still in memory is written now
    leaks = [*_everywhere(w, told), *_planted_leaks_are_found(w, planted)]
    assert leaks == [], "\n".join(map(str, leaks))


async def _people(w: World) -> None:
    """Signing in and out, rightly and wrongly, by cookie."""
    email, password = AGENT.format(w.plant("agent-address")), w.plant("agent-password")
    database = Database(w.rig.stack.database_url, pool_size=1)
    await add_user(database, uuid.UUID(w.rig.tenant_id), email=email, name=w.plant("agent-name"), role="agent", password=password)
    await database.close()
    async with httpx.AsyncClient(base_url=w.rig.api_url, trust_env=False, headers={"Origin": w.rig.api_url, "X-Mailroom": "1"}) as browser:
        for form in ({"email": email, "password": w.plant("wrong-password")}, {"email": w.plant("nobody") + "@example.com", "password": password}):
            await w.ask(browser, "POST", "/v1/session", json=form, expect=401)
        signed = await w.ask(browser, "POST", "/v1/session", json={"email": email, "password": password})
        assert signed.status_code in {200, 201}, signed.text
        (cookie,) = [c.value for c in browser.cookies.jar]
        w.canaries.keep("session-cookie", str(cookie))
        for way in ("value", "sql"):
            await w.ask(browser, "GET", "/v1/conversations", headers={"X-Explode": way, "X-Note": w.plant(f"browser-header-{way}")}, expect=500)
        await w.ask(browser, "GET", f"/v1/events/stream?after={w.plant('cursor')}", expect=None, headers={"Last-Event-ID": "rubbish"})
        await w.ask(browser, "DELETE", "/v1/session")
        await w.ask(browser, "GET", "/v1/conversations", expect=401)


async def _refused_accounts(w: World, api: httpx.AsyncClient, box: PostBox, smtp: dict[str, Any]) -> None:
    """IMAP and SMTP that refuse the password, echo it, or are not there."""
    plain = {"security": "plain", "auth": "password"}
    trials = {
        "imap": ({**box.imap, "password": w.plant("wrong-imap-password")}, smtp),
        "smtp": (box.imap, {**smtp, "password": w.plant("wrong-smtp-password")}),
        "user": ({**box.imap, "username": w.plant("imap-user")}, {**smtp, "username": w.plant("smtp-user")}),
        "away": ({**box.imap, "port": 1}, {**smtp, "port": 1}),
    }
    ids = []
    for name, (imap, submission) in trials.items():
        form = {
            "name": f"Trial {name}", "email_address": f"{w.plant(f'address-{name}')}@mailroom.example.com",
            "imap": {**plain, **imap}, "smtp": {**plain, **submission}, "backfill_days": 1, "undo_send_seconds": 0,
        }  # fmt: skip
        made = await w.ask(api, "POST", "/v1/inboxes", json=form)
        if made.status_code == 201:
            ids.append(made.json()["id"])
    assert ids
    again = {"name": "Twice", "email_address": box.address, "imap": {**plain, **box.imap}, "smtp": {**plain, **smtp}}
    await w.ask(api, "POST", "/v1/inboxes", json={**again, "backfill_days": 1, "undo_send_seconds": 0})

    async def all_told() -> bool:
        found = [(await api.get(f"/v1/inboxes/{one}")).json()["health"] for one in ids]
        return all(health not in {"connecting", "ok"} for health in found)

    await until("refused accounts are told", all_told, 60, every=0.5)


async def _mail_of_every_kind(w: World, box: PostBox) -> None:
    """Good mail, poison, bombs, a bounce that quotes, and writing that fails with the mail in its error."""
    for name, subject in (("good", "A question"), ("poison", "die"), ("defect", "raise"), ("statement", "sqlfails"), ("error", "explodes")):
        box.put(letter(w, name, box.address, subject))
    bomb = f"Subject: {w.plant('bomb-subject')}\r\nFrom: {w.plant('bomb-from')}@customers.example.com\r\n".encode()
    box.put(bomb + mail_bombs.nested(80))
    bounce = (
        f"From: MAILER-DAEMON@example.com\r\nTo: {box.address}\r\nMIME-Version: 1.0\r\n"
        "Content-Type: multipart/report; report-type=delivery-status; boundary=r\r\n\r\n--r\r\n\r\nSorry\r\n--r\r\n"
        "Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; x\r\n\r\n"
        f"Final-Recipient: rfc822; {w.plant('bounced')}@customers.example.com\r\nAction: failed\r\nStatus: 5.1.1\r\n"
        f"Diagnostic-Code: smtp; 550 no {w.plant('diagnostic')}\r\n\r\n--r--\r\n"
    )
    box.put(bounce.encode())
    await asyncio.sleep(0.5)
    await w.settled("mail is in rows", "select count(*) < 7 or count(*) filter (where state in ('seen', 'stored')) > 0 from ledger")
    assert {r[0] for r in w.rows("select reason from quarantine")} >= {"parser_died", "parser_error", "too_complex"}


async def _answers(w: World, api: httpx.AsyncClient, inbox: str) -> None:
    """Replies that are sent, refused with the address echoed, put off, and lost at the dot."""
    found = (await api.get("/v1/conversations", params={"inbox": inbox, "limit": 50})).json()["items"]
    about = next(c["id"] for c in found if c["subject"].startswith("A question"))
    ways = {
        "sent": None,
        "refused": ("rcpt", Reply(f"550 5.1.1 <{w.canaries.named['good-from']}@customers.example.com> {w.plant('smtp-words')}")),
        "later": ("dot", Reply(f"451 4.3.0 {w.plant('smtp-later')}")),
        "lost": ("dot", Close()),
    }
    slot = await w.ask(api, "POST", "/v1/uploads", json={"filename": f"{w.plant('upload-name')}.txt", "size_bytes": 4}, expect=201)
    await w.ask(api, "POST", "/v1/uploads", json={"filename": w.plant("upload-bad"), "size_bytes": -1, "content_type": w.plant("upload-type")}, expect=422)
    assert slot.json()["id"]
    for name, way in ways.items():
        w.post.smtp.behave()
        if way is not None:
            w.post.smtp.on(way[0], way[1], times=1)  # type: ignore[arg-type]
        version = (await api.get(f"/v1/conversations/{about}")).json()["version"]
        reply = {"text": w.plant(f"reply-{name}"), "subject": w.plant(f"reply-subject-{name}"), "seen_version": version}
        reply["bcc"] = [{"address": f"{w.plant(f'bcc-{name}')}@customers.example.com", "name": w.plant(f"bcc-name-{name}")}]
        sent = await w.ask(
            api, "POST", f"/v1/conversations/{about}/messages", json=reply, headers={"Idempotency-Key": w.plant(f"idempotency-{name}")}, expect=201
        )
        await w.settled(
            f"the answer {name} is over",
            "select count(*) from messages where id = :id and send_status in ('queued', 'scheduled', 'sending')",
            id=sent.json()["id"],
        )
    states = {r[0] for r in w.rows("select send_status from messages where send_status is not null")}
    assert {"sent", "unknown", "failed"} <= states, states


async def _desk(w: World, api: httpx.AsyncClient, inbox: str) -> None:
    """What people write beside mail. The conversation has mails of every outcome by now."""
    w.post.smtp.behave()
    found = (await api.get("/v1/conversations", params={"inbox": inbox, "limit": 50})).json()["items"]
    about = next(c["id"] for c in found if c["subject"].startswith("A question"))
    sign_in = {"email": AGENT.format(w.canaries.named["agent-address"]), "password": w.canaries.named["agent-password"]}
    async with httpx.AsyncClient(base_url=w.rig.api_url, trust_env=False, headers={"Origin": w.rig.api_url, "X-Mailroom": "1"}) as browser:
        assert (await browser.post("/v1/session", json=sign_in)).status_code in {200, 201}
        await write_at_the_desk(w.plant, w.ask, browser, api, about)


async def _wrong_requests(w: World, api: httpx.AsyncClient) -> None:
    """Bad JSON, wrong values, unknown addresses, and defects before and within an answer."""
    secret = w.plant("json")
    await w.ask(api, "POST", "/v1/inboxes", content=b'{"name": "' + secret.encode(), headers={"Content-Type": "application/json"}, expect=400)
    await w.ask(api, "POST", "/v1/inboxes", json={"name": [w.plant("wrong-type")], "imap": w.plant("wrong-shape")}, expect=422)
    await w.ask(api, "GET", "/v1/conversations", params={"after": w.plant("bad-cursor")}, expect=422)
    await w.ask(api, "GET", "/v1/conversations", params={"search": w.plant("search")}, expect=200)
    await w.ask(api, "GET", "/v1/conversations", params={"status": w.plant("bad-status")}, expect=422)
    await w.ask(api, "GET", f"/v1/conversations/{w.plant('path')}@customers.example.com", expect=404)
    await w.ask(api, "GET", "/web/nothing.html", params={"q": w.plant("page-query")}, expect=404)
    await w.ask(api, "GET", "/v1/conversations", headers={"Authorization": f"Bearer {w.plant('wrong-key')}"}, expect=401)
    for way in ("value", "sql"):
        body = {"name": w.plant(f"explode-body-{way}"), "imap": {"password": w.plant(f"explode-password-{way}")}}
        await w.ask(api, "POST", "/v1/inboxes", json=body, headers={"X-Explode": way}, expect=500)
    with pytest.raises(httpx.TransportError):
        await api.get("/v1/conversations", headers={"X-Explode-Late": "1", "X-Note": w.plant("late-header")})


async def _metrics(w: World) -> None:
    async with httpx.AsyncClient(trust_env=False, headers={"Authorization": f"Bearer {w.rig.key}"}) as anybody:
        for address in (w.worker_metrics, f"{w.rig.api_url}/metrics", f"{w.rig.api_url}/readyz"):
            answer = await anybody.get(address)
            w.metrics.append((address, answer.content))
    assert any(b"mailroom_" in content for _, content in w.metrics)


async def _broken_settings(w: World) -> None:
    """A worker and an API that do not start say which setting is wrong, and not what stands in it."""
    wrong = {
        "MAILROOM_CREDENTIAL_KEYS": f"k1:{w.plant('key-ring')}",
        "MAILROOM_SESSION_SECRET": w.plant("short")[:20],
        "MAILROOM_DATABASE_URL": f"mysql://mailroom:{w.plant('database-password')}@127.0.0.1:1/x",
        "MAILROOM_API_PORT": w.plant("port"),
    }
    w.canaries.named["short"] = w.canaries.named["short"][:20]
    for module in ("worker", "api.app"):
        for name, value in wrong.items():
            ended = await asyncio.to_thread(
                subprocess.run, [sys.executable, "-m", module], cwd=PROJECT, env={**os.environ, **w.rig._env, name: value}, capture_output=True, timeout=60, check=False
            )
            w.errors.append((f"{module} with a wrong {name}", ended.stdout + ended.stderr))
            assert ended.returncode != 0


def _everywhere(w: World, told: list[tuple[str, bytes]]) -> list[Leak]:
    layout = w.rig.stack.layout
    logs = list(files(layout.logs))
    assert {Path(place).stem for place, _ in logs} >= {"worker", "api", "postgres", "temporal"}
    return hunt(w.canaries.named, [*logs, *files(layout.temporal), *told, *w.metrics, *w.errors])


async def _leak_on_purpose(w: World) -> Canaries:
    """One canary each into Temporal, into PostgreSQL's log, and into an error's answer, as a careless change would."""
    planted = Canaries()
    client = await w.rig.temporal()
    await client.start_workflow("Nobody", base64.b64encode(planted.new("payload").encode()).decode(), id="leak", task_queue="nobody")
    with psycopg.connect(w.rig.stack.database_admin_url.replace("+psycopg", "")) as connection:
        connection.execute("set log_min_messages = error")
        connection.execute("set log_min_error_statement = error")
        with pytest.raises(psycopg.Error):
            connection.execute(f"select 1/0 -- {planted.new('statement')}")  # type: ignore[call-overload]
    with w.rig.stack.layout.log("api").open("a") as log:
        log.write(planted.new("line") + "\n")
    return planted


def _planted_leaks_are_found(w: World, planted: Canaries) -> list[Leak]:
    """Proves the hunt: what was leaked on purpose is found in the file where it must be. Gives what was not."""
    layout = w.rig.stack.layout
    found = {(leak.canary, Path(leak.place).parent.name) for leak in hunt(planted.named, [*files(layout.logs), *files(layout.temporal)])}
    missing = {("payload", layout.temporal.name), ("statement", "logs"), ("line", "logs")} - found
    return [Leak(name, place, "leaked on purpose and not found") for name, place in sorted(missing)]


def test_the_hunt_reads_every_spelling() -> None:
    secret = {"one": "canaryone0123456789ab"}
    for hidden in (b"canaryone0123456789ab", b"63616e6172796f6e6530313233343536373839616221", base64.b64encode(b"{'x': 'canaryone0123456789ab'}"),
                   base64.b64encode(b"ycanaryone0123456789ab!"), base64.b64encode(b"yycanaryone0123456789ab!!!")):  # fmt: skip
        assert [leak.canary for leak in hunt(secret, [("here", b"..." + hidden + b"...")])] == ["one"], hidden
    assert hunt(secret, [("here", b"canaryone")]) == []
