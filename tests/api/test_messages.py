"""What a mail may do in a browser (nothing), its pictures, its bytes, and the story of each step."""

import base64
import datetime as dt
import re
import time
import uuid

import pytest

from api.picture_tokens import STEP, PictureTokens
from tests.api.world import NOW, PNG, World

HOSTILE = (
    '<img src=x onerror="alert(1)"><svg onload=alert(1)></svg><a href="javascript:alert(1)">x</a>'
    '<form action="https://evil.example.com"><input></form><style>@import "https://evil.example.com"</style>'
    '<iframe src="https://evil.example.com"></iframe><base href="https://evil.example.com">'
    '<meta http-equiv="refresh" content="0;url=https://evil.example.com"><p style="background:url(https://evil.example.com/x)">hi</p>'
)


def directives(csp: str) -> dict[str, str]:
    return {d.split()[0]: " ".join(d.split()[1:]) for d in csp.split("; ")}


async def test_the_frame_of_a_hostile_mail_runs_and_loads_nothing(world) -> None:
    hostile = await world.message(world.ids["conversation"], body_html=HOSTILE)
    async with world.client("viewer") as client:
        answer = await client.get(f"/v1/messages/{hostile}/frame")
    document = answer.text.lower()
    for word in (
        "onerror",
        "onload",
        "javascript:",
        "<script",
        "<svg",
        "<form",
        "<iframe",
        "<base",
        "refresh",
        "@import",
        "evil",
    ):
        assert word not in document, word
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "private, no-store"
    assert answer.headers["x-frame-options"] == "SAMEORIGIN"
    policy = directives(answer.headers["content-security-policy"])
    assert policy["default-src"] == policy["script-src"] == policy["form-action"] == "'none'"
    assert policy["img-src"] == "data: http://mailroom.test/v1/inline/"
    assert policy["sandbox"] == "allow-popups allow-popups-to-escape-sandbox"
    assert policy["frame-ancestors"] == "'self'"


async def test_the_parts_of_a_mail_and_its_blocked_pictures(world) -> None:
    path = f"/v1/messages/{world.ids['message']}"
    async with world.client("viewer") as client:
        shown = {p: await client.get(f"{path}/frame?part={p}") for p in ("visible", "quoted", "all")}
        whole = (await client.get(f"{path}/html")).json()
        with_pictures = await client.get(f"{path}/frame?images=1")
        assert (await client.get(f"{path}/frame?part=some")).status_code == 422
    assert "burns" in shown["visible"].text
    assert "old words" not in shown["visible"].text
    assert "old words" in shown["quoted"].text
    assert "burns" not in shown["quoted"].text
    assert whole["document"] == shown["all"].text
    assert (whole["quoted"], whole["remote_blocked"]) == (True, 1)
    assert shown["all"].headers["x-mailroom-remote-blocked"] == "1"
    assert "tracker.example.com" not in shown["all"].text
    assert with_pictures.headers["x-mailroom-remote-blocked"] == "0"
    assert "tracker.example.com" not in with_pictures.text, "the picture comes through us"
    assert (
        with_pictures.text.count("/v1/inline/") == 3
    )  # the policy, the picture of the mail, the one from elsewhere


async def test_a_mail_without_html_is_framed_as_text(world) -> None:
    text = "Look: <b>here</b> https://example.com/?a=1&b=2\n\nOn Monday, Carla wrote:\n> old words"
    message = await world.message(world.ids["conversation"], body_text=text, body_visible="Look")
    async with world.client("viewer") as client:
        visible = await client.get(f"/v1/messages/{message}/frame?part=visible")
        found = (await client.get(f"/v1/messages/{message}")).json()
    assert "&lt;b&gt;" in visible.text
    assert 'href="https://example.com/' in visible.text
    assert "old words" not in visible.text
    assert "old words" in found["body_quoted"]


async def test_a_picture_of_a_mail_needs_no_cookie_and_only_its_token(world) -> None:
    async with world.client("viewer") as client:
        document = (await client.get(f"/v1/messages/{world.ids['message']}/frame")).text
    address = re.search(r'src="(http://mailroom\.test/v1/inline/[^"]+)"', document)
    assert address is not None
    async with world.client(None) as frame:
        answer = await frame.get(address[1])
        assert answer.content == PNG
        assert answer.headers["content-type"] == "image/png"
        assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
        assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"
        tampered = address[1][:-3] + ("AAA" if not address[1].endswith("AAA") else "BBB")
        assert (await frame.get(tampered)).status_code == 404
        svg = world.deps.picture_tokens.of_attachment(world.tenant_id, world.ids["attachment"])
        assert (await frame.get(f"/v1/inline/{svg}")).status_code == 404, (
            "only what is a picture by its bytes"
        )
        foreign = world.deps.picture_tokens.of_attachment(uuid.uuid4(), world.ids["picture"])
        assert (await frame.get(f"/v1/inline/{foreign}")).status_code == 404


def test_tokens_end_and_cannot_be_forged_or_moved() -> None:
    tokens, tenant, row = PictureTokens(b"s" * 32), uuid.uuid4(), uuid.uuid4()
    token = tokens.of_attachment(tenant, row, now=1000 * STEP)
    assert tokens.read(token, now=1000 * STEP + STEP) is not None
    assert tokens.read(token, now=1000 * STEP + 2 * STEP + 1) is None
    assert token == tokens.of_attachment(tenant, row, now=1000 * STEP + STEP - 1), "the same within a step"
    assert PictureTokens(b"t" * 32).read(token, now=1000 * STEP) is None
    url = tokens.of_url(tenant, "https://example.com/a.png")
    found = tokens.read(url)
    assert found is not None
    assert (found.url, found.attachment_id) == ("https://example.com/a.png", None)
    for bad in ("", "x", "====", "A" * 60, token[:-1], token + "A", "\u00e9"):
        assert tokens.read(bad, now=time.time()) is None


async def test_raw_mails_come_from_their_place_in_a_pack_as_a_download(world) -> None:
    async with world.client("viewer") as client:
        answer = await client.get(f"/v1/messages/{world.ids['message']}/raw")
        assert answer.content == b"hello"
        assert answer.headers["content-type"] == "message/rfc822"
        assert answer.headers["content-disposition"].startswith("attachment; filename=")
        assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"
        assert (await client.get(f"/v1/messages/{world.ids['queued']}/raw")).status_code == 404
        world.blobs.away = True
        away = await client.get(f"/v1/messages/{world.ids['message']}/raw")
        assert (away.status_code, away.json()["part"]) == (503, "The S3 store")
        world.blobs.away = False
        world.blobs.objects.clear()
        gone = await client.get(f"/v1/messages/{world.ids['message']}/raw")
        assert (gone.status_code, gone.json()["type"]) == (404, "/problems/blob-missing")


async def test_a_download_is_a_short_lived_link(world) -> None:
    async with world.client("viewer") as client:
        answer = await client.get(f"/v1/attachments/{world.ids['attachment']}/download")
    assert answer.headers["location"].endswith("?for=900")
    assert answer.headers["cache-control"] == "private, no-store"


async def test_quarantined_bytes_as_text(world) -> None:
    world.blobs.objects["raw/pack"] = b"\xff\x00<script>abcdefg"
    async with world.client("viewer") as client:
        answer = await client.get(f"/v1/quarantine/{world.ids['quarantine']}/text")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.text == "\ufffd\ufffd<script>abc"


async def test_the_timeline_of_a_mail_that_came(world) -> None:
    path = f"/v1/messages/{world.ids['message']}/timeline"
    async with world.client("admin") as client:
        items = (await client.get(path)).json()["items"]
    async with world.client("viewer") as client:
        seen = (await client.get(path)).json()["items"]
    assert [{**i, "link": None} for i in items] == seen  # links are for admins
    steps = {i["step"]: i for i in items}
    assert {"stored", "read"} <= set(steps)
    inbox = world.ids["inbox"]
    assert (
        steps["read"]["link"]
        == f"http://temporal.test/namespaces/default/workflows/inbox-sync%2F{inbox}/run-2"
    )
    assert (steps["classified"]["kind"], steps["classified"]["detail"]) == ("rule", "message: default")
    assert [i["at"] for i in items] == sorted(i["at"] for i in items)


async def test_the_timeline_of_a_mail_that_left(world: World) -> None:
    failed = world.ids["failed"]
    await world.insert(
        "send_steps", message_id=failed, attempt=1, step="deliver", detail="mailbox unavailable", code=550, workflow_run="run-9",
        at=NOW + dt.timedelta(hours=2),
    )  # fmt: skip
    await world.insert(
        "delivery_events", message_id=failed, recipient="carla@customer.example.com", provider_event_id="e1", status="bounced",
        bounce_class="hard", enhanced_code="5.1.1",
    )  # fmt: skip
    async with world.client("admin") as client:
        await client.post(f"/v1/messages/{failed}/retry")
        items = (await client.get(f"/v1/messages/{failed}/timeline")).json()["items"]
    steps = {i["step"]: i for i in items}
    assert (steps["deliver"]["code"], steps["deliver"]["detail"]) == (550, "mailbox unavailable")
    assert steps["deliver"]["link"].endswith(f"/workflows/send%2F{failed}/run-9")
    assert steps["report: bounced"]["detail"] == "carla@customer.example.com hard 5.1.1"
    assert (steps["retried"]["kind"], steps["retried"]["actor"]) == ("person", "The admin")


@pytest.mark.parametrize(
    "path", ["/", "/c/1", "/inboxes", "/web/js/main.js", "/v1/conversations", "/healthz"]
)
async def test_every_answer_carries_the_security_headers(world, path) -> None:
    async with world.client("viewer") as client:
        headers = (await client.get(path)).headers
    policy = directives(headers["content-security-policy"])
    assert (
        policy["default-src"]
        == policy["base-uri"]
        == policy["form-action"]
        == policy["frame-ancestors"]
        == "'none'"
    )
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "access-control-allow-origin" not in headers
    if path.startswith(("/v1", "/healthz")):
        return
    assert policy["style-src"] == policy["frame-src"] == "'self'"
    # The page's import map stands in the page, so the policy names its very octets; nothing else may stand there.
    in_page = "" if path.startswith("/web") else r" 'sha256-[A-Za-z0-9+/]{43}='"
    assert re.fullmatch(f"'self'{in_page}", policy["script-src"])
    assert policy["connect-src"] == "'self' http://bucket.test"
    assert policy["require-trusted-types-for"] == "'script'"


async def test_the_web_client_is_served_and_kept(world) -> None:
    async with world.client(None) as client:
        page = await client.get("/anything/at/all")
        assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
        script = await client.get("/web/js/main.js")
        assert script.headers["content-type"] == "text/javascript; charset=utf-8"
        kept = await client.get("/web/js/main.js", headers={"If-None-Match": script.headers["etag"]})
        assert (kept.status_code, kept.content) == (304, b"")
        assert (await client.get("/web/js")).status_code == 404
        assert (await client.get("/web/js/nothing.js")).status_code == 404


async def test_a_file_that_lies_in_its_mail_becomes_an_object_when_it_is_asked_for(world) -> None:
    data = b"%PDF-1.4 the bill"
    encoded = base64.encodebytes(data)
    file = await world.attach(world.ids["message"], data, filename="bill.pdf", encoded_offset=6, encoded_length=len(encoded), encoding="base64")
    key = next(k for k, v in world.blobs.objects.items() if v == data)
    del world.blobs.objects[key]
    world.blobs.objects["raw/pack"] = b"xxxx" + b"head\n\n" + encoded + b"yyyy"
    path = f"/v1/attachments/{file}/download"
    async with world.client("viewer") as client:
        world.blobs.away = True
        assert (await client.get(path)).status_code == 503
        world.blobs.away = False
        answer = await client.get(path)
        assert (answer.status_code, world.blobs.objects[key]) == (302, data)
        assert (await world.rows("select stored_at is not null as stored from attachments where id = :i", i=file))[0]["stored"]
        del world.blobs.objects["raw/pack"]
        assert (await client.get(path)).status_code == 302  # it is an object now, the mail is not asked again


async def test_a_file_whose_mail_holds_other_bytes_is_missing(world) -> None:
    data = b"%PDF-1.4 the other bill"
    file = await world.attach(world.ids["message"], data, filename="b.pdf", encoded_offset=0, encoded_length=5, encoding="7bit")
    key = next(k for k, v in world.blobs.objects.items() if v == data)
    del world.blobs.objects[key]
    async with world.client("viewer") as client:
        answer = await client.get(f"/v1/attachments/{file}/download")
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/blob-missing")
    assert key not in world.blobs.objects
