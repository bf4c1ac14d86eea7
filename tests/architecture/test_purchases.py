"""One place buys pairs of tokens: no other code asks an authorization server for one."""

import ast
from collections.abc import Iterator

from tests.architecture.sources import Source, parse, read_app

BUYS = "refreshing"  # AuthorizationServer's method.
THE_ONE_PLACE = "app.portals.tokens.purchases"
ITS_DEFINITION = "app.bitrix24.rest.oauth"
THE_STAND_IN = "app.demo"


def find_buyers(source: Source) -> Iterator[str]:
    """Every mention of the method, also one that is passed on, and every request that is written out."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Attribute) and node.attr == BUYS:
            yield f"{source.module}:{node.lineno} asks for a pair"
        elif isinstance(node, ast.Constant) and node.value == BUYS:
            yield f"{source.module}:{node.lineno} names what asks for a pair"
        elif isinstance(node, ast.Dict) and any(map(_is_grant, node.keys)):
            yield f"{source.module}:{node.lineno} writes the request for a pair"


def _is_grant(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and node.value == "grant_type"


def test_nobody_but_one_place_asks_for_pairs() -> None:
    found = [
        buyer
        for source in read_app()
        if source.module not in {THE_ONE_PLACE, ITS_DEFINITION} and not source.module.startswith(THE_STAND_IN)
        for buyer in find_buyers(source)
    ]
    assert found == []


def test_the_place_asks_once() -> None:
    (place,) = (source for source in read_app() if source.module == THE_ONE_PLACE)
    assert len(list(find_buyers(place))) == 1


def test_every_way_to_ask_is_found() -> None:
    samples = (
        "server.refreshing(None, token)",
        "ask = server.refreshing",
        "getattr(server, 'refreshing')",
        "http.post(url, data={'grant_type': 'refresh_token'})",
    )
    for sample in samples:
        assert list(find_buyers(parse("app.portals.sample", sample))), sample
