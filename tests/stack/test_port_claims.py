"""What one start has chosen, another does not choose until it listens or the claim has ended."""

import itertools
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from stack import port_claims
from stack.port_claims import LASTS, claim
from stack.ports import PortBook


@pytest.fixture(autouse=True)
def _own_claims(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(port_claims, "place", lambda: tmp_path / "claims.json")


def test_a_claim_holds_for_others_and_ends_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_000_000.0
    monkeypatch.setattr(port_claims.time, "time", lambda: now)
    assert claim([20001, 30001], "one")
    assert not claim([30001], "two")
    assert not claim([20002, 20001], "two")
    assert claim([20002], "three")  # what was refused together was not claimed in part
    assert claim([20001], "one")  # one's own, at a start right after the last
    now += LASTS
    assert claim([20001], "two")


def test_a_spoilt_or_foreign_file_stops_no_start(tmp_path: Path) -> None:
    for spoilt in ('{"20001": [17', '{"20001": 17, "20002": ["a", "b"], "20003": []}', "[]", "null"):
        (tmp_path / "claims.json").write_text(spoilt)
        assert claim([20001], "one")
        assert not claim([20001], "two")
    (tmp_path / "claims.json").unlink()
    (tmp_path / "claims.json").symlink_to(tmp_path / "elsewhere")
    assert claim([20001], "one")
    assert not (tmp_path / "elsewhere").exists()


def test_of_many_at_once_each_port_goes_to_one() -> None:
    ports = list(range(20000, 20060))
    with ThreadPoolExecutor(4) as starts:  # each opens the file anew, as processes do
        got = list(starts.map(lambda start: [port for port in ports if claim([port], f"{start}")], range(4)))
    assert sorted(itertools.chain.from_iterable(got)) == ports


def test_two_books_that_have_not_started_yet_choose_differently(tmp_path: Path) -> None:
    first, second = PortBook(tmp_path / "one.json"), PortBook(tmp_path / "two.json")
    given = [book.port(f"part-{number}") for number in range(40) for book in (first, second)]
    assert len(set(given)) == 80
    assert PortBook(tmp_path / "one.json").port("part-0") == given[0]  # its own are remembered, claimed or not


def test_the_port_that_all_prefer_goes_to_one_of_two_starts_at_a_time(tmp_path: Path) -> None:
    free = PortBook(tmp_path / "other.json").port("x")
    port_claims.place().unlink()
    first, second = PortBook(tmp_path / "one.json"), PortBook(tmp_path / "two.json")
    assert first.port("api", preferred=free) == free
    assert second.port("api", preferred=free) != free  # nobody listens on it yet
    assert PortBook(tmp_path / "one.json").port("api", preferred=free) == free
