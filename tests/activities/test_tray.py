"""Mails go to a parser child beside their orders, none mixed up, and nothing of them stays reserved."""

import os
import pickle
from errno import EBADF
from multiprocessing import get_context
from multiprocessing.connection import Connection
from types import SimpleNamespace

import pytest

from activities import tray as tray_module
from activities.parser_child import ReadOrder
from activities.tray import Tray

OWN = frozenset({"desk@example.org"})


def order(raw: bytes | memoryview) -> ReadOrder:
    return ReadOrder(raw, "tenant", "inbox", OWN, ("seen",), raw_sha256="1")


@pytest.fixture
def two_ends():
    worker = Tray()
    child = Tray(SimpleNamespace(detach=lambda: os.dup(worker._fd)))
    yield worker, child
    worker.close()
    child.close()


def taking(pipe: Connection, tray: Tray) -> None:
    while (laid := pipe.recv()) is not None:
        pipe.send([bytes(one.raw) for one in tray.take(laid)])
    tray.close()


def test_what_is_laid_is_taken_one_by_one(two_ends) -> None:
    worker, child = two_ends
    pack = memoryview(b"before" + b"first mail" + b"behind")
    for mails in ([order(pack[6:16]), order(b""), order(b"second")], [order(b"shorter"), order(b"x" * 300_000)], []):
        pickled, lengths = worker.lay(mails)
        assert lengths == tuple(len(mail.raw) for mail in mails)
        assert b"mail" not in pickled.replace(b"mails", b"")  # the pickle has the orders alone
        assert child.take((pickled, lengths)) == [order(bytes(mail.raw)) for mail in mails]


def test_what_was_taken_stays_when_the_tray_is_used_again(two_ends) -> None:
    worker, child = two_ends
    (first,) = child.take(worker.lay([order(b"the first")]))
    child.take(worker.lay([order(b"the other")]))
    assert first.raw == b"the first"


def test_an_exceptional_mail_gives_its_memory_back(two_ends, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tray_module, "KEPT", 10_000)
    worker, child = two_ends
    child.take(worker.lay([order(b"y" * 9_000)]))
    assert os.fstat(worker._fd).st_size == 9_000
    (large,) = child.take(worker.lay([order(b"z" * 90_000)]))
    assert len(large.raw) == 90_000
    assert os.fstat(worker._fd).st_size == 0


def test_a_closed_tray_writes_into_no_other_file(tmp_path) -> None:
    tray = Tray()
    number = tray._fd
    tray.close()
    tray.close()
    other = os.open(tmp_path / "other", os.O_RDWR | os.O_CREAT)
    try:
        assert other == number  # the kernel gives the lowest free one
        with pytest.raises(OSError) as caught:
            tray.lay([order(b"mail")])
        assert caught.value.errno == EBADF
        assert os.fstat(other).st_size == 0
    finally:
        os.close(other)


def test_no_memory_for_a_mail_is_said(two_ends, monkeypatch: pytest.MonkeyPatch) -> None:
    worker, _ = two_ends
    monkeypatch.setattr(os, "pwrite", lambda fd, raw, start: len(raw) - 1)  # what a full tmpfs does
    with pytest.raises(OSError, match="no memory"):
        worker.lay([order(b"mail")])


@pytest.mark.parametrize("method", ["forkserver", "spawn"])
def test_a_child_has_the_same_memory(method: str) -> None:
    context = get_context(method)
    tray = Tray()
    ours, theirs = context.Pipe()
    process = context.Process(target=taking, args=(theirs, tray), daemon=True)
    process.start()
    theirs.close()
    try:
        for mails in ([b"one", b"two" * 100_000], [b"three"]):
            ours.send(tray.lay([order(raw) for raw in mails]))
            assert ours.recv() == mails
        ours.send(None)
        process.join(10)
        assert process.exitcode == 0
    finally:
        process.kill()
        process.join()
        process.close()
        ours.close()
        tray.close()


def test_orders_can_be_pickled_whole() -> None:
    assert pickle.loads(pickle.dumps(order(memoryview(b"a mail")), protocol=5)) == order(b"a mail")
