"""A memory of at most so many entries."""

from app.kit.limited_memory import LimitedMemory


def test_the_entry_that_was_written_longest_ago_goes() -> None:
    memory = LimitedMemory[str, int](2)
    memory["first"], memory["second"] = 1, 2
    memory["first"] = 3
    assert memory["second"] == 2
    memory["third"] = 4
    assert dict(memory) == {"first": 3, "third": 4}


def test_an_entry_that_was_taken_out_makes_room() -> None:
    memory = LimitedMemory[str, int](1)
    memory["first"] = 1
    assert memory.pop("first") == 1
    memory["second"] = 2
    assert dict(memory) == {"second": 2}
