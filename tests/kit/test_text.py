from hypothesis import example, given
from hypothesis import strategies as st

from app.kit.text import ESCAPE, original, storable

TRICKY = st.text(st.sampled_from(["\x00", ESCAPE, "0", "1", "a", "🙂"]))


@given(st.one_of(st.text(), TRICKY))
@example("\x00")
@example(ESCAPE + "0")
@example(ESCAPE + "\x00" + ESCAPE + "1")
def test_what_is_stored_holds_no_nul_and_comes_back_exactly(text: str) -> None:
    assert "\x00" not in storable(text)
    assert original(storable(text)) == text


@given(TRICKY, TRICKY)
def test_two_texts_are_never_stored_alike(one: str, other: str) -> None:
    assert (storable(one) == storable(other)) == (one == other)
