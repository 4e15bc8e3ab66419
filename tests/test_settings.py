"""Settings: every wrong one is named with its remedy, secrets never show."""

import base64

import pytest

from settings import Settings, SettingsError, load_settings, parse_key_ring
from worker_steps import SesParts, ses_parts

KEY = base64.b64encode(bytes(range(32))).decode()
OLD_KEY = base64.b64encode(bytes(range(32, 64))).decode()
GOOD = {
    "MAILROOM_DATABASE_URL": "postgresql+psycopg://mailroom_app@127.0.0.1/mailroom",
    "MAILROOM_S3_ACCESS_KEY": "access",
    "MAILROOM_S3_SECRET_KEY": "s3-secret-canary",
    "MAILROOM_CREDENTIAL_KEYS": f"k2:{KEY},k1:{OLD_KEY}",
    "MAILROOM_SESSION_SECRET": "session-canary-session-canary-session",
    "MAILROOM_TOKEN_SECRET": "token-canary-token-canary-token-canary",
}


@pytest.fixture
def environment(monkeypatch):
    for name in Settings.model_fields:
        monkeypatch.delenv(f"MAILROOM_{name.upper()}", raising=False)
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    load_settings.cache_clear()
    yield monkeypatch
    load_settings.cache_clear()


def test_a_complete_environment_is_read(environment) -> None:
    settings = load_settings()
    assert list(settings.key_ring) == ["k2", "k1"]
    assert settings.s3_address == "https://s3.us-east-1.amazonaws.com"


@pytest.mark.parametrize("name", sorted(GOOD))
def test_a_missing_setting_is_named_with_its_meaning(environment, name) -> None:
    environment.delenv(name)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert name in str(caught.value)
    assert "docs/settings.md" in str(caught.value)


def test_all_wrong_settings_are_named_at_once(environment) -> None:
    environment.setenv("MAILROOM_API_PORT", "70000")
    environment.setenv("MAILROOM_LOG_LEVEL", "loud")
    environment.setenv("MAILROOM_SESSION_SECRET", "short")
    environment.setenv("MAILROOM_EGRESS_ALLOW", "10.0.0.0/8,nonsense")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    for name in ("MAILROOM_API_PORT", "MAILROOM_LOG_LEVEL", "MAILROOM_SESSION_SECRET", "MAILROOM_EGRESS_ALLOW"):
        assert name in str(caught.value)


def test_networks_are_a_comma_separated_list(environment) -> None:
    environment.setenv("MAILROOM_EGRESS_ALLOW", " 10.0.0.0/8 , 127.0.0.1/32,")
    assert load_settings().egress_allow == ("10.0.0.0/8", "127.0.0.1/32")


@pytest.mark.parametrize("ring", ["", "k1", "k1:", "k1:c2hvcnQ=", f":{KEY}", "k1:not base64!", f"a|b:{KEY}"])
def test_a_broken_key_ring_says_how_to_make_a_key(environment, ring) -> None:
    environment.setenv("MAILROOM_CREDENTIAL_KEYS", ring)
    with pytest.raises(SettingsError, match=r"MAILROOM_CREDENTIAL_KEYS.*base64 of 32 bytes"):
        load_settings()


@pytest.mark.parametrize("ring", [f"k1:{KEY},k1:{OLD_KEY}", f"k2:{KEY},k1:{KEY}"])
def test_a_ring_has_each_id_and_each_key_once(environment, ring) -> None:
    """A repeated id would hide a key that rows still name; a repeated key would make a rotation that changes nothing."""
    environment.setenv("MAILROOM_CREDENTIAL_KEYS", ring)
    with pytest.raises(SettingsError, match=r"entry 2") as caught:
        load_settings()
    assert KEY not in str(caught.value)


def test_lost_keys_are_a_comma_separated_list(environment) -> None:
    environment.setenv("MAILROOM_CREDENTIAL_KEYS_LOST", "k0, k1")
    assert load_settings().credential_keys_lost == ("k0", "k1")


def test_secrets_do_not_show(environment) -> None:
    environment.setenv("MAILROOM_API_PORT", "no")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    environment.setenv("MAILROOM_API_PORT", "8025")
    shown = str(caught.value) + repr(load_settings())
    assert "canary" not in shown
    assert KEY not in shown


def test_the_first_key_seals() -> None:
    assert next(iter(parse_key_ring(f"new:{KEY},old:{OLD_KEY}"))) == "new"


@pytest.mark.parametrize(("seconds", "good"), [("4", False), ("5", True), ("900", True), ("901", False)])
def test_no_folder_is_left_unlooked_at_for_more_than_a_quarter_of_an_hour(environment, seconds, good) -> None:
    """Integrity I-9: announcements get lost, looking does not."""
    environment.setenv("MAILROOM_POLL_SECONDS", seconds)
    if good:
        assert load_settings().poll_seconds == int(seconds)
        return
    with pytest.raises(SettingsError, match="MAILROOM_POLL_SECONDS"):
        load_settings()


def test_a_client_id_without_its_secret_is_named(environment) -> None:
    environment.setenv("MAILROOM_GOOGLE_CLIENT_ID", "client.apps.example.com")
    with pytest.raises(SettingsError, match="MAILROOM_GOOGLE_CLIENT_ID and MAILROOM_GOOGLE_CLIENT_SECRET"):
        load_settings()


def test_a_sign_in_address_without_https_is_refused(environment) -> None:
    environment.setenv("MAILROOM_MICROSOFT_CLIENT_ID", "11111111-2222-3333-4444-555555555555")
    environment.setenv("MAILROOM_MICROSOFT_CLIENT_SECRET", "microsoft-secret-canary")
    environment.setenv("MAILROOM_MICROSOFT_LOGIN_URL", "http://login.example.com/")
    with pytest.raises(SettingsError, match="https") as caught:
        load_settings()
    assert "canary" not in str(caught.value)


def test_an_application_is_what_its_settings_say(environment) -> None:
    assert load_settings().oauth_applications == {}
    environment.setenv("MAILROOM_MICROSOFT_CLIENT_ID", "11111111-2222-3333-4444-555555555555")
    environment.setenv("MAILROOM_MICROSOFT_CLIENT_SECRET", "microsoft-secret-canary")
    environment.setenv("MAILROOM_MICROSOFT_TENANT", "organizations")
    load_settings.cache_clear()
    settings = load_settings()
    (application,) = settings.oauth_applications.values()
    assert application.token_url == "https://login.microsoftonline.com/organizations/oauth2/v2.0/token"
    assert "canary" not in repr(settings) + repr(application)


@pytest.mark.parametrize("value", ["example.com", "=@example.com", "acme=example.com", "acme=@example"])
def test_a_mailbox_for_the_application_names_its_tenant(environment, value) -> None:
    environment.setenv("MAILROOM_MICROSOFT_APPLICATION_MAILBOXES", value)
    with pytest.raises(SettingsError, match=r"acme=@example\.com"):
        load_settings()


def test_what_the_application_may_open_is_read(environment) -> None:
    environment.setenv("MAILROOM_MICROSOFT_APPLICATION_MAILBOXES", "acme=@help.example.com, acme=a@example.com")
    environment.setenv("MAILROOM_MICROSOFT_CLIENT_SECRET_EXPIRES", "2027-01-31")
    settings = load_settings()
    assert settings.application_mailboxes == (("acme", "@help.example.com"), ("acme", "a@example.com"))
    assert settings.secret_expires is not None
    assert settings.secret_expires.isoformat().startswith("2027-01-31T23:59:59")


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"SES_REGION": "europe"}, "MAILROOM_SES_REGION"),
        ({"SES_REGION": "eu-west-1", "SES_ACCESS_KEY": "AKIAEXAMPLE"}, "MAILROOM_SES_SECRET_KEY"),
        ({"SES_RECEIPT_BUCKET": "inbound"}, "MAILROOM_SES_REGION"),
    ],
)
def test_half_of_what_ses_needs_is_named(environment, given, named) -> None:
    for name, value in given.items():
        environment.setenv(f"MAILROOM_{name}", value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert named in str(caught.value)


def test_the_worker_has_the_ses_that_the_settings_say(environment) -> None:
    assert ses_parts(load_settings()) == SesParts()
    load_settings.cache_clear()
    for name, value in {"REGION": "eu-west-1", "ACCESS_KEY": "AKIAEXAMPLE", "SECRET_KEY": "ses-secret-canary", "RECEIPT_BUCKET": "inbound", "RECEIPT_PREFIX": "in/"}.items():
        environment.setenv(f"MAILROOM_SES_{name}", value)
    parts = ses_parts(load_settings())
    assert parts.post is not None
    assert parts.identities is not None
    assert parts.bucket is not None
    assert (parts.post.region, parts.bucket.bucket, parts.bucket.prefix) == ("eu-west-1", "inbound", "in/")
    assert "ses-secret-canary" not in repr(parts) + repr(load_settings())
    parts.close()
