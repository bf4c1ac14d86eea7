"""Settings of Python's cyclic garbage collector."""

import gc

# Requests in flight make and free thousands of objects without a cycle. At Python's own threshold of 700 the
# collector looks at all of them dozens of times a second. An event then spends as much time on this as on its
# parsing and storing together.
YOUNG_OBJECTS = 20_000
YOUNG_ROUNDS = 50
OLD_ROUNDS = 100


def spare_what_stays() -> None:
    """Exempt all objects that exist now from collection. A serving process calls this once, when its parts
    are made.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, YOUNG_ROUNDS, OLD_ROUNDS)
