"""Places that many share: nobody takes those of others."""

import asyncio

from app.kit.fair_semaphore import FairSemaphore


def start(places: FairSemaphore, key: str, order: list[str]) -> asyncio.Task[None]:
    async def take() -> None:
        await places.acquire(key)
        order.append(key)

    return asyncio.create_task(take())


async def turn() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


async def test_a_key_has_its_places_and_no_more() -> None:
    places, order = FairSemaphore(2, 10), list[str]()
    tasks = [start(places, key, order) for key in "aaab"]
    await turn()
    assert order == ["a", "a", "b"]
    places.release("a")
    await turn()
    assert order == ["a", "a", "b", "a"]
    assert all(task.done() for task in tasks)


async def test_the_last_places_are_for_those_who_hold_none() -> None:
    places, order = FairSemaphore(4, 4, reserve=2), list[str]()
    tasks = [start(places, key, order) for key in "aaaabc"]
    await turn()
    assert order == ["a", "a", "b", "c"]
    for _ in range(2):
        places.release("a")
    await turn()
    assert order == ["a", "a", "b", "c", "a"]
    places.release("b")
    places.release("c")
    await turn()
    assert order.count("a") == 4
    assert all(task.done() for task in tasks)


async def test_keys_take_turns_and_within_one_the_first_comes_first() -> None:
    places, order = FairSemaphore(4, 1), list[str]()
    await places.acquire("z")
    tasks = [start(places, key, order) for key in "aaab"]
    await turn()
    for key in "zaba":
        places.release(key)
        await turn()
    assert order == ["a", "b", "a", "a"]
    places.release("a")
    assert places.is_idle
    assert all(task.done() for task in tasks)


async def test_whoever_gives_up_leaves_no_trace() -> None:
    places, order = FairSemaphore(1, 1), list[str]()
    await places.acquire("z")
    leaving, staying = start(places, "a", order), start(places, "b", order)
    await turn()
    leaving.cancel()
    await turn()
    places.release("z")
    await turn()
    assert order == ["b"]
    late = start(places, "c", order)
    await turn()
    places.release("b")
    late.cancel()  # In the moment in which it was given its place.
    await asyncio.wait({late})
    assert late.cancelled()
    assert places.is_idle
    await staying


async def test_all_may_give_up_at_once() -> None:
    places, order = FairSemaphore(1, 2), list[str]()

    async def hold() -> None:
        await places.acquire("a")
        try:
            await asyncio.Event().wait()
        finally:
            places.release("a")

    tasks = [asyncio.create_task(hold()) for _ in range(5)]
    await turn()
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    assert all(task.cancelled() for task in tasks)
    assert places.is_idle
    await start(places, "a", order)
