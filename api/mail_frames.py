"""A mail as a document for a sandboxed frame: split, sanitised last, framed (integrity X-1 to X-4).

It is made anew for each look, so a better sanitiser reaches old mails at once. The work runs in threads of its own.
"""

import asyncio
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from api.picture_tokens import PictureTokens
from mail.frame import FRAME_CSP, frame_document
from mail.linkify import text_to_html
from mail.sanitise import sanitise_html
from mail.visible import split_visible, split_visible_html
from store.messages_view import MessageHtml


@dataclass(frozen=True, slots=True)
class Frame:
    document: str
    quoted: bool
    remote_blocked: int


class MailFrames:
    """Makes frames. `origin` is where browsers reach us."""

    def __init__(self, origin: str, tokens: PictureTokens) -> None:
        self._pictures = f"{origin}/v1/inline/"
        self._tokens = tokens
        self._lane = ThreadPoolExecutor(2, thread_name_prefix="frames")

    @property
    def policy(self) -> str:
        """The header of the frame's answer; it repeats the sandbox, for whoever opens the address by itself."""
        csp = FRAME_CSP(image_origin=self._pictures, remote_images=False)
        return f"{csp}; sandbox allow-popups allow-popups-to-escape-sandbox"

    async def make(self, tenant_id: uuid.UUID, mail: MessageHtml, *, images: bool, part: str) -> Frame:
        """`part` is `visible`, `quoted` or `all`; `images` lets pictures from elsewhere come through our proxy."""
        return await asyncio.get_running_loop().run_in_executor(
            self._lane, self._make, tenant_id, mail, images, part
        )

    def _make(self, tenant_id: uuid.UUID, mail: MessageHtml, images: bool, part: str) -> Frame:
        visible, quoted = self._split(mail)
        wanted = {"visible": visible, "quoted": quoted}.get(
            part, mail.html if mail.html is not None else mail.text
        )
        blocked = 0
        if mail.html is None:
            body = text_to_html(wanted)
        else:
            cids = {
                p.content_id: self._pictures + self._tokens.of_attachment(tenant_id, p.id)
                for p in mail.pictures
                if p.content_id
            }
            clean = sanitise_html(
                wanted,
                cid_urls=cids,
                remote_images=images,
                image_proxy=lambda url: self._pictures + self._tokens.of_url(tenant_id, url),
            )
            body, blocked = clean.html, clean.remote_blocked
        document = frame_document(body, image_origin=self._pictures, remote_images=False)
        return Frame(document, bool(quoted.strip()), blocked)

    @staticmethod
    def _split(mail: MessageHtml) -> tuple[str, str]:
        if mail.html is not None:
            return split_visible_html(mail.html)
        parts = split_visible(mail.text)
        return parts.visible, parts.quoted

    def close(self) -> None:
        self._lane.shutdown(wait=False, cancel_futures=True)
