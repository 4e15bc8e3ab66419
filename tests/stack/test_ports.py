"""Ports are free, remembered and never given twice."""

import json
import socket
from pathlib import Path

import pytest

from stack import port_claims
from stack.ports import HOST, PARTNER_OFFSET, PortBook, PortTaken, is_free, require_free
from stack.private_file import UnreadableFile


def test_a_port_is_remembered_while_it_is_free(tmp_path: Path) -> None:
    port = PortBook(tmp_path / "ports.json").port("one")
    assert PortBook(tmp_path / "ports.json").port("one") == port
    with socket.socket() as other:
        other.bind((HOST, port))
        other.listen()
        assert PortBook(tmp_path / "ports.json").port("one") != port


def test_no_port_is_given_twice_in_one_start(tmp_path: Path) -> None:
    book = PortBook(tmp_path / "ports.json")
    given = [book.port(f"part-{number}") for number in range(50)]
    partner = book.port("pair", with_partner=True)
    assert len({*given, partner, partner + PARTNER_OFFSET}) == 52
    # A clash that somebody wrote into the file is resolved too.
    (tmp_path / "ports.json").write_text(json.dumps({"a": given[0], "b": given[0]}))
    book = PortBook(tmp_path / "ports.json")
    assert book.port("a") != book.port("b")


def test_the_preferred_port_is_taken_when_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free = PortBook(tmp_path / "other.json").port("x")
    monkeypatch.setattr(port_claims, "place", lambda: tmp_path / "claims.json")  # where nobody has claimed it
    assert PortBook(tmp_path / "ports.json").port("api", preferred=free) == free
    with socket.socket() as other:
        other.bind((HOST, free))
        other.listen()
        assert not is_free(free)
        assert PortBook(tmp_path / "new.json").port("api", preferred=free) != free
        with pytest.raises(PortTaken, match=rf"--port: port {free} of {HOST} is in use"):
            require_free(free, "--port")


def test_a_spoilt_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "ports.json").write_text("{")
    with pytest.raises(UnreadableFile, match=r"ports\.json"):
        PortBook(tmp_path / "ports.json")
