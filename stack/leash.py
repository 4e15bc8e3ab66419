"""Becomes a server process that cannot outlive its supervisor: `python -I -S leash.py OPTIONS -- program args…`.

It writes its pid where the next start looks for leftovers, gives up root where the server refuses root, asks the kernel
for a signal when the supervisor dies (Linux), and then replaces itself by the server. It uses the standard library
only, since it runs before anything else can be relied on. If the supervisor dies before the kernel was asked, the
changed parent pid shows it and the server is never started.
"""

import argparse
import ctypes
import os
import sys

# linux/prctl.h and linux/capability.h
PR_SET_PDEATHSIG = 1
PR_SET_KEEPCAPS = 8
PR_GET_SECUREBITS = 27
PR_SET_SECUREBITS = 28
SECBIT_NO_SETUID_FIXUP = 1 << 2
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
CAPABILITY_VERSION_3 = 0x20080522


class CapabilityHeader(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class CapabilityData(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


def _check(result: int, what: str) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")


def become(uid: int, gid: int, capabilities: list[int]) -> None:
    """Give up root for `uid`:`gid`, but keep the first of `capabilities` that this root has (none: keep nothing).

    PostgreSQL refuses to run as root, while root's home (and with it the data or the virtual environment) is closed to
    everybody else. Opening those directories to the world would be the worse answer.
    """
    if not capabilities:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
        return
    libc = ctypes.CDLL(None, use_errno=True)
    header = CapabilityHeader(CAPABILITY_VERSION_3, 0)
    data = (CapabilityData * 2)()
    _check(libc.capget(ctypes.byref(header), data), "capget")
    capability = next((one for one in capabilities if data[0].permitted & (1 << one)), None)
    if capability is None:
        raise SystemExit(
            "a directory on the way to the data or the programs is closed to the server's user, and this root may not"
            " lend it the right to pass; move both where every user may walk, or start as an ordinary user"
        )
    # access(2), with which PostgreSQL looks for its own programs, ignores capabilities of ordinary users without this.
    bits = libc.prctl(PR_GET_SECUREBITS, 0, 0, 0, 0) | SECBIT_NO_SETUID_FIXUP
    _check(libc.prctl(PR_SET_SECUREBITS, bits, 0, 0, 0), "prctl(PR_SET_SECUREBITS)")
    _check(libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0), "prctl(PR_SET_KEEPCAPS)")
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    mask = 1 << capability
    data[0].effective = data[0].permitted = data[0].inheritable = mask
    data[1].effective = data[1].permitted = data[1].inheritable = 0
    _check(libc.capset(ctypes.byref(header), data), "capset")
    _check(libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0), "prctl(PR_CAP_AMBIENT)")


def main() -> None:
    parser = argparse.ArgumentParser(prog="leash")
    parser.add_argument("--parent", type=int, required=True, help="pid of the supervisor")
    parser.add_argument("--signal", type=int, required=True, help="signal to get when the supervisor dies")
    parser.add_argument("--hold", type=int, default=-1, help="open file that the server keeps locked while it lives")
    parser.add_argument("--user", default="", help="uid:gid to become")
    parser.add_argument("--keep", type=int, action="append", default=[], help="capability to keep, best first")
    parser.add_argument("argv", nargs="+")
    options = parser.parse_args()
    if options.hold >= 0:
        os.ftruncate(options.hold, 0)
        os.pwrite(options.hold, str(os.getpid()).encode(), 0)
    if options.user:
        uid, gid = options.user.split(":")
        become(int(uid), int(gid), options.keep)
    if sys.platform == "linux":
        # After the change of user, which would clear it again (prctl(2)).
        libc = ctypes.CDLL(None, use_errno=True)
        _check(libc.prctl(PR_SET_PDEATHSIG, options.signal, 0, 0, 0), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != options.parent:
        raise SystemExit("the supervisor ended while this server was starting")
    os.execv(options.argv[0], options.argv)  # noqa: S606 - no shell is what we want


if __name__ == "__main__":
    main()
