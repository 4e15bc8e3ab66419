"""Passwords as argon2id hashes (RFC 9106), checked in threads of their own so that a sign-in never stops the event loop."""

import asyncio
import functools
from concurrent.futures import ThreadPoolExecutor

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

LEAST_CHARACTERS = 10
MOST_CHARACTERS = 1024  # argon2 reads it all: a megabyte of password would be a cheap way to keep us busy


class Passwords:
    """Hashes and checks. `check` takes the same time for an account that does not exist."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._lane = ThreadPoolExecutor(2, thread_name_prefix="passwords")  # each takes 64 MB while it works

    @functools.cached_property
    def _nobody(self) -> str:
        return self._hasher.hash("the password of an account that does not exist")

    async def hash(self, password: str) -> str:
        return await asyncio.get_running_loop().run_in_executor(self._lane, self._hasher.hash, password)

    async def check(self, password_hash: str | None, password: str) -> bool:
        return await asyncio.get_running_loop().run_in_executor(
            self._lane, self._check, password_hash, password
        )

    def _check(self, password_hash: str | None, password: str) -> bool:
        try:
            self._hasher.verify(password_hash or self._nobody, password)
        except (VerificationError, InvalidHashError):
            return False
        return password_hash is not None

    def close(self) -> None:
        self._lane.shutdown(wait=False, cancel_futures=True)
