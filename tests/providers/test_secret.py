"""Secrets stay hidden wherever values are usually shown."""

import copy
import logging
import pickle

import pytest

from providers.imap.account import ImapAccount
from providers.secret import Secret


def test_hidden_in_every_text_form(caplog: pytest.LogCaptureFixture) -> None:
    secret = Secret("hunter2")
    account = ImapAccount("mail.example.com", 993, "tls", "ann", secret)
    with caplog.at_level(logging.INFO):
        logging.getLogger("test").info("%s %r", secret, account)
    shown = f"{secret} {secret!r} {secret!s} {secret:>30} {account} {[secret]} {caplog.text}"
    assert "hunter2" not in shown
    assert secret.reveal() == "hunter2"


def test_not_pickled_and_not_copied() -> None:
    with pytest.raises(TypeError, match="must not be pickled"):
        pickle.dumps(Secret("hunter2"))
    with pytest.raises(TypeError):
        copy.deepcopy(Secret("hunter2"))


def test_equality_and_truth() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a")}) == 1
    assert not Secret("")
