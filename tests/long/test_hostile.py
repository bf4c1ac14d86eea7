"""Some seconds of `make long-hostile` with every kind: nothing of the honest portal is refused or lost."""

from statistics import median

from tests.long.hostile import measure

SECONDS = 5.0
# A ratio of a few seconds on a busy machine; without bounds it was several hundred. `make long` asks for 2.
MOST_TIMES_SLOWER = 25.0


async def test_an_honest_portal_lives_on_beside_hostile_ones(sqlite_url: str) -> None:
    alone, beside, refusals = await measure(sqlite_url, SECONDS)
    assert (alone.wrong, beside.wrong, refusals) == ({}, {}, 0)
    ratios = {name: median(beside.seconds[name]) / median(before) for name, before in alone.seconds.items()}
    assert {name: ratio for name, ratio in ratios.items() if ratio > MOST_TIMES_SLOWER} == {}
