"""Only what an expected topic's own SNS has signed lately is believed, and nothing else is fetched (integrity §5.6)."""

import base64
import datetime as dt
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from providers.egress import EgressPolicy
from providers.egress_http import web_client
from providers.errors import EgressBlocked, ProviderError, Throttled, Unreachable
from providers.ses.sns_door import FETCHES_A_MINUTE, NotBelieved, SnsDoor
from providers.ses.sns_message import SnsKind, host_of, read_sns
from tests.servers.certificates import Certificates
from tests.servers.sns import CERTIFICATE, HOST, TOPIC, SnsHost, SnsSigner, sns_host


class House:
    """A door with the host behind it."""

    def __init__(self, door: SnsDoor, host: SnsHost) -> None:
        self.door = door
        self.host = host

    async def read(self, message: dict[str, Any]) -> Any:
        return await self.door.read(json.dumps(message).encode())

    async def refused(self, message: dict[str, Any]) -> str:
        with pytest.raises(NotBelieved) as caught:
            await self.read(message)
        return caught.value.reason


@pytest.fixture
async def house(signer: SnsSigner, certificates: Certificates) -> AsyncIterator[House]:
    async with sns_host(signer, certificates) as (host, client):
        yield House(SnsDoor(client, [TOPIC]), host)


async def test_a_signed_notification_is_believed_and_its_certificate_fetched_once(house: House, signer: SnsSigner) -> None:
    for number in range(3):
        message = await house.read(signer.notice({"n": number}, Subject="Amazon SES Email Event Notification"))
        assert (message.kind, message.topic, json.loads(message.body)) == (SnsKind.NOTIFICATION, TOPIC, {"n": number})
    assert house.host.asked == [CERTIFICATE]


@pytest.mark.parametrize("field", ["Message", "MessageId", "Timestamp", "Subject"])
async def test_any_change_after_signing_is_seen(house: House, signer: SnsSigner, field: str) -> None:
    message = signer.notice("true", Subject="s")
    later = (dt.datetime.now(dt.UTC) + dt.timedelta(seconds=9)).isoformat()
    assert await house.refused(message | {field: later if field == "Timestamp" else "forged"}) == "signature_wrong"


async def test_a_message_of_another_signer_is_forged(house: House) -> None:
    assert await house.refused(SnsSigner().notice("true")) == "signature_wrong"


async def test_a_foreign_topic_is_refused_before_anything_is_fetched(house: House, signer: SnsSigner) -> None:
    """Anybody may own a topic, with valid signatures; AWS advises to refuse those that one does not expect."""
    foreign = "arn:aws:sns:us-east-1:999999999999:ses-events"
    assert await house.refused(signer.notice("true", TopicArn=foreign)) == "unexpected_topic"
    assert await house.refused(signer.subscription(TopicArn=foreign)) == "unexpected_topic"
    assert house.host.asked == []


@pytest.mark.parametrize(
    "url",
    [
        "http://sns.us-east-1.amazonaws.com" + CERTIFICATE, "https://sns.us-east-1.amazonaws.com.example.com" + CERTIFICATE,
        "https://example.com" + CERTIFICATE, "https://sns.eu-west-1.amazonaws.com" + CERTIFICATE, "https://169.254.169.254" + CERTIFICATE,
        "https://sns.us-east-1.amazonaws.com@example.com" + CERTIFICATE, "https://sns.us-east-1.amazonaws.com:8443" + CERTIFICATE,
        HOST + "/other.pem", HOST + CERTIFICATE + "?x=1", HOST + "/../x" + CERTIFICATE, "https://SNS.us-east-1.amazonaws.com\\@example.com" + CERTIFICATE,
        "https://s3.us-east-1.amazonaws.com" + CERTIFICATE, "https://sns.us-east-1.amazonaws.com.cn" + CERTIFICATE,
    ],
)  # fmt: skip
async def test_a_certificate_elsewhere_is_not_fetched(house: House, signer: SnsSigner, url: str) -> None:
    assert await house.refused(signer.notice("true", SigningCertURL=url)) == "malformed"
    assert house.host.asked == []


@pytest.mark.parametrize(("minutes", "good"), [(-59, True), (-61, False), (4, True), (6, False)])
async def test_late_and_early_messages(house: House, signer: SnsSigner, minutes: int, good: bool) -> None:
    at = (dt.datetime.now(dt.UTC) + dt.timedelta(minutes=minutes)).isoformat()
    message = signer.notice("true", Timestamp=at)
    if good:
        await house.read(message)
    else:
        assert await house.refused(message) == "stale"


def _without(name: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda m: {k: v for k, v in m.items() if k != name}


@pytest.mark.parametrize(
    "broken",
    [
        *(_without(n) for n in ("Type", "MessageId", "TopicArn", "Message", "Timestamp", "Signature", "SignatureVersion", "SigningCertURL")),
        lambda m: m | {"SignatureVersion": "1"}, lambda m: m | {"Signature": "!"}, lambda m: m | {"Timestamp": "yesterday"},
        lambda m: m | {"Timestamp": "2025-03-04T09:00:00"}, lambda m: m | {"Message": {"a": 1}}, lambda m: m | {"Type": "Other"},
        lambda m: m | {"TopicArn": TOPIC + "\n"}, lambda m: m | {"Message": "\ud800"},
    ],
)  # fmt: skip
async def test_what_sns_would_not_write_is_refused(house: House, signer: SnsSigner, broken: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    assert await house.refused(broken(signer.notice("true"))) == "malformed"


@pytest.mark.parametrize("raw", [b"", b"[]", b"null", b"\xff", b"[" * 100_000, b'{"Type": 1}'])
async def test_octets_that_are_no_message(house: House, raw: bytes) -> None:
    with pytest.raises(NotBelieved):
        await house.door.read(raw)


async def test_a_subscription_is_confirmed_at_the_topics_host_only(house: House, signer: SnsSigner) -> None:
    message = await house.read(signer.subscription())
    await house.door.confirm(message)
    assert house.host.asked[-1].startswith("/?Action=ConfirmSubscription&TopicArn=")
    for url in ("https://example.com/?Action=ConfirmSubscription", HOST.replace("https", "http") + "/?Action=ConfirmSubscription", HOST + "/?Action=DeleteTopic"):
        assert await house.refused(signer.subscription(SubscribeURL=url)) == "malformed"


async def test_a_subscription_that_sns_does_not_confirm_is_offered_again(house: House, signer: SnsSigner) -> None:
    house.host.answers["/"] = (503, b"")
    message = await house.read(signer.subscription())
    with pytest.raises(Unreachable):
        await house.door.confirm(message)
    with pytest.raises(ValueError, match="only a SubscriptionConfirmation"):
        await house.door.confirm(await house.read(signer.subscription("UnsubscribeConfirmation")))


@pytest.mark.parametrize(
    ("answer", "kind"),
    [((503, b""), Unreachable), ((404, b""), NotBelieved), ((200, b"no certificate"), NotBelieved), ((302, b""), NotBelieved), ((200, b"x" * 70_000), NotBelieved)],
)
async def test_a_certificate_that_cannot_be_had(house: House, signer: SnsSigner, answer: tuple[int, bytes], kind: type[ProviderError]) -> None:
    """An outage says nothing about the message, so it is told apart: SNS tries again."""
    house.host.answers[CERTIFICATE] = answer
    with pytest.raises(kind):
        await house.read(signer.notice("true"))


async def test_weak_and_outlived_certificates(house: House) -> None:
    weak, old = SnsSigner(bits=1024), SnsSigner(lasts=dt.timedelta(hours=1))
    for name, one, reason in (("weak", weak, "certificate_weak"), ("old", old, "certificate_expired")):
        path = f"/SimpleNotificationService-{name}.pem"
        house.host.answers[path] = (200, one.pem)
        assert await house.refused(one.notice("true", SigningCertURL=HOST + path)) == reason


async def test_a_forger_does_not_make_us_fetch_without_end(house: House, signer: SnsSigner) -> None:
    for number in range(FETCHES_A_MINUTE):
        assert await house.refused(signer.notice("true", SigningCertURL=f"{HOST}/SimpleNotificationService-{number}.pem")) == "certificate_missing"
    with pytest.raises(Throttled):
        await house.read(signer.notice("true"))
    assert house.host.certificates_asked == FETCHES_A_MINUTE


async def test_the_certificate_comes_through_the_egress_rule(signer: SnsSigner, monkeypatch: pytest.MonkeyPatch) -> None:
    """A resolver that is lied to leads nowhere (X-20)."""
    monkeypatch.setattr("socket.getaddrinfo", lambda *_a, **_k: [(2, 1, 6, "", ("169.254.169.254", 443))])
    async with web_client(EgressPolicy()) as client:
        with pytest.raises(EgressBlocked):
            await SnsDoor(client, [TOPIC]).read(json.dumps(signer.notice("true")).encode())


def test_the_chinese_partition_has_a_host_of_its_own(signer: SnsSigner) -> None:
    topic = "arn:aws-cn:sns:cn-north-1:123456789012:ses-events"
    assert host_of(topic) == "sns.cn-north-1.amazonaws.com.cn"
    message = signer.notice("true", TopicArn=topic, SigningCertURL=f"https://{host_of(topic)}{CERTIFICATE}")
    assert base64.b64encode(read_sns(json.dumps(message).encode()).signature).decode() == message["Signature"]
