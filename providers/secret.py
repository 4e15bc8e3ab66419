"""A string that must not be seen: passwords, tokens, keys. It hides itself from repr, str, format and pickle."""

import hmac
from typing import NoReturn


class Secret:
    """Holds one secret text. `reveal()` is the only way out, so that every use can be found by searching for it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "Secret(hidden)"

    def __str__(self) -> str:
        return "(hidden)"

    def __format__(self, spec: str) -> str:
        return "(hidden)"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(
            self._value.encode("utf-8", "surrogatepass"), other._value.encode("utf-8", "surrogatepass")
        )

    def __hash__(self) -> int:
        return hash(self._value)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __reduce__(self) -> NoReturn:
        # Pickled means written somewhere: a process boundary, a cache, a history (integrity X-52).
        raise TypeError("a Secret must not be pickled; pass an id and read the secret where it is used")
