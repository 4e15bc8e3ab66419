"""Compressed RTF undone (MS-OXRTFCP): the form in which Outlook keeps a rich body inside winmail.dat.

Promises bounded output (a hundred times the input, 8 MB at most) or None; the RTF itself is a file to download, not read.
"""

import struct

_PRIMER = (
    b"{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern \\fscript "
    b"\\fdecor MS Sans SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0\\blue0\r\n\\par "
    b"\\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx"
)
_WINDOW = 4_096
_MAX_BYTES = 8 * 1024 * 1024


def rtf_decompressed(data: bytes) -> bytes | None:
    """The RTF, or None when the stream is broken or too large. MS-OXRTFCP §2.1.3."""
    if len(data) < 16:
        return None
    compressed_size, raw_size, kind, _ = struct.unpack_from("<IIII", data)
    body = data[16 : compressed_size + 4]
    if kind == 0x414C454D:  # MELA: stored as it is
        return body[:raw_size]
    if kind != 0x75465A4C or raw_size > min(_MAX_BYTES, len(data) * 100):  # LZFu
        return None
    window = bytearray(_PRIMER.ljust(_WINDOW, b"\0"))
    write = len(_PRIMER)
    out = bytearray()
    at = 0
    while at < len(body):
        control = body[at]
        at += 1
        for bit in range(8):
            if control >> bit & 1:
                if at + 2 > len(body):
                    return None
                reference = body[at] << 8 | body[at + 1]
                at += 2
                offset, length = reference >> 4, (reference & 15) + 2
                if offset == write:  # a reference to the write position marks the end
                    return bytes(out[:raw_size])
                for step in range(length):
                    byte = window[(offset + step) % _WINDOW]
                    out.append(byte)
                    window[write] = byte
                    write = (write + 1) % _WINDOW
            elif at < len(body):
                out.append(body[at])
                window[write] = body[at]
                write = (write + 1) % _WINDOW
                at += 1
            else:
                return bytes(out[:raw_size]) if len(out) >= raw_size else None
        if len(out) > raw_size + 17:
            return None
    return bytes(out[:raw_size]) if len(out) >= raw_size else None
