"""Lines and counted bytes from a socket, however the network cuts them."""

import socket
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.line_reader import LineReader


@given(
    st.binary(max_size=300),
    st.lists(st.integers(1, 40), max_size=40),
    st.lists(st.integers(-1, 60), max_size=20),
)
@settings(max_examples=60, deadline=None)
def test_nothing_is_lost_or_doubled(content: bytes, cuts: list[int], wants: list[int]) -> None:
    ours, theirs = socket.socketpair()

    def send() -> None:
        rest = content
        for cut in cuts:
            theirs.sendall(rest[:cut])
            rest = rest[cut:]
        theirs.sendall(rest)
        theirs.shutdown(socket.SHUT_WR)

    with ours, theirs:
        sender = threading.Thread(target=send)
        sender.start()
        reader = LineReader(ours)
        position = 0
        for want in wants:
            if want < 0:
                line = reader.readline(10_000)
                end = content.find(b"\n", position) + 1 or len(content)
                assert line == content[position:end]
                position = end
            else:
                assert reader.read(want) == content[position : position + want]
                position = min(position + want, len(content))
        assert reader.read(10_000) == content[position:]
        sender.join()


def test_long_lines_are_cut_so_that_callers_can_tell() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"x" * 500)
        assert LineReader(ours).readline(100) == b"x" * 101


def test_waiting_and_forgetting() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(0.1)
        reader = LineReader(ours)
        assert not reader.waiting()
        theirs.sendall(b"one\r\ntwo\r\n")
        assert reader.readline(100) == b"one\r\n"
        assert reader.waiting()
        reader.forget()
        assert not reader.waiting()
        with pytest.raises(TimeoutError):
            reader.readline(100)
