"""The short storm: a dozen kills over every part during a backfill with answers; nothing is lost, doubled, stuck or leaked.

The long one is `python -m benchmarks.storm`. At the end Temporal loses its whole database, which must cost nothing either.
"""

from pathlib import Path

import pytest

from benchmarks.storm import Storm, raise_storm

PLAN = Storm(
    kills=12, mails=800, sends=25, seed=11, hasty=True, calm=(1.0, 5.0), down=(0.0, 1.0), settle_seconds=200.0, lose_temporal=True
)


@pytest.mark.timeout(480)
async def test_a_storm_of_kills_leaves_every_invariant_whole(tmp_path: Path) -> None:
    outcome = await raise_storm(PLAN, tmp_path, print)
    print(outcome)
    assert outcome.holds, str(outcome)
    assert sum(outcome.kills.values()) == PLAN.kills + 1
    assert {"worker", "temporal", "postgres", "s3"} <= set(outcome.kills)
    assert sum(outcome.mails.values()) >= PLAN.mails + PLAN.sends
    assert outcome.report.quarantined == 0
    assert outcome.sends["sent"] + outcome.sends["unknown"] == sum(outcome.sends.values())
    assert outcome.sends["sent"] > outcome.sends["unknown"]
