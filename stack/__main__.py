"""The servers alone, for development: `python -m stack --data DIR [--demo-mail]`. Prints one JSON line per event.

Runs until SIGINT or SIGTERM (exit code 0) or until a part fails (exit code 1).
"""

import argparse
import asyncio
import json
import sys
from dataclasses import asdict
from pathlib import Path

from stack.embedded import EmbeddedStack
from stack.layout import DataDirectoryBusy, DataDirectoryUnusable
from stack.part import StackEvent
from stack.ports import PortTaken
from stack.private_file import UnreadableFile
from stack.process import PartFailed
from stack.secrets import SecretsLost
from stack.stop_signals import stop_requested

EXPECTED = (PartFailed, DataDirectoryBusy, DataDirectoryUnusable, SecretsLost, UnreadableFile, PortTaken)


def _print_event(event: StackEvent) -> None:
    sys.stdout.write(json.dumps(asdict(event)) + "\n")
    sys.stdout.flush()


async def run(data: Path, *, demo_mail: bool, durable: bool) -> int:
    stack = EmbeddedStack(data, with_demo_mail=demo_mail, progress=_print_event, durable=durable)
    with stop_requested() as requested:
        starting = asyncio.create_task(stack.start())
        asked = asyncio.create_task(requested.wait())
        await asyncio.wait({starting, asked}, return_when=asyncio.FIRST_COMPLETED)
        try:
            if not starting.done():
                starting.cancel()
                await asyncio.gather(starting, return_exceptions=True)
                return 0
            await starting
            stack.write_manifest({})
            await _until_asked_or_crash(stack, asked)
        except EXPECTED as error:
            sys.stderr.write(f"{error}\n")
            return 1
        else:
            return 0
        finally:
            asked.cancel()
            await stack.stop()


async def _until_asked_or_crash(stack: EmbeddedStack, asked: "asyncio.Task[object]") -> None:
    crash = asyncio.create_task(stack.wait_for_crash())
    await asyncio.wait({crash, asked}, return_when=asyncio.FIRST_COMPLETED)
    if crash.done():
        raise crash.result()
    crash.cancel()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m stack", description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(".mailroom"), help="data directory (default .mailroom)")
    parser.add_argument("--demo-mail", action="store_true", help="also start the demo IMAP and SMTP servers")
    parser.add_argument("--forgetful", action="store_true", help="no crash safety, for tests")
    options = parser.parse_args()
    sys.exit(asyncio.run(run(options.data, demo_mail=options.demo_mail, durable=not options.forgetful)))
