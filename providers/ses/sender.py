"""One submission to Amazon SES v2 with an honest outcome: raw bytes, the send id as a tag, and no repetition by the library.

SES has no idempotency token and nothing to look a mail up by. An error that it answers with is proof that it did not take the mail;
silence, a lost connection or a 5xx after the request left says nothing, and only an event with our tag settles it.
"""

import asyncio
import re
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
    ProxyConnectionError,
    SSLError,
)

from providers.errors import AuthFailed, ProviderError, Refused, Throttled, TlsFailed, TooLarge, Unreachable
from providers.executors import Lane, smtp_lane
from providers.ses.account import SesAccount
from providers.ses.client import ses_client
from providers.smtp.envelope import check_bytes, check_recipients, wire_path
from providers.smtp.outcome import Kind, RecipientOutcome, Stage, SubmitOutcome

if TYPE_CHECKING:
    from types_boto3_sesv2.client import SESV2Client

MOST_RECIPIENTS = 50  # of one call; SES counts To, Cc and Bcc together
SEND_TAG = "send_id"
SEND_ID = re.compile(rb"^X-Mailroom-Send-ID:[ \t]*([0-9A-Za-z_-]{1,64})[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)

OnStage = Callable[[Stage], Awaitable[None]]

# Said before the request could leave.
NOTHING_LEFT = (
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    PartialCredentialsError,
    ProxyConnectionError,
    ParamValidationError,
)
LATER = frozenset({"TooManyRequestsException", "LimitExceededException", "SendingPausedException", "ThrottlingException", "Throttling"})
SENTENCES = {
    "MessageRejected": "Amazon SES refused the mail. In its sandbox it sends to verified addresses only, and always from verified ones.",
    "MailFromDomainNotVerifiedException": "Amazon SES has not verified the MAIL FROM domain of this identity. Check its DNS records.",
    "NotFoundException": "Amazon SES knows no such configuration set in this region. Check MAILROOM_SES_CONFIGURATION_SET.",
    "AccountSuspendedException": "Amazon has suspended this account's sending. See its account health page.",
    "SendingPausedException": "Sending is paused in Amazon SES, for the account or the configuration set. It is tried again.",
    "LimitExceededException": "The account has used up a limit of Amazon SES. It is tried again.",
}


class SesSender:
    """Submits mails for one account. Every mail has a connection of its own: on one that was kept open, its end and a lost
    answer look alike, and each would leave a doubt.
    """

    def __init__(self, account: SesAccount, *, lane: Lane | None = None) -> None:
        self._account = account
        self._lane = lane or smtp_lane()

    async def submit(
        self,
        raw: bytes,
        mail_from: str,
        recipients: Sequence[str],
        on_stage: OnStage,
        smtputf8: bool = False,
    ) -> SubmitOutcome:
        """Try once to hand over `raw` to `recipients`, for the same promises as `SmtpSender.submit`: `on_stage` is awaited for
        `connect` and for `dot`, which is committed before the request leaves. SES sets the envelope's sender itself, so
        `mail_from` is not used; addresses beyond ASCII need a punycoded domain, else it is refused.
        """
        del mail_from, smtputf8
        check_bytes(raw)
        check_recipients(recipients)
        try:
            paths = {address: wire_path(address) for address in recipients}
        except Refused as error:
            return _outcome("rejected", Stage.CONNECT, recipients, error)
        if not all(path.isascii() for path in paths.values()):
            return _outcome("rejected", Stage.CONNECT, recipients, Refused("address_not_ascii", "Amazon SES takes no address with letters beyond ASCII before the @."))
        if len(recipients) > MOST_RECIPIENTS:
            return _outcome("rejected", Stage.CONNECT, recipients, Refused("too_many_recipients", f"Amazon SES takes at most {MOST_RECIPIENTS} recipients for one mail. Send several."))
        stage = Stage.CONNECT
        try:
            await on_stage(stage)
            client = await self._lane.run(_client, self._account)
            await on_stage(Stage.DOT)
        except ProviderError as error:
            return _outcome("not_sent" if error.transient else "rejected", stage, recipients, error)
        except Exception as error:  # whatever keeps the caller from committing a stage keeps us from entering it
            return _outcome("not_sent", stage, recipients, error, "stage_not_committed")
        return await asyncio.shield(asyncio.ensure_future(self._lane.run(_send, client, self._account, raw, paths)))

    async def verify(self) -> None:
        """Ask SES whether these credentials may send, without sending. Raises AuthFailed, Refused, Throttled, Unreachable, TlsFailed."""
        await self._lane.run(_verify, self._account)


def _client(account: SesAccount) -> "SESV2Client":
    config = Config(
        connect_timeout=account.connect_timeout,
        read_timeout=account.answer_timeout,
        retries={"total_max_attempts": 1, "mode": "standard"},  # a repeated request is a second mail
        max_pool_connections=1,
        proxies={},
    )
    client: SESV2Client = ses_client(account, config)
    return client


def _send(client: "SESV2Client", account: SesAccount, raw: bytes, paths: Mapping[str, str]) -> SubmitOutcome:
    recipients = tuple(paths)
    found = SEND_ID.search(raw.partition(b"\r\n\r\n")[0])
    extra: dict[str, Any] = {"EmailTags": [{"Name": SEND_TAG, "Value": found.group(1).decode()}]} if found else {}
    if account.configuration_set:
        extra["ConfigurationSetName"] = account.configuration_set
    try:
        answer = client.send_email(
            Destination={"ToAddresses": list(paths.values())}, Content={"Raw": {"Data": raw}}, **extra
        )
    except ClientError as error:
        kind, told = _answered(error)
        return _outcome(kind, Stage.DOT, recipients, told, code=_status(error))
    except NOTHING_LEFT as error:
        return _outcome("not_sent", Stage.DOT, recipients, _not_reached(error))
    except SSLError as error:
        if _certificate_is_bad(error):
            return _outcome("rejected", Stage.DOT, recipients, TlsFailed("certificate_invalid"))
        return _outcome("unknown", Stage.DOT, recipients, Unreachable("answer_lost"))
    except BotoCoreError:
        return _outcome("unknown", Stage.DOT, recipients, Unreachable("answer_lost"))
    finally:
        client.close()
    ses_id = answer.get("MessageId")
    if not isinstance(ses_id, str) or not ses_id:
        return _outcome("unknown", Stage.DOT, recipients, Unreachable("answer_unreadable"))
    return _outcome("accepted", Stage.DOT, recipients, provider_id=ses_id)


def _verify(account: SesAccount) -> None:
    client = _client(account)
    try:
        client.get_account()
    except ClientError as error:
        raise _answered(error)[1] from None
    except SSLError as error:
        raise (TlsFailed("certificate_invalid") if _certificate_is_bad(error) else Unreachable()) from None
    except BotoCoreError as error:
        raise _not_reached(error) from None
    finally:
        client.close()


def _answered(error: ClientError) -> tuple[Kind, ProviderError]:
    """What an answered error means. A 5xx may stand for a mail that was taken; everything below proves that it was not."""
    status, word = _status(error), str(error.response.get("Error", {}).get("Code", ""))
    sentence = SENTENCES.get(word)
    if status is None or status >= 500:
        return "unknown", Unreachable("server_error", "Amazon SES answered with an error of its own.")
    if status == 429 or word in LATER:
        return "deferred", Throttled("ses_limit", sentence)
    if status in (401, 403):
        return "rejected", AuthFailed("auth_failed", "Amazon SES refused the credentials. Check the keys, or the role's right to ses:SendRawEmail and ses:SendEmail.")
    if status == 413:
        return "rejected", TooLarge()
    return "rejected", Refused("ses_refused", sentence or "Amazon SES refused the mail for good.")


def _status(error: ClientError) -> int | None:
    value = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return value if isinstance(value, int) else None


def _not_reached(error: BotoCoreError) -> ProviderError:
    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        return AuthFailed("no_credentials", "There are no credentials for Amazon SES. Give keys, or run with a role that may send.")
    if isinstance(error, ParamValidationError):
        return Refused("ses_refused", "Amazon SES cannot be given this mail.")
    return Unreachable()


def _certificate_is_bad(error: BaseException | None) -> bool:
    """True when TLS failed before anything was said: the certificate did not convince us."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _outcome(
    kind: Kind,
    stage: Stage,
    recipients: Sequence[str],
    error: Exception | None = None,
    reason: str | None = None,
    *,
    code: int | None = None,
    provider_id: str | None = None,
) -> SubmitOutcome:
    """The same for all: SES takes a mail whole or not at all."""
    said = reason or (error.reason if isinstance(error, ProviderError) else kind)
    told = tuple(RecipientOutcome(address, kind, code) for address in recipients)
    return SubmitOutcome(kind, stage, said, told, code, error=error, provider_id=provider_id)
