"""Python's cyclic collector, told what not to look at."""

import gc

# Requests in flight make and free thousands of objects without a cycle; at Python's own 700 the collector
# looks at them all dozens of times a second, which cost an event as much as parsing and storing it together.
YOUNG_OBJECTS = 20_000
YOUNG_ROUNDS = 50
OLD_ROUNDS = 100


def spare_what_stays() -> None:
    """Call once in a serving process, when every part is made: what exists now is never looked at again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, YOUNG_ROUNDS, OLD_ROUNDS)
