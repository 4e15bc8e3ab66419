"""Domains as SES knows them: made where they are not yet, with the keys that their DNS must publish, and whether SES sends as them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from providers.errors import AuthFailed, ProviderError, Refused, Throttled, Unreachable
from providers.executors import Lane, smtp_lane
from providers.ses.account import SesAccount
from providers.ses.client import ses_client

if TYPE_CHECKING:
    from types_boto3_sesv2.client import SESV2Client


@dataclass(frozen=True, slots=True)
class SesIdentity:
    """`dkim_tokens` name the CNAME records that SES looks for; `verified`: it has found them and sends as the domain."""

    dkim_tokens: tuple[str, ...]
    verified: bool


class SesIdentities:
    """Identities of one account."""

    def __init__(self, account: SesAccount, *, lane: Lane | None = None) -> None:
        self._account = account
        self._lane = lane or smtp_lane()

    async def ensure(self, domain: str) -> SesIdentity:
        """The identity of `domain` (A-labels), made if there is none; twice is once. Raises AuthFailed, Refused, Throttled,
        Unreachable.
        """
        return await self._lane.run(self._ensured, domain)

    def _ensured(self, domain: str) -> SesIdentity:
        found = self._read(domain)
        if found is not None:
            return found
        with _Asking(self._account) as client:
            try:
                made: Any = client.create_email_identity(EmailIdentity=domain)
            except ClientError as error:
                if _word(error) != "AlreadyExistsException":  # another worker was first
                    raise
                made = client.get_email_identity(EmailIdentity=domain)
        return _identity(made)

    def _read(self, domain: str) -> SesIdentity | None:
        with _Asking(self._account) as client:
            try:
                return _identity(client.get_email_identity(EmailIdentity=domain))
            except ClientError as error:
                if _word(error) == "NotFoundException":
                    return None
                raise


class _Asking:
    """A client for a moment; what it raises becomes ours."""

    def __init__(self, account: SesAccount) -> None:
        config = Config(
            connect_timeout=account.connect_timeout,
            read_timeout=account.answer_timeout,
            retries={"total_max_attempts": 3, "mode": "standard"},
            proxies={},
        )
        self._client: SESV2Client = ses_client(account, config)

    def __enter__(self) -> "SESV2Client":
        return self._client

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        self._client.close()
        if isinstance(error, ClientError):
            raise _answered(error) from None
        if isinstance(error, BotoCoreError):
            raise Unreachable("ses_unreachable", "Amazon SES could not be reached, or there are no credentials for it.") from None


def _identity(answer: Any) -> SesIdentity:
    tokens = (answer.get("DkimAttributes") or {}).get("Tokens") or ()
    return SesIdentity(tuple(str(token) for token in tokens), answer.get("VerifiedForSendingStatus") is True)


def _answered(error: ClientError) -> ProviderError:
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    if status == 429 or _word(error) in ("TooManyRequestsException", "ConcurrentModificationException"):
        return Throttled("ses_limit")
    if status in (401, 403):
        return AuthFailed(
            "auth_failed", "Amazon SES refused the credentials, or their right to ses:GetEmailIdentity and ses:CreateEmailIdentity."
        )
    if not isinstance(status, int) or status >= 500:
        return Unreachable("server_error", "Amazon SES answered with an error of its own.")
    return Refused("ses_refused", "Amazon SES does not take this domain as an identity.")


def _word(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
