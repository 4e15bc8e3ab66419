"""How seldom our long-lived processes look for garbage. Counting references frees nearly all of it at once; what is in rings waits."""

import gc


def seldom_collected() -> None:
    """What was imported stays for good and need not be looked through again and again; what comes later is, also where importing
    went without. Measured: it took an eighth of a worker's time while mail was ingested, and two thirds of the time that a
    page of fifty conversations takes to render.
    """
    gc.collect()
    gc.freeze()
    gc.enable()
    gc.set_threshold(20_000, 20, 20)
