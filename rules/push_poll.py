"""How often a mailbox is looked at that a provider announces: announcements may be lost, so polling never ends.

Where announcements prove themselves a look each quarter of an hour is enough (integrity I-9). Where they do not come, or get lost,
the operator's interval counts.
"""

from dataclasses import dataclass

SAFETY_SECONDS = 900
# Announcements mostly come within seconds, now and then minutes later; whoever has not come by then is taken for lost.
NOTICE_SECONDS = 180
MUCH = 0.2  # a fifth lost, as people report of Graph, is as good as none


@dataclass(frozen=True, slots=True)
class Counts:
    """Mails that came while the mailbox was announced, and how many of them no announcement told of in time."""

    found: int = 0
    missed: int = 0


def next_look(often: int, *, live: bool, recent: Counts, day: Counts, awaited: bool) -> int:
    """Seconds until the next look, at most a quarter of an hour and never less than the operator's `often`, where that is not more.

    `live`: announcements are granted. `recent` are the counts of the last hours, which decide where there are any, so that a
    death that nobody told of counts at once; else those of the `day`. `awaited`: a mail was found whose announcement may still come,
    so that it is to be judged soon.
    """
    often = min(often, SAFETY_SECONDS)
    counts = recent if recent.found else day
    if not live or counts.found == counts.missed:  # nothing proves that they come
        return often
    lost = min(1.0, counts.missed / counts.found / MUCH)
    seldom = round(SAFETY_SECONDS - (SAFETY_SECONDS - often) * lost)
    return min(seldom, max(often, NOTICE_SECONDS)) if awaited else seldom
