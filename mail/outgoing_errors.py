"""Why an outgoing mail cannot be composed: each error names the field and the remedy and holds no value of the mail, so
that it may be shown, logged and stored. Turning it into an HTTP answer (422) is the caller's.
"""

import re

_BREAKS_HEADER = re.compile("[\r\n\0]")


class ComposeError(ValueError):
    """A request that cannot become a mail. `field` is the path in the request, such as `to[1].address`."""

    def __init__(self, field: str, remedy: str) -> None:
        super().__init__(f"{field}: {remedy}")
        self.field = field
        self.remedy = remedy

    def __reduce__(self) -> tuple[type["ComposeError"], tuple[str, ...]]:
        return (type(self), (self.field, self.remedy))


class HeaderInjection(ComposeError):
    """A value bound for a header holds CR, LF or NUL (integrity S-10): it would write headers of its own."""

    def __init__(self, field: str) -> None:
        super().__init__(field, "holds a line break or NUL, which a mail header cannot carry; remove it")

    def __reduce__(self) -> tuple[type[ComposeError], tuple[str, ...]]:
        return (type(self), (self.field,))


def refuse_injection(field: str, value: str) -> str:
    """`value` unchanged; raises HeaderInjection with `field` when it holds CR, LF or NUL."""
    if _BREAKS_HEADER.search(value):
        raise HeaderInjection(field)
    return value
