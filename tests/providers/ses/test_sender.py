"""Handing a mail to SES: an answered error proves that it was not taken, silence proves nothing, and nothing is said twice."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import boto3
import pytest
from moto.server import ThreadedMotoServer

from providers.errors import AuthFailed, Refused, Throttled, Unreachable
from providers.secret import Secret
from providers.ses.account import SesAccount
from providers.ses.sender import MOST_RECIPIENTS, SesSender
from providers.smtp.outcome import Stage, SubmitOutcome
from tests.servers.ses_server import Fault, SesEndpoint, ses_endpoint

ANN, BOB = "ann@customer.example.com", "bob@customer.example.com"
SEND_ID = "0190f0c4-0000-7000-8000-000000000001"
RAW = f"From: desk@example.org\r\nTo: {ANN}\r\nX-Mailroom-Send-ID: {SEND_ID}\r\nSubject: Hi\r\n\r\nX-Mailroom-Send-ID: not-this\r\nGr\u00fc\u00dfe\r\n".encode()


@pytest.fixture
async def endpoint() -> AsyncIterator[SesEndpoint]:
    async with ses_endpoint() as one:
        yield one


def account(url: str, **changes: object) -> SesAccount:
    given = {"region": "us-east-1", "access_key": "AKIAEXAMPLE", "secret_key": Secret("example"), "endpoint": url, "configuration_set": "mailroom"}
    return SesAccount(**(given | changes))  # type: ignore[arg-type]


class Stages:
    """Notes the stages; `refuse` is one that cannot be committed."""

    def __init__(self, refuse: Stage | None = None) -> None:
        self.seen: list[Stage] = []
        self._refuse = refuse

    async def __call__(self, stage: Stage) -> None:
        if stage is self._refuse:
            raise RuntimeError("another attempt owns the row")
        self.seen.append(stage)


async def submit(one: SesAccount, *to: str, stages: Stages | None = None, raw: bytes = RAW) -> SubmitOutcome:
    return await SesSender(one).submit(raw, "desk@example.org", to or (ANN,), stages or Stages())


async def test_the_bytes_go_out_unchanged_with_tag_and_configuration_set(endpoint: SesEndpoint) -> None:
    stages = Stages()
    outcome = await submit(account(endpoint.url), ANN, "bob@xn--mnchen-3ya.example", stages=stages)
    (mail,) = endpoint.taken
    assert (outcome.kind, outcome.stage, outcome.provider_id) == ("accepted", Stage.DOT, mail.id)
    assert [r.kind for r in outcome.recipients] == ["accepted", "accepted"]
    assert mail.raw == RAW
    assert mail.request["EmailTags"] == [{"Name": "send_id", "Value": SEND_ID}]
    assert mail.request["ConfigurationSetName"] == "mailroom"
    assert mail.request["Destination"] == {"ToAddresses": [ANN, "bob@xn--mnchen-3ya.example"]}
    assert stages.seen == [Stage.CONNECT, Stage.DOT]


@pytest.mark.parametrize("fault", ["reset_before_body", "reset_after_accept", "silent_after_accept", "half_answer", "no_id", "not_json"])
async def test_without_a_readable_answer_nothing_is_known(endpoint: SesEndpoint, fault: Fault) -> None:
    endpoint.faults = [fault]
    outcome = await submit(account(endpoint.url, answer_timeout=0.3))
    assert (outcome.kind, outcome.stage) == ("unknown", Stage.DOT)
    assert endpoint.requests == 1, "a repeated request would be a second mail"


@pytest.mark.parametrize("status", [500, 502, 503, 504])
@pytest.mark.parametrize("taken", [True, False])
async def test_an_error_of_ses_itself_proves_nothing_and_is_not_repeated(endpoint: SesEndpoint, status: int, taken: bool) -> None:
    endpoint.faults = [(status, "InternalServiceErrorException", taken)]
    outcome = await submit(account(endpoint.url))
    assert outcome.kind == "unknown"
    assert (endpoint.requests, len(endpoint.taken)) == (1, int(taken))


@pytest.mark.parametrize(
    ("status", "word", "kind", "error"),
    [
        (400, "MessageRejected", "rejected", Refused), (400, "MailFromDomainNotVerifiedException", "rejected", Refused),
        (400, "BadRequestException", "rejected", Refused), (404, "NotFoundException", "rejected", Refused),
        (429, "TooManyRequestsException", "deferred", Throttled), (400, "LimitExceededException", "deferred", Throttled),
        (400, "SendingPausedException", "deferred", Throttled), (400, "AccountSuspendedException", "rejected", Refused),
        (403, "InvalidClientTokenId", "rejected", AuthFailed), (403, "AccessDeniedException", "rejected", AuthFailed),
    ],
)  # fmt: skip
async def test_an_answered_error_is_proof_that_it_was_not_sent(endpoint: SesEndpoint, status: int, word: str, kind: str, error: type[Exception]) -> None:
    endpoint.faults = [(status, word, False)]
    outcome = await submit(account(endpoint.url), ANN, BOB)
    assert (outcome.kind, outcome.code, [r.kind for r in outcome.recipients]) == (kind, status, [kind, kind])
    assert isinstance(outcome.error, error)
    assert endpoint.requests == 1
    assert ANN not in str(outcome.error)


async def test_nobody_there_is_not_sent(closed_port: int) -> None:
    outcome = await submit(account(f"http://127.0.0.1:{closed_port}"))
    assert outcome.kind == "not_sent"
    assert isinstance(outcome.error, Unreachable)


@pytest.mark.parametrize("stage", [Stage.CONNECT, Stage.DOT])
async def test_a_stage_that_is_not_committed_is_not_entered(endpoint: SesEndpoint, stage: Stage) -> None:
    outcome = await submit(account(endpoint.url), stages=Stages(stage))
    assert (outcome.kind, outcome.reason) == ("not_sent", "stage_not_committed")
    assert endpoint.requests == 0


async def test_what_ses_cannot_take_is_refused_before_asking(endpoint: SesEndpoint) -> None:
    many = await submit(account(endpoint.url), *(f"p{n}@customer.example.com" for n in range(MOST_RECIPIENTS + 1)))
    local = await submit(account(endpoint.url), "j\u00f6rg@customer.example.com")
    domain = await submit(account(endpoint.url), "jo@\u00fc..example.com")
    assert [o.kind for o in (many, local, domain)] == ["rejected"] * 3
    assert "50 recipients" in getattr(many.error, "sentence", "")
    with pytest.raises(ValueError, match="bare CR or LF"):
        await submit(account(endpoint.url), raw=b"Subject: x\n\nbody")
    assert endpoint.requests == 0


async def test_twenty_at_once_are_twenty_mails(endpoint: SesEndpoint) -> None:
    outcomes = await asyncio.gather(*(submit(account(endpoint.url), f"p{n}@customer.example.com") for n in range(20)))
    assert {o.kind for o in outcomes} == {"accepted"}
    assert len({o.provider_id for o in outcomes}) == len(endpoint.taken) == 20


async def test_without_credentials_anywhere_nothing_leaves(endpoint: SesEndpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("AWS_EC2_METADATA_DISABLED", "true"), ("AWS_SHARED_CREDENTIALS_FILE", "/nowhere"), ("AWS_CONFIG_FILE", "/nowhere")):
        monkeypatch.setenv(name, value)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    outcome = await submit(account(endpoint.url, access_key=None, secret_key=None, region="eu-north-1"))
    assert outcome.kind == "not_sent"
    assert isinstance(outcome.error, AuthFailed)
    assert endpoint.requests == 0


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


async def test_moto_takes_a_mail_of_a_verified_sender_and_no_other(moto: str) -> None:
    client = boto3.client("sesv2", region_name="us-east-1", endpoint_url=moto, aws_access_key_id="x", aws_secret_access_key="x")
    client.create_email_identity(EmailIdentity="desk@example.org")
    boto3.client("ses", region_name="us-east-1", endpoint_url=moto, aws_access_key_id="x", aws_secret_access_key="x").verify_domain_identity(Domain="example.org")
    client.close()
    good = await submit(account(moto, configuration_set=None))
    assert good.kind == "accepted"
    assert good.provider_id
    stranger = await submit(account(moto, configuration_set=None), raw=RAW.replace(b"example.org", b"unverified.example.net"))
    assert stranger.kind == "rejected"
