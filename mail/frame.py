"""The document in which a mail's HTML is shown: for `<iframe sandbox srcdoc>`, with its own policy.

Promises that nothing runs and nothing loads except `data:` and this application's images, even if the HTML were not
sanitised at all: the policy stands in front of the first byte of the mail. The sandbox attribute is the web client's.
"""

import re

_ORIGIN = re.compile(r"https?://[A-Za-z0-9.\-\[\]:]{1,255}(?:/[A-Za-z0-9._~/\-]{0,200})?")

_STYLE = """
:root{color-scheme:light dark}
html{background:Canvas;color:CanvasText}
body{margin:0;padding:.25rem;font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif;
overflow-wrap:anywhere;word-break:break-word}
img{max-width:100%;height:auto}
table{max-width:100%;border-collapse:separate}
pre,.plain-text{white-space:pre-wrap;font:inherit;margin:0}
pre,code,tt,kbd,samp{font-family:ui-monospace,Menlo,Consolas,monospace;font-size:.93em}
blockquote{margin:.5em 0 .5em .2em;padding-left:.8em;border-left:3px solid color-mix(in srgb,CanvasText 25%,transparent)}
a{color:LinkText}
a[data-goes-to]{outline:2px solid #c2410c;outline-offset:1px}
a[data-goes-to]::after{content:" \\26A0 \\2192 " attr(data-goes-to);font-size:.85em;color:#c2410c}
@media (prefers-color-scheme:dark){a{color:#8ab4f8}a[data-goes-to]::after{color:#fb923c}}
""".strip()


def FRAME_CSP(*, image_origin: str, remote_images: bool, ancestors: bool = True) -> str:  # noqa: N802 – agreed name
    """The policy as a header value (integrity X-3). `ancestors=False` leaves out what a meta element may not carry.

    `image_origin` is an origin, with a path if wanted, such as `https://files.example.com/images/`. Anything else raises
    ValueError: it could end the directive, and `'self'` matches nothing in a sandboxed frame, whose origin is opaque.
    `remote_images` lets https images load; leave it off where they come through the application's own proxy.
    """
    if _ORIGIN.fullmatch(image_origin) is None:
        raise ValueError("image_origin must be an http(s) origin with an optional plain path, such as https://desk.example.com/")
    images = f"data: {image_origin}" + (" https:" if remote_images else "")
    directives = [
        "default-src 'none'",
        f"img-src {images}",
        "style-src 'unsafe-inline'",
        "script-src 'none'",
        "font-src 'none'",
        "media-src 'none'",
        "object-src 'none'",
        "frame-src 'none'",
        "connect-src 'none'",
        "form-action 'none'",
        "base-uri 'none'",
    ]
    if ancestors:
        directives.append("frame-ancestors 'self'")
    return "; ".join(directives)


def frame_document(sanitised_html: str, *, image_origin: str, remote_images: bool) -> str:
    """A whole HTML document. Raises ValueError for an `image_origin` that is no origin.

    Dark mode: mail that sets its own colours keeps them, and gets them on the ground it was written for.
    """
    policy = FRAME_CSP(image_origin=image_origin, remote_images=remote_images, ancestors=False)
    return (
        "<!doctype html>\n"
        '<html><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="referrer" content="no-referrer">\n'
        '<meta name="viewport" content="width=device-width,initial-scale=1">\n'
        f"<style>{_STYLE}{_LIGHT_GROUND if _paints(sanitised_html) else ''}</style></head>\n"
        f"<body>{sanitised_html}</body></html>\n"
    )


_LIGHT_GROUND = "\n:root{color-scheme:only light}html{background:#fff;color:#1f2328}a{color:#0b57d0}"


def _paints(html: str) -> bool:
    """Whether a mail brings colours: black text on a dark page cannot be read, so such a mail stays on paper."""
    return "bgcolor=" in html or "background" in html or "color:" in html or 'color="' in html
