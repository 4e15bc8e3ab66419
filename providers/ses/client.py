"""boto3 clients for the operator's account: one kept session for each set of keys, one client made at a time."""

import functools
import threading
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from providers.errors import Refused
from providers.secret import Secret
from providers.ses.account import SesAccount

MAKING = threading.Lock()  # botocore's sessions make one client at a time


def ses_client(account: SesAccount, config: Config) -> Any:
    """A client of SES v2. Raises Refused where the settings cannot be."""
    return _made("sesv2", account, account.endpoint, config)


def s3_client(account: SesAccount, endpoint: str | None, config: Config) -> Any:
    """A client of S3 in the region of `account`, with its keys. Raises as `ses_client`."""
    return _made("s3", account, endpoint, config)


def _made(service: str, account: SesAccount, endpoint: str | None, config: Config) -> Any:
    try:
        with MAKING:
            session: Any = _session(account.region, account.access_key, account.secret_key)
            return session.client(service, endpoint_url=endpoint, config=config)
    except (BotoCoreError, ValueError):
        raise Refused("ses_not_configured", "Amazon SES is not set up. Check MAILROOM_SES_REGION and the credentials.") from None


@functools.lru_cache(maxsize=8)
def _session(region: str, access_key: str | None, secret_key: Secret | None) -> boto3.session.Session:
    """Kept: reading the service's description takes longer than sending."""
    given: dict[str, Any] = {}
    if access_key and secret_key is not None:
        given = {"aws_access_key_id": access_key, "aws_secret_access_key": secret_key.reveal()}
    return boto3.session.Session(region_name=region, **given)
