"""How to reach Amazon SES. A value; the talking is left to `sender.py`."""

from dataclasses import dataclass

from providers.secret import Secret


@dataclass(frozen=True, slots=True)
class SesAccount:
    """A region's SES, of the operator and never of a tenant. Without `access_key` AWS's own chain finds the credentials: an
    instance's or a task's role. `configuration_set` is what makes SES publish events. Times are in seconds.
    """

    region: str
    access_key: str | None = None
    secret_key: Secret | None = None
    configuration_set: str | None = None
    endpoint: str | None = None
    connect_timeout: float = 10.0
    answer_timeout: float = 60.0
