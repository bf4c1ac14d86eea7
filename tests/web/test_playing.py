import pytest

from app.kit.errors import TooManyRequests, Unavailable
from app.web.playing import MAX_OVERALL, MAX_PER_PORTAL, MAX_PER_USER, AudioSlots


def test_a_user_a_portal_and_all_together_have_a_bound() -> None:
    slots = AudioSlots()
    taken = []
    for number in range(MAX_OVERALL):
        holding = slots.take(portal_id=number // MAX_PER_PORTAL, user_id=number // MAX_PER_USER)
        holding.__enter__()
        taken.append(holding)
    with pytest.raises(TooManyRequests, match="You are playing"), slots.take(0, 0):
        pass
    with pytest.raises(TooManyRequests, match="your Bitrix24"), slots.take(0, 99):
        pass
    with pytest.raises(Unavailable), slots.take(99, 99):
        pass
    for holding in taken:
        holding.__exit__(None, None, None)
    assert slots.count == 0
    with slots.take(0, 0):
        assert slots.count == 1
