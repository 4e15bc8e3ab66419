"""The recorded paths of what tells people and of what forgets: digests, the nightly retention, erasures."""

from collections.abc import Sequence
from typing import Any

from contracts import ids
from contracts.digest import DigestClaim, DigestRef
from contracts.erasure import ErasureProgress, ErasureRef
from contracts.retention import RetentionProgress, RetentionTenants
from tests.workflows.path_values import TENANT, Path, fails, opaque

QUEUED = DigestClaim(opaque("digest"), "queued", opaque("inbox of digest"))
FORGOTTEN = RetentionProgress(done=True, messages=3)
NOBODY = RetentionTenants(())
ERASED = ErasureProgress("done", messages=2)
HALF = ErasureProgress("erasing", messages=100)


def digest(name: str, claim: DigestClaim) -> Path:
    user = opaque(f"digest {name}")
    return Path("Digest", name, ids.digest(user), DigestRef(TENANT, user), {"digest.claim": [claim]})


def erase(name: str, steps: Sequence[Any], *, until: tuple[str, int] | None = None) -> Path:
    erasure = opaque(f"erase {name}")
    return Path("Erase", name, ids.erase(erasure), ErasureRef(TENANT, erasure), {"erasure.step": steps}, (), until)


def night(name: str, tenants: Sequence[RetentionTenants], steps: Sequence[Any], *, until: tuple[str, int] | None = None) -> Path:
    return Path("Retention", name, f"{ids.RETENTION}-{name}", None, {"retention.tenants": tenants, "retention.step": steps}, (), until)


def of(*names: str) -> RetentionTenants:
    return RetentionTenants(tuple(opaque(f"tenant {name}") for name in names))


FORGETTING = (
    digest("queued", QUEUED),
    digest("nothing-waits", DigestClaim(None, "nothing-waits")),
    # The message whose sending still runs on the path of that name.
    digest("sending-runs-already", DigestClaim(opaque("send unknown-asks-a-person"), "queued", opaque("inbox of digest"))),
    erase("erased", [HALF, ErasureProgress("objects"), ERASED]),
    erase("removed", [fails("NotFound")]),
    erase("waits-for-a-send", [ErasureProgress("erasing", waiting=True)], until=("erasure.step", 1)),
    erase("continued-as-new", [HALF], until=("erasure.step", 40)),
    night("worked-through", [of("one", "two"), NOBODY], [RetentionProgress(done=False, messages=9), RetentionProgress(done=False, rows_done=True), FORGOTTEN]),
    night("nobody-there", [NOBODY], [FORGOTTEN]),
    night("one-tenant-fails", [of("poor", "rich"), NOBODY], [fails("Refused"), FORGOTTEN]),
    night("continued-as-new", [of(*"abcdefghij"), of(*"klmnopqrst"), NOBODY], [FORGOTTEN]),
)

FORGETTING_DEFAULTS = {"digest.claim": DigestClaim(None, "nothing-due"), "erasure.step": ERASED, "retention.step": FORGOTTEN, "retention.tenants": NOBODY}
