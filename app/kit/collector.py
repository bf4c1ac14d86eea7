"""Settings of Python's cyclic garbage collector."""

import gc

# Requests in flight make and free thousands of objects without a cycle. At Python's own threshold of 700 the
# collector looks at all of them dozens of times a second, which cost an event as much time as parsing and
# storing it together.
YOUNG_OBJECTS = 20_000
YOUNG_ROUNDS = 50
OLD_ROUNDS = 100


def spare_what_stays() -> None:
    """Exempt all objects that exist now from collection; call once in a serving process, when it is wired."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, YOUNG_ROUNDS, OLD_ROUNDS)
