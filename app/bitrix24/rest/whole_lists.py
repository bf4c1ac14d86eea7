"""Whole lists of methods that page by 50: the first page by itself, the others in batches.

Documentation: settings/how-to-call-rest-api/list-methods-pecularities.md.
"""

from collections.abc import AsyncIterator, Iterable, Mapping

from app.bitrix24.errors import TooLarge
from app.bitrix24.rest.portal_client import MAX_BATCH, Command, PortalClient

PAGE = 50
MAX_ROWS = 100_000


async def list_rows(
    client: PortalClient, access_token: str, method: str, parameters: Mapping[str, object]
) -> AsyncIterator[list[object]]:
    """Pages of at most 50 rows. Raises as `PortalClient.call` does.

    The portal's own number of rows is believed only up to MAX_ROWS, and only as long as rows come. A batch
    whose answer is too large is asked for again in halves.
    """
    first = await client.call(method, {**parameters, "start": 0}, access_token)
    yield _rows(first.result)
    last = min(first.total or 0, MAX_ROWS) if first.next is not None else 0
    begin, most_pages = PAGE, MAX_BATCH
    while begin < last:
        starts = range(begin, min(begin + PAGE * most_pages, last), PAGE)
        try:
            pages = await read_pages(client, access_token, (method, parameters), starts)
        except TooLarge:
            if len(starts) == 1:
                raise
            most_pages = len(starts) // 2
            continue
        for page in pages:
            yield page
        if not any(pages):
            return
        begin = starts.stop


async def read_pages(
    client: PortalClient, access_token: str, command: Command, starts: Iterable[int]
) -> list[list[object]]:
    """The pages of a list that begin at these row numbers, at most 50 pages in one request. Raises as
    `PortalClient.call` does.
    """
    method, parameters = command
    commands: dict[str, Command] = {
        f"from{start}": (method, {**parameters, "start": start}) for start in starts
    }
    answer = await client.batch(commands, access_token, is_halting=True)
    for error in answer.errors.values():
        raise error
    return [_rows(page) for page in answer.results.values()]


def _rows(page: object) -> list[object]:
    return page[:PAGE] if isinstance(page, list) else []
