"""Our application as Google or Microsoft knows it: its id, its secret, what it asks for, and where it asks.

The operator names all of this, never a tenant.
"""

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from providers.secret import Secret

GOOGLE = "https://accounts.google.com/"
GOOGLE_TOKEN = "https://oauth2.googleapis.com/token"  # noqa: S105  # an address
GMAIL = "https://gmail.googleapis.com/"
MICROSOFT = "https://login.microsoftonline.com/"
GRAPH = "https://graph.microsoft.com/v1.0/"

GMAIL_SCOPES = (
    "https://www.googleapis.com/auth/gmail.modify",
    "https://www.googleapis.com/auth/gmail.settings.basic",
)
GRAPH_SCOPES = ("Mail.ReadWrite", "Mail.Send", "User.Read")
GRAPH_SHARED_SCOPES = ("Mail.ReadWrite.Shared", "Mail.Send.Shared")


@dataclass(frozen=True, slots=True)
class Application:
    """`required` are the scopes without which the mailbox is of no use, `asked` all that the consent page shows.

    `shared` are those that a mailbox of others needs beside them. `extras` go into the address of the consent page. `profile_url`
    tells whose mailbox an access token opens; the answer's `address_fields` are that mailbox's addresses. `whole` is the scope of
    application permission, and what follows `mailbox_url` is a mailbox's address; both are empty where a provider has neither.
    `of_any_tenant`: no tenant is named, so that the application cannot sign in by itself.
    Raises ValueError for an address without https outside this machine.
    """

    provider: str
    client_id: str
    client_secret: Secret
    authorise_url: str
    token_url: str
    profile_url: str
    address_fields: tuple[str, ...]
    required: tuple[str, ...]
    asked: tuple[str, ...]
    extras: tuple[tuple[str, str], ...] = field(default=())
    shared: tuple[str, ...] = field(default=())
    whole: str = ""
    mailbox_url: str = ""
    of_any_tenant: bool = False

    def __post_init__(self) -> None:
        for url in (self.authorise_url, self.token_url, self.profile_url):
            parts = urlsplit(url)
            if parts.scheme != "https" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
                raise ValueError("sign-in addresses must use https; plain http carries the secrets openly")


def google(client_id: str, client_secret: Secret, *, root: str | None = None) -> Application:
    """Google's endpoints, or those under `root` (ends with a slash).

    `access_type=offline` gives a refresh token, but only on the first consent: `prompt=consent` makes each one the first.
    """
    return Application(
        provider="gmail",
        client_id=client_id,
        client_secret=client_secret,
        authorise_url=f"{root or GOOGLE}o/oauth2/v2/auth",
        token_url=f"{root}token" if root else GOOGLE_TOKEN,
        profile_url=f"{root or GMAIL}gmail/v1/users/me/profile",
        address_fields=("emailAddress",),
        required=GMAIL_SCOPES[:1],
        asked=GMAIL_SCOPES,
        extras=(("access_type", "offline"), ("prompt", "consent")),
    )


def microsoft(
    client_id: str, client_secret: Secret, *, tenant: str = "common", root: str | None = None, graph: str = GRAPH
) -> Application:
    """Entra's v2.0 endpoints of `tenant`, under `root` (ends with a slash). `offline_access` gives a refresh token; the answer
    names granted scopes without it. Shared mailboxes are asked for too, since whoever agrees may open some.
    """
    base = f"{root or MICROSOFT}{tenant}/oauth2/v2.0"
    return Application(
        provider="graph",
        client_id=client_id,
        client_secret=client_secret,
        authorise_url=f"{base}/authorize",
        token_url=f"{base}/token",
        profile_url=f"{graph}me?$select=mail,userPrincipalName",
        address_fields=("mail", "userPrincipalName"),
        required=GRAPH_SCOPES,
        asked=("offline_access", *GRAPH_SCOPES, *GRAPH_SHARED_SCOPES),
        extras=(("response_mode", "query"), ("prompt", "select_account")),
        shared=GRAPH_SHARED_SCOPES,
        whole=f"{_origin(graph)}/.default",
        mailbox_url=f"{graph}users/",
        of_any_tenant=tenant in ("common", "organizations", "consumers"),
    )


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
