"""Real mails: nothing crashes, every part is visible, all text can be stored, quotes fold as expected."""

import email
import json
import re
from pathlib import Path

import pytest

from mail.frame import frame_document
from mail.parse import parse_headers_only, parse_mail
from mail.sanitise import sanitise_html
from mail.visible import split_visible_html

SAMPLES = Path(__file__).parents[2].parent / "shared" / "samples"
if not SAMPLES.is_dir():
    pytest.skip("the shared samples are not beside this clone; tests/corpus carries the rules", allow_module_level=True)

MAILS = sorted(SAMPLES.glob("*/*.eml")) + sorted(SAMPLES.glob("bounces/mails/*.eml"))
EXPECTED_QUOTES = json.loads((SAMPLES / "quotes" / "expected.json").read_text())


@pytest.mark.parametrize("path", MAILS, ids=lambda p: p.stem)
def test_is_read_whole(path: Path) -> None:
    raw = path.read_bytes()
    mail = parse_mail(raw)
    card = parse_headers_only(raw)
    for text in (mail.subject, mail.body_text, mail.body_html or "", mail.body_visible, *(v for _, v in mail.headers), *(p.filename for p in mail.parts)):
        text.encode()
        assert "\0" not in text
    assert (card.subject, card.from_, card.message_id) == (mail.subject, mail.from_, mail.message_id)
    assert bool(mail.body_visible.strip()) == bool(mail.body_text.strip())


def words(data: bytes) -> set[bytes]:
    return set(re.findall(rb"[A-Za-z0-9]{6,}", data))


@pytest.mark.parametrize("path", MAILS, ids=lambda p: p.stem)
def test_every_leaf_is_visible(path: Path) -> None:
    raw = path.read_bytes()
    mail = parse_mail(raw)
    shown = words(" ".join((mail.body_text, mail.body_html or "")).encode())
    for part in mail.parts:
        shown |= words(part.content)
    reference = email.message_from_bytes(raw)
    if any(part.defects for part in reference.walk()):
        return  # where the reference parser gives up, it is no reference; test_is_read_whole still holds
    for leaf in outermost_leaves(reference):
        if leaf.get_content_maintype() == "message":
            body = leaf.as_bytes().partition(b"\n\n")[2]
        else:
            decoded = leaf.get_payload(decode=True)
            body = decoded if isinstance(decoded, bytes) else b""
        wanted = {w for w in words(body) if not leaf.get_content_type().startswith("text/html") or w in shown}
        assert len(wanted - shown) <= len(wanted) * 0.02, sorted(wanted - shown)[:5]


def outermost_leaves(message: email.message.Message) -> list[email.message.Message]:
    if message.get_content_maintype() != "multipart" or not message.is_multipart():
        return [message]
    children = [child for child in message.get_payload() if isinstance(child, email.message.Message)]
    return [leaf for child in children for leaf in outermost_leaves(child)]


@pytest.mark.parametrize("path", MAILS, ids=lambda p: p.stem)
def test_html_can_be_shown(path: Path) -> None:
    mail = parse_mail(path.read_bytes())
    if mail.body_html is None:
        return
    new, old = split_visible_html(mail.body_html)
    assert new + old == mail.body_html
    clean = sanitise_html(mail.body_html, cid_urls={}).html
    assert "<script" not in clean
    frame_document(clean, image_origin="https://images.example", remote_images=False)


@pytest.mark.parametrize("name", EXPECTED_QUOTES)
def test_quotes(name: str) -> None:
    assert parse_mail((SAMPLES / "quotes" / name).read_bytes()).body_visible == EXPECTED_QUOTES[name]
