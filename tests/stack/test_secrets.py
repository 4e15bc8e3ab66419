"""Secrets are made once, kept closed, and never made anew beside existing data."""

import base64
import json

import pytest

from stack.layout import Layout
from stack.private_file import UnreadableFile
from stack.secrets import SecretsLost, StackSecrets, add_credential_key, drop_credential_key, load_or_make


def test_made_once_and_kept(layout: Layout) -> None:
    made = load_or_make(layout)
    assert load_or_make(layout) == made
    assert layout.secrets.stat().st_mode & 0o777 == 0o600
    kid, _, key = made.credential_keys.partition(":")
    assert kid
    assert len(base64.b64decode(key, validate=True)) == 32
    assert StackSecrets.make() != made


def test_they_do_not_show_themselves(layout: Layout) -> None:
    made = load_or_make(layout)
    assert made.s3_secret_key not in repr(made)
    assert made.session_secret not in f"{made}"


def test_lost_secrets_are_not_replaced_beside_data(layout: Layout) -> None:
    layout.postgres.mkdir()
    (layout.postgres / "PG_VERSION").write_text("18\n")
    with pytest.raises(SecretsLost, match="restore it from a backup"):
        load_or_make(layout)
    assert not layout.secrets.exists()


def test_a_file_that_lacks_one_names_it(layout: Layout) -> None:
    load_or_make(layout)
    content = json.loads(layout.secrets.read_text())
    del content["token_secret"]
    layout.secrets.write_text(json.dumps(content))
    with pytest.raises(UnreadableFile, match="token_secret"):
        load_or_make(layout)


def test_demo_passwords_stay_the_same_and_differ_by_account(layout: Layout) -> None:
    one = load_or_make(layout).demo_mail_password("a@example.com")
    assert load_or_make(layout).demo_mail_password("A@example.com") == one
    assert load_or_make(layout).demo_mail_password("b@example.com") != one


def test_a_new_key_goes_first_and_the_older_ones_stay(layout: Layout) -> None:
    before = load_or_make(layout)
    assert add_credential_key(layout) == "k2"
    after = load_or_make(layout)
    new, old = after.credential_keys.split(",")
    assert (new[:3], old) == ("k2:", before.credential_keys)
    assert len(base64.b64decode(new[3:], validate=True)) == 32
    assert after.session_secret == before.session_secret
    assert layout.secrets.stat().st_mode & 0o777 == 0o600
    for key_id, words in (("k2", "the one that seals"), ("k9", "no key k9")):
        with pytest.raises(ValueError, match=words):
            drop_credential_key(layout, key_id)
    drop_credential_key(layout, "k1")
    assert load_or_make(layout).credential_keys == new
    assert add_credential_key(layout) == "k1"


def test_no_key_is_made_where_no_secrets_are(layout: Layout) -> None:
    with pytest.raises(SecretsLost, match="--data"):
        add_credential_key(layout)
    assert not layout.secrets.exists()
